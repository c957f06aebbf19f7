/*     0  "ERNIEANN"
 *     8  u32  version of this layout
 *    12  u32  kind: 1 flat, 2 ivf, 3 FAISS
 *    16  [16] database uuid
 *    32  [16] model fingerprint
 *    48  u64  dim
 *    56  u64  seq
 *    64  u64  mark
 *    72  u64  base_seq
 *    80  u64  vectors in the base
 *    88  u64  lists
 *    96  u64  vectors after the base
 *   104  u64  bytes of FAISS's part
 *   112  [64] FAISS's description
 *   176  [32] nonce
 *   208  u32  bits of a number of the base: 8, or 4 (codes.h)
 *   212       zero
 *   240  [16] code over bytes 0 to 239 and all that follows
 *   256       base: ids, scales, errors, rows (codes.h); centers: scales, errors, rows; the
 *             starts of the lists; FAISS's part; after the base: ids, scales, errors, rows */
#include "index/index_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "index/index_parts.h"

#define MAGIC   "ERNIEANN"
#define VERSION 3
#define MAX_DIM 65536

struct header {
    char magic[8];
    uint32_t version, kind;
    uint8_t database_uuid[16], model_fingerprint[16];
    uint64_t dim, seq, mark, base_seq;
    uint64_t n_base, n_lists, n_recent, faiss_bytes;
    char description[ANN_DESCRIPTION_BYTES];
    uint8_t nonce[NONCE_BYTES];
    uint32_t base_bits;
    uint8_t zero[28];
    uint8_t code[MAC_BYTES];
};

_Static_assert(sizeof(struct header) == 256, "the layout above");
_Static_assert(offsetof(struct header, code) == 240, "the layout above");

/* ---- writing ----------------------------------------------------------- */

/* Parts of the file in their order. */
#define MAX_PARTS (9 + 4 * N_SEGMENTS)

struct parts {
    size_t n;
    const void *data[MAX_PARTS];
    size_t size[MAX_PARTS];
};

static void add_part(struct parts *parts, const void *data, size_t n, size_t size)
{
    if (n == 0)
        return;
    parts->data[parts->n] = data;
    parts->size[parts->n++] = n * size;
}

enum { FIELD_IDS, FIELD_SCALES, FIELD_ERRORS, FIELD_ROWS, N_FIELDS };

static void add_field(struct parts *parts, const struct codes *codes, int field, size_t n)
{
    switch (field) {
    case FIELD_IDS:
        add_part(parts, codes->ids, n, sizeof *codes->ids);
        break;
    case FIELD_SCALES:
        add_part(parts, codes->scale, n, sizeof *codes->scale);
        break;
    case FIELD_ERRORS:
        add_part(parts, codes->error, n, sizeof *codes->error);
        break;
    default:
        add_part(parts, codes->rows, n, codes->width);
    }
}

static void add_recent(struct parts *parts, const struct index *index, size_t n)
{
    for (int field = 0; field < N_FIELDS; field++) {
        for (size_t i = 0, first = 0; first < n; i++) {
            const size_t size = (size_t)FIRST_SEGMENT << i;

            add_field(parts, &index->segment[i], field, n - first < size ? n - first : size);
            first += size;
        }
    }
}

static int fill_header(struct header *header, const struct index *index,
                       const struct index_stamp *stamp, size_t faiss_bytes, ernie_error *err)
{
    memset(header, 0, sizeof *header);
    memcpy(header->magic, MAGIC, sizeof header->magic);
    header->version = VERSION;
    header->kind = (uint32_t)index->plan.kind + 1;
    memcpy(header->database_uuid, stamp->database_uuid, sizeof header->database_uuid);
    memcpy(header->model_fingerprint, stamp->model_fingerprint,
           sizeof header->model_fingerprint);
    header->dim = index->dim;
    header->seq = stamp->seq;
    header->mark = stamp->mark;
    header->base_seq = stamp->base_seq;
    header->n_base = index->ann != NULL ? ann_count(index->ann) : index->base.n;
    header->n_lists = index->ivf.centers.n;
    header->n_recent = stamp->n_recent;
    header->faiss_bytes = faiss_bytes;
    header->base_bits = index->base.bits == 4 ? 4 : 8;
    memcpy(header->description, index->plan.description, sizeof header->description);
    return random_bytes(header->nonce, sizeof header->nonce, err);
}

