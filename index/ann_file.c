/* The file of an index: a header of 128 bytes, then what ann_to_bytes gives.
 * Numbers are little-endian.
 *
 *     0  "ERNIEANN"
 *     8  u32  version of this layout
 *    12  u32  kind: 1 flat, 2 HNSW
 *    16  [16] database uuid
 *    32  [16] model fingerprint
 *    48  u64  dim
 *    56  u64  seq
 *    64  u64  mark
 *    72  u64  count
 *    80  u64  bytes after the header
 *    88       zero
 *    96  [16] XXH3-128 of the bytes after the header
 *   112  [16] XXH3-128 of bytes 0 to 111 of the header
 *
 * FAISS's reader believes its input, and a changed byte can lead it anywhere; so
 * each byte of the file is under a checksum or compared, before FAISS sees one. */
#include "index/ann_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/system.h"

#define MAGIC       "ERNIEANN"
#define VERSION     1
#define HEADER_SIZE 128
#define CHECKED     112 /* bytes under the header's own checksum, which follows them */

static void store_u32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

static void store_u64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t load_u32(const uint8_t *data)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++)
        value |= (uint32_t)data[i] << 8 * i;
    return value;
}

static uint64_t load_u64(const uint8_t *data)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value |= (uint64_t)data[i] << 8 * i;
    return value;
}

static uint32_t kind_to_number(enum ann_kind kind)
{
    return kind == ANN_FLAT ? 1 : 2;
}

/* ---- writing ----------------------------------------------------------- */

static void write_header(uint8_t header[HEADER_SIZE], enum ann_kind kind,
                         const struct ann_stamp *stamp, const struct buffer *payload)
{
    struct hash hash = hash_of(payload->data, payload->size);

    memset(header, 0, HEADER_SIZE);
    memcpy(header, MAGIC, 8);
    store_u32(header + 8, VERSION);
    store_u32(header + 12, kind_to_number(kind));
    memcpy(header + 16, stamp->database_uuid, 16);
    memcpy(header + 32, stamp->model_fingerprint, 16);
    store_u64(header + 48, stamp->dim);
    store_u64(header + 56, stamp->seq);
    store_u64(header + 64, stamp->mark);
    store_u64(header + 72, stamp->count);
    store_u64(header + 80, payload->size);
    memcpy(header + 96, hash.bytes, 16);
    hash = hash_of(header, CHECKED);
    memcpy(header + CHECKED, hash.bytes, 16);
}

int ann_save(const struct ann *ann, const struct ann_stamp *stamp, const char *path,
             ernie_error *err)
{
    struct buffer payload = { 0 };
    uint8_t header[HEADER_SIZE];
    int status;

    if (stamp->count != ann_count(ann) || stamp->dim != ann_dim(ann))
        return error_set(err, ERNIE_EINVAL, "%s: the stamp is not of this index", path);
    status = ann_to_bytes(ann, path, &payload, err);
    if (status == ERNIE_OK) {
        const void *parts[] = { header, payload.data };
        const size_t sizes[] = { sizeof header, payload.size };

        write_header(header, ann_kind(ann), stamp, &payload);
        status = file_write_atomic(path, 2, parts, sizes, err);
    }
    buffer_reset(&payload);
    return status;
}

/* ---- reading ----------------------------------------------------------- */

struct header {
    struct ann_stamp stamp;
    enum ann_kind kind;
    uint64_t payload_size;
    struct hash payload_hash;
};

