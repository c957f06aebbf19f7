#include "model/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/system.h"

/* The format's own limit. */
#define MAX_HEADER_BYTES 100000000
#define MAX_TENSORS 100000

struct safetensors {
    char *path;
    int fd;
    uint64_t data_start, data_size;
    json *header; /* owns the names */
    struct tensor *tensor; /* [n], by name once opened */
    size_t n;
};

const char *safetensors_path(const struct safetensors *file)
{
    return file->path;
}

void safetensors_close(struct safetensors *file)
{
    if (file == NULL)
        return;
    if (file->fd >= 0)
        system_table.close(file->fd);
    json_free(file->header);
    memory_free(file->tensor);
    memory_free(file->path);
    memory_free(file);
}

static int read_at(const struct safetensors *file, uint64_t offset, size_t size, void *out,
                   ernie_error *err)
{
    uint8_t *bytes = out;

    while (size > 0) {
        ssize_t n = system_table.pread(file->fd, bytes, size, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_system(err, errno, file->path);
        if (n == 0)
            return error_set(err, ERNIE_EFORMAT, "%s: ends too early", file->path);
        bytes += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return ERNIE_OK;
}

/* ---- the header -------------------------------------------------------- */

static const struct {
    const char *name;
    enum tensor_type type;
    size_t size_bytes;
} types[] = {
    { "F32", TENSOR_F32, 4 },   { "F16", TENSOR_F16, 2 },   { "BF16", TENSOR_BF16, 2 },
    { "I8", TENSOR_I8, 1 },     { "BOOL", TENSOR_OTHER, 1 }, { "U8", TENSOR_OTHER, 1 },
    { "I16", TENSOR_OTHER, 2 }, { "U16", TENSOR_OTHER, 2 },  { "I32", TENSOR_OTHER, 4 },
    { "U32", TENSOR_OTHER, 4 }, { "F64", TENSOR_OTHER, 8 },  { "I64", TENSOR_OTHER, 8 },
    { "U64", TENSOR_OTHER, 8 },
};

static int bad(const struct safetensors *file, const char *tensor, const char *why,
               ernie_error *err)
{
    return error_set(err, ERNIE_EFORMAT, "%s: %.120s: %s", file->path, tensor, why);
}

/* A whole number that is not negative. */
static int read_count(const json *value, uint64_t *out)
{
    if (value == NULL || json_kind(value) != JSON_KIND_INTEGER || json_to_integer(value) < 0)
        return -1;
    *out = (uint64_t)json_to_integer(value);
    return 0;
}

static int read_shape(const struct safetensors *file, struct tensor *tensor, const json *shape,
                      size_t *n_bytes, ernie_error *err)
{
    if (shape == NULL || json_kind(shape) != JSON_KIND_ARRAY)
        return bad(file, tensor->name, "shape: not an array", err);
    tensor->n_dimensions = json_count(shape);
    if (tensor->n_dimensions > TENSOR_MAX_DIMENSIONS)
        return bad(file, tensor->name, "shape: too many dimensions", err);
    for (size_t i = 0; i < tensor->n_dimensions; i++) {
        uint64_t size;

        if (read_count(json_element(shape, i), &size) != 0)
            return bad(file, tensor->name, "shape: not a whole number", err);
        tensor->shape[i] = (size_t)size;
        if (__builtin_mul_overflow(*n_bytes, (size_t)size, n_bytes))
            return bad(file, tensor->name, "shape: too large", err);
    }
    return ERNIE_OK;
}

static int read_tensor(struct safetensors *file, const char *name, const json *value,
                       ernie_error *err)
{
    struct tensor *tensor = &file->tensor[file->n];
    const char *type = json_to_text(json_member(value, "dtype"), NULL);
    const json *offsets = json_member(value, "data_offsets");
    uint64_t start, end;
    size_t n_bytes = 0;

    tensor->name = name;
    if (json_kind(value) != JSON_KIND_OBJECT || json_count(value) != 3)
        return bad(file, name, "not an object of dtype, shape and data_offsets", err);
    for (size_t i = 0; type != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(type, types[i].name) == 0) {
            tensor->type = types[i].type;
            n_bytes = types[i].size_bytes;
        }
    }
    if (n_bytes == 0)
        return bad(file, name, "dtype: unknown", err);
    if (read_shape(file, tensor, json_member(value, "shape"), &n_bytes, err) != ERNIE_OK)
        return ERNIE_EFORMAT;
    if (offsets == NULL || json_kind(offsets) != JSON_KIND_ARRAY || json_count(offsets) != 2 ||
        read_count(json_element(offsets, 0), &start) != 0 ||
        read_count(json_element(offsets, 1), &end) != 0)
        return bad(file, name, "data_offsets: not two whole numbers", err);
    if (start > end || end > file->data_size)
        return bad(file, name, "data_offsets: outside of the file", err);
    if (end - start != n_bytes)
        return bad(file, name, "data_offsets: not as long as dtype and shape say", err);
    tensor->start = start;
    tensor->size_bytes = n_bytes;
    file->n++;
    return ERNIE_OK;
}

static int check_metadata(void *data, const char *key, const json *value, ernie_error *err)
{
    if (json_kind(value) != JSON_KIND_TEXT)
        return bad(data, "__metadata__", key, err);
    return ERNIE_OK;
}

static int read_member(void *data, const char *key, const json *value, ernie_error *err)
{
    struct safetensors *file = data;

    if (strcmp(key, "__metadata__") != 0)
        return read_tensor(file, key, value, err);
    if (json_kind(value) != JSON_KIND_OBJECT)
        return bad(file, key, "not an object", err);
    return json_each_member(value, check_metadata, file, err);
}

static int compare_starts(const void *a, const void *b)
{
    const struct tensor *x = a, *y = b;

    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (x->size_bytes > y->size_bytes) - (x->size_bytes < y->size_bytes);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

/* Tensors in the order of the data must follow each other to its very end. */
static int check_tiling(struct safetensors *file, ernie_error *err)
{
    uint64_t end = 0;

    qsort(file->tensor, file->n, sizeof *file->tensor, compare_starts);
    for (size_t i = 0; i < file->n; i++) {
        if (file->tensor[i].start != end)
            return bad(file, file->tensor[i].name, "data_offsets: a hole or an overlap", err);
        end += file->tensor[i].size_bytes;
    }
    if (end != file->data_size)
        return error_set(err, ERNIE_EFORMAT, "%s: bytes after the last tensor", file->path);
    qsort(file->tensor, file->n, sizeof *file->tensor, compare_names);
    for (size_t i = 0; i < file->n; i++)
        file->tensor[i].start += file->data_start;
    return ERNIE_OK;
}

static int parse_header(struct safetensors *file, const char *text, size_t size, ernie_error *err)
{
    int status;

    if (size == 0 || text[0] != '{')
        return error_set(err, ERNIE_EFORMAT, "%s: header: does not begin with {", file->path);
    status = json_parse(file->path, text, size, &file->header, err);
    if (status != ERNIE_OK)
        return status;
    if (json_count(file->header) > MAX_TENSORS)
        return error_set(err, ERNIE_EFORMAT, "%s: header: too many tensors", file->path);
    file->tensor = memory_new(json_count(file->header), sizeof *file->tensor);
    if (file->tensor == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", file->path);
    status = json_each_member(file->header, read_member, file, err);
    return status == ERNIE_OK ? check_tiling(file, err) : status;
}

static int read_header(struct safetensors *file, ernie_error *err)
{
    uint8_t length[8];
    struct stat st;
    uint64_t size = 0;
    char *text;
    int status;

    if (system_table.fstat(file->fd, &st) != 0)
        return error_set_system(err, errno, file->path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERNIE_EINVAL, "%s: not a regular file", file->path);
    if (st.st_size < 8)
        return error_set(err, ERNIE_EFORMAT, "%s: too short for a header", file->path);
    status = read_at(file, 0, sizeof length, length, err);
    if (status != ERNIE_OK)
        return status;
    for (int i = 7; i >= 0; i--)
        size = size << 8 | length[i];
    /* The length comes from the file: compare before adding, so that a huge one
     * cannot wrap around. */
    if (size > (uint64_t)st.st_size - 8)
        return error_set(err, ERNIE_EFORMAT, "%s: header runs past the end", file->path);
    if (size > MAX_HEADER_BYTES)
        return error_set(err, ERNIE_EFORMAT, "%s: header is longer than %d bytes", file->path,
                         MAX_HEADER_BYTES);
    file->data_start = 8 + size;
    file->data_size = (uint64_t)st.st_size - file->data_start;
    text = memory_new((size_t)size, 1);
    if (text == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", file->path);
    status = read_at(file, 8, (size_t)size, text, err);
    if (status == ERNIE_OK)
        status = parse_header(file, text, (size_t)size, err);
    memory_free(text);
    return status;
}

int safetensors_open(const char *path, struct safetensors **out, ernie_error *err)
{
    struct safetensors *file = memory_new(1, sizeof *file);
    int status;

    if (file == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    file->path = memory_copy_text(path, strlen(path));
    if (file->path == NULL) {
        memory_free(file);
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    }
    file->fd = system_table.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                                   0);
    if (file->fd < 0)
        status = error_set_system(err, errno, path);
    else
        status = read_header(file, err);
    if (status != ERNIE_OK) {
        safetensors_close(file);
        return status;
    }
    *out = file;
    return ERNIE_OK;
}

const struct tensor *safetensors_find(const struct safetensors *file, const char *name)
{
    const struct tensor key = { .name = name };

    return bsearch(&key, file->tensor, file->n, sizeof key, compare_names);
}

int safetensors_read(const struct safetensors *file, const struct tensor *tensor, size_t offset,
                     size_t size, void *out, ernie_error *err)
{
    if (offset > tensor->size_bytes || size > tensor->size_bytes - offset)
        return error_set(err, ERNIE_EINVAL, "%s: %s: read past its end", file->path, tensor->name);
    return read_at(file, tensor->start + offset, size, out, err);
}

size_t safetensors_count(const struct safetensors *file)
{
    return file->n;
}

const struct tensor *safetensors_at(const struct safetensors *file, size_t i)
{
    return &file->tensor[i];
}

/* ---- numbers of other formats ------------------------------------------ */

static float float_of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16. */
static float from_f16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31,
             fraction = half & 0x3ff;

    if (exponent == 31) /* infinity and NaN stay so */
        return float_of_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent == 0) /* zero and subnormals: fraction * 2^-24 */
        return (sign ? -1.0f : 1.0f) * (float)fraction * 0x1p-24f;
    return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

size_t tensor_type_size(enum tensor_type type)
{
    return type == TENSOR_F32 ? 4 : type == TENSOR_I8 ? 1 : 2;
}

void tensor_widen(enum tensor_type type, size_t n, const uint8_t *bytes, float *out)
{
    uint16_t half;

    switch (type) {
    case TENSOR_F32:
        memcpy(out, bytes, n * sizeof *out);
        break;
    case TENSOR_F16:
        for (size_t i = 0; i < n; i++) {
            memcpy(&half, bytes + 2 * i, sizeof half);
            out[i] = from_f16(half);
        }
        break;
    case TENSOR_BF16: /* the upper half of a float32 */
        for (size_t i = 0; i < n; i++) {
            memcpy(&half, bytes + 2 * i, sizeof half);
            out[i] = float_of_bits((uint32_t)half << 16);
        }
        break;
    default:
        for (size_t i = 0; i < n; i++)
            out[i] = (float)(int8_t)bytes[i];
    }
}