static int seal(struct parts *parts, struct header *header, const struct mac_key *key,
                ernie_error *err)
{
    struct mac *mac = mac_new(key, header->nonce);

    if (mac == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    mac_add(mac, header, offsetof(struct header, code));
    for (size_t i = 1; i < parts->n; i++)
        mac_add(mac, parts->data[i], parts->size[i]);
    mac_result(mac, header->code);
    mac_free(mac);
    return ERNIE_OK;
}

int index_file_save(const struct index *index, const struct index_stamp *stamp,
                    const struct mac_key *key, const char *path, ernie_error *err)
{
    struct parts *parts = memory_new(1, sizeof *parts);
    struct buffer faiss = { 0 };
    struct header header;
    int status = ERNIE_OK;

    if (parts == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    if (index->ann != NULL)
        status = ann_to_bytes(index->ann, path, &faiss, err);
    if (status == ERNIE_OK)
        status = fill_header(&header, index, stamp, faiss.size, err);
    if (status == ERNIE_OK) {
        add_part(parts, &header, 1, sizeof header);
        for (int field = 0; field < N_FIELDS; field++)
            add_field(parts, &index->base, field, index->base.n);
        for (int field = FIELD_SCALES; field < N_FIELDS; field++)
            add_field(parts, &index->ivf.centers, field, index->ivf.centers.n);
        if (index->ivf.start != NULL)
            add_part(parts, index->ivf.start, index->ivf.centers.n + 1,
                     sizeof *index->ivf.start);
        add_part(parts, faiss.data, faiss.size, 1);
        add_recent(parts, index, stamp->n_recent);
        status = seal(parts, &header, key, err);
    }
    if (status == ERNIE_OK)
        status = file_write_atomic(path, parts->n, parts->data, parts->size, err);
    buffer_reset(&faiss);
    memory_free(parts);
    return status;
}

/* ---- reading ----------------------------------------------------------- */

/* A file that is read from its start to its end, each byte once and under the code. */
struct reader {
    int fd;
    const char *path;
    struct mac *mac;
};

static int read_bytes(struct reader *reader, void *out, size_t size, ernie_error *err)
{
    uint8_t *at = out;

    while (size > 0) {
        /* Pieces that are still in the cache when the code passes over them. */
        const size_t piece = size < (256 << 10) ? size : 256 << 10;
        const ssize_t n = system_table.read(reader->fd, at, piece);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_system(err, errno, reader->path);
        if (n == 0)
            return error_set(err, ERNIE_EFORMAT, "%s: damaged: it ends too soon", reader->path);
        if (reader->mac != NULL)
            mac_add(reader->mac, at, (size_t)n);
        at += n;
        size -= (size_t)n;
    }
    return ERNIE_OK;
}

/* Every count is bounded before anything is computed of it, and all of them together by
 * the file's length, which memory is then asked for by. */
static int check_header(const struct header *header, uint64_t file_bytes, const char *path,
                        ernie_error *err)
{
    const int has_dim = header->dim >= 1 && header->dim <= MAX_DIM;
    const uint64_t slot = has_dim ? codes_slot_bytes((size_t)header->dim, 8) : 0;
    const uint64_t base_slot =
        has_dim ? codes_slot_bytes((size_t)header->dim, header->base_bits) : 0;
    const int has_lists = header->n_lists > 0, is_faiss = header->kind == INDEX_FAISS + 1;
    uint64_t bytes = sizeof *header;

    if (memcmp(header->magic, MAGIC, sizeof header->magic) != 0)
        return error_set(err, ERNIE_EFORMAT, "%s: not a vector index of ernie", path);
    if (header->version != VERSION)
        return error_set(err, ERNIE_EFORMAT, "%s: version %" PRIu32 " of the index file, not %d",
                         path, header->version, VERSION);
    if (!has_dim || (header->base_bits != 8 && header->base_bits != 4) || header->kind < 1 ||
        header->kind > INDEX_FAISS + 1 || header->n_base > INT32_MAX || header->n_recent > INT32_MAX ||
        header->n_lists > header->n_base || header->faiss_bytes > file_bytes ||
        memchr(header->description, '\0', sizeof header->description) == NULL ||
        (header->kind == INDEX_FLAT + 1 && header->n_base > 0) ||
        (header->kind == INDEX_IVF + 1 && has_lists != (header->n_base > 0)) ||
        (is_faiss ? has_lists || header->faiss_bytes == 0 : header->faiss_bytes > 0))
        return error_set(err, ERNIE_EFORMAT, "%s: damaged: its header contradicts itself", path);
    bytes += header->n_recent * slot + (is_faiss ? 0 : header->n_base * base_slot) +
             header->faiss_bytes;
    if (has_lists)
        bytes += header->n_lists * (slot - sizeof(int64_t)) + (header->n_lists + 1) * 4;
    if (bytes != file_bytes)
        return error_set(err, ERNIE_EFORMAT, "%s: damaged: %" PRIu64 " bytes long, not %" PRIu64,
                         path, file_bytes, bytes);
    return ERNIE_OK;
}

static int read_field(struct reader *reader, struct codes *codes, int field, size_t n,
                      ernie_error *err)
{
    switch (field) {
    case FIELD_IDS:
        return read_bytes(reader, codes->ids, n * sizeof *codes->ids, err);
    case FIELD_SCALES:
        return read_bytes(reader, codes->scale, n * sizeof *codes->scale, err);
    case FIELD_ERRORS:
        return read_bytes(reader, codes->error, n * sizeof *codes->error, err);
    default:
        return read_bytes(reader, codes->rows, n * codes->width, err);
    }
}

static int read_codes(struct reader *reader, struct codes *codes, size_t dim, unsigned bits,
                      size_t n, int first_field, ernie_error *err)
{
    int status = codes_init(codes, dim, bits, n, err);

    for (int field = first_field; field < N_FIELDS && status == ERNIE_OK; field++)
        status = read_field(reader, codes, field, n, err);
    if (status == ERNIE_OK)
        codes->n = n;
    return status;
}

static int read_lists(struct reader *reader, struct index *index, size_t n_lists,
                      ernie_error *err)
{
    struct ivf *ivf = &index->ivf;
    int status = read_codes(reader, &ivf->centers, index->dim, 8, n_lists, FIELD_SCALES, err);

    if (status != ERNIE_OK)
        return status;
    for (size_t i = 0; i < n_lists; i++)
        ivf->centers.ids[i] = (int64_t)i;
    ivf->start = memory_new(n_lists + 1, sizeof *ivf->start);
    if (ivf->start == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", reader->path);
    return read_bytes(reader, ivf->start, (n_lists + 1) * sizeof *ivf->start, err);
}

static int read_recent(struct reader *reader, struct index *index, size_t n, ernie_error *err)
{
    int status = ERNIE_OK;

    for (int field = 0; field < N_FIELDS; field++) {
        for (size_t i = 0, first = 0; first < n && status == ERNIE_OK; i++) {
            const size_t size = (size_t)FIRST_SEGMENT << i, left = n - first;
            struct codes *segment = &index->segment[i];

            if (field == 0)
                status = codes_init(segment, index->dim, 8, size, err);
            if (status == ERNIE_OK)
                status = read_field(reader, segment, field, left < size ? left : size, err);
            segment->n = left < size ? left : size;
            first += size;
        }
    }
    index->n_added = n;
    atomic_store(&index->n_recent, n);
    return status;
}

/* The lists follow each other from the first slot to the last. */
static int check_lists(const struct index *index, const char *path, ernie_error *err)
{
    const struct ivf *ivf = &index->ivf;

    if (ivf->start == NULL)
        return ERNIE_OK;
    for (size_t i = 0; i < ivf->centers.n; i++)
        if (ivf->start[i] > ivf->start[i + 1])
            return error_set(err, ERNIE_EFORMAT, "%s: damaged: its lists overlap", path);
    if (ivf->start[0] != 0 || ivf->start[ivf->centers.n] != index->base.n)
        return error_set(err, ERNIE_EFORMAT, "%s: damaged: its lists leave vectors out", path);
    return ERNIE_OK;
}

static int read_index(struct reader *reader, const struct header *header,
                      const struct mac_key *key, struct index *index, ernie_error *err)
{
    uint8_t code[MAC_BYTES];
    uint8_t *faiss = NULL;
    int status = ERNIE_OK;

    index->plan.kind = (enum index_kind)(header->kind - 1);
    memcpy(index->plan.description, header->description, sizeof index->plan.description);
    reader->mac = mac_new(key, header->nonce);
    if (reader->mac == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", reader->path);
    mac_add(reader->mac, header, offsetof(struct header, code));
    if (index->plan.kind == INDEX_IVF)
        status = read_codes(reader, &index->base, index->dim, header->base_bits, header->n_base,
                            FIELD_IDS, err);
    if (status == ERNIE_OK && header->n_lists > 0)
        status = read_lists(reader, index, header->n_lists, err);
    if (status == ERNIE_OK && index->plan.kind == INDEX_FAISS) {
        faiss = memory_new_aligned(header->faiss_bytes, 1);
        status = faiss != NULL ? read_bytes(reader, faiss, header->faiss_bytes, err)
                               : error_set(err, ERNIE_ENOMEM, "%s: out of memory", reader->path);
    }
    if (status == ERNIE_OK)
        status = read_recent(reader, index, header->n_recent, err);
    mac_result(reader->mac, code);
    mac_free(reader->mac);
    if (status == ERNIE_OK && !mac_equal(code, header->code))
        status = error_set(err, ERNIE_EFORMAT, "%s: its seal is broken", reader->path);
    /* From here on the bytes are our own. */
    if (status == ERNIE_OK)
        status = check_lists(index, reader->path, err);
    if (status == ERNIE_OK && faiss != NULL)
        status = ann_from_bytes(header->description, index->dim, header->n_base, faiss,
                                header->faiss_bytes, reader->path, &index->ann, err);
    memory_free_aligned(faiss);
    return status;
}

static int load(struct reader *reader, const struct mac_key *key, struct index **out,
                struct index_stamp *stamp, ernie_error *err)
{
    struct index *index = NULL;
    struct header header;
    struct stat st;
    int status;

    if (system_table.fstat(reader->fd, &st) != 0)
        return error_set_system(err, errno, reader->path);
    if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof header)
        return error_set(err, ERNIE_EFORMAT, "%s: not a vector index of ernie", reader->path);
    status = read_bytes(reader, &header, sizeof header, err);
    if (status == ERNIE_OK)
        status = check_header(&header, (uint64_t)st.st_size, reader->path, err);
    if (status == ERNIE_OK)
        status = index_new(header.dim, &index, err);
    if (status == ERNIE_OK)
        status = read_index(reader, &header, key, index, err);
    if (status != ERNIE_OK) {
        index_release(index);
        return status;
    }
    memcpy(stamp->database_uuid, header.database_uuid, sizeof stamp->database_uuid);
    memcpy(stamp->model_fingerprint, header.model_fingerprint, sizeof stamp->model_fingerprint);
    stamp->seq = header.seq;
    stamp->mark = header.mark;
    stamp->base_seq = header.base_seq;
    stamp->n_recent = header.n_recent;
    *out = index;
    return ERNIE_OK;
}

int index_file_load(const char *path, const struct mac_key *key, struct index **out,
                    struct index_stamp *stamp, ernie_error *err)
{
    struct reader reader = { .path = path };
    int status;

    /* O_NONBLOCK: opening a FIFO would wait for a writer. */
    reader.fd =
        system_table.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
    if (reader.fd < 0)
        return error_set_system(err, errno, path);
    status = load(&reader, key, out, stamp, err);
    system_table.close(reader.fd);
    return status;
}