static int parse_header(const uint8_t *data, size_t size, const char *path, struct header *out,
                        ernie_error *err)
{
    struct hash hash;
    uint32_t kind;

    if (size < HEADER_SIZE || memcmp(data, MAGIC, 8) != 0)
        return error_set(err, ERNIE_EFORMAT, "%s: not a vector index of ernie", path);
    if (load_u32(data + 8) != VERSION)
        return error_set(err, ERNIE_EFORMAT, "%s: version %" PRIu32 " of the index file, not %d",
                         path, load_u32(data + 8), VERSION);
    hash = hash_of(data, CHECKED);
    if (memcmp(hash.bytes, data + CHECKED, sizeof hash.bytes) != 0)
        return error_set(err, ERNIE_EFORMAT, "%s: damaged: the checksum of its header is wrong",
                         path);
    kind = load_u32(data + 12);
    memcpy(out->stamp.database_uuid, data + 16, 16);
    memcpy(out->stamp.model_fingerprint, data + 32, 16);
    out->stamp.dim = load_u64(data + 48);
    out->stamp.seq = load_u64(data + 56);
    out->stamp.mark = load_u64(data + 64);
    out->stamp.count = load_u64(data + 72);
    out->payload_size = load_u64(data + 80);
    memcpy(out->payload_hash.bytes, data + 96, 16);
    if (kind != kind_to_number(ANN_FLAT) && kind != kind_to_number(ANN_HNSW))
        return error_set(err, ERNIE_EFORMAT, "%s: kind %" PRIu32 " is not known", path, kind);
    out->kind = kind == kind_to_number(ANN_FLAT) ? ANN_FLAT : ANN_HNSW;
    /* Before memory is asked for: a file of this many vectors has no more bytes. */
    if (out->payload_size > ann_bytes_limit(out->kind, out->stamp.dim, out->stamp.count))
        return error_set(err, ERNIE_EFORMAT,
                         "%s: %" PRIu64 " bytes are too many for its count of vectors", path,
                         out->payload_size);
    return ERNIE_OK;
}

/* The first bytes of the file, from where fd stands; fewer when it is shorter. */
static int read_start(int fd, const char *path, uint8_t *out, size_t size, size_t *n_read,
                      ernie_error *err)
{
    *n_read = 0;
    while (*n_read < size) {
        ssize_t n = system_table.read(fd, out + *n_read, size - *n_read);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_system(err, errno, path);
        if (n == 0)
            break;
        *n_read += (size_t)n;
    }
    return ERNIE_OK;
}

/* The header first and by itself, so that a large file that is not ours is
 * refused without being read. */
static int read_and_check(int fd, const char *path, struct header *header, struct file *payload,
                          ernie_error *err)
{
    uint8_t start[HEADER_SIZE];
    struct hash hash;
    struct stat st;
    size_t size;
    int status;

    if (system_table.fstat(fd, &st) != 0)
        return error_set_system(err, errno, path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERNIE_EFORMAT, "%s: not a regular file", path);
    status = read_start(fd, path, start, sizeof start, &size, err);
    if (status == ERNIE_OK)
        status = parse_header(start, size, path, header, err);
    if (status != ERNIE_OK)
        return status;
    if ((uint64_t)st.st_size - HEADER_SIZE != header->payload_size)
        return error_set(err, ERNIE_EFORMAT, "%s: damaged: %jd bytes long, not %" PRIu64, path,
                         (intmax_t)st.st_size, HEADER_SIZE + header->payload_size);
    status = file_read_fd(fd, path, (uint64_t)st.st_size, payload, err);
    if (status != ERNIE_OK)
        return status;
    hash = hash_of(payload->data, payload->size);
    if (payload->size != header->payload_size ||
        memcmp(hash.bytes, header->payload_hash.bytes, sizeof hash.bytes) != 0) {
        file_reset(payload);
        return error_set(err, ERNIE_EFORMAT, "%s: damaged: its checksum is wrong", path);
    }
    return ERNIE_OK;
}

int ann_load(const char *path, struct ann **out, struct ann_stamp *stamp, ernie_error *err)
{
    struct header header;
    struct file payload = { 0 };
    int fd, status;

    /* O_NONBLOCK: opening a FIFO would wait for a writer. */
    fd = system_table.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return error_set_system(err, errno, path);
    status = read_and_check(fd, path, &header, &payload, err);
    system_table.close(fd);
    if (status != ERNIE_OK)
        return status;
    status = ann_from_bytes(header.kind, header.stamp.dim, header.stamp.count, payload.data,
                            payload.size, path, out, err);
    file_reset(&payload);
    if (status == ERNIE_OK)
        *stamp = header.stamp;
    return status;
}
