#include "model/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/utf8.h"

/* The format's own limit. */
#define MAX_HEADER_BYTES 100000000
/* Eight times what the largest model that config.json may describe has. */
#define MAX_TENSORS 16384

struct safetensors {
    char *path;
    int fd;
    uint64_t data_start, data_size;
    char *header; /* its text; the names are in it */
    struct tensor *tensor; /* [n], by name once opened */
    size_t n, capacity;
    size_t n_parts; /* files joined in this one, which then has neither fd nor header */
    struct safetensors **part;
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
    for (size_t i = 0; i < file->n_parts; i++)
        safetensors_close(file->part[i]);
    memory_free(file->part);
    memory_free(file->header);
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

/* The header's text is read where it lies, and a tree of its values is never made: a
 * small file could ask for a large one. Names stay in the text, their escapes undone. */
struct reader {
    struct safetensors *file;
    char *at, *end;
    size_t line; /* from 1 */
};

static int bad_text(const struct reader *reader, const char *why, ernie_error *err)
{
    return error_set(err, ERNIE_EFORMAT, "%s: header: line %zu: %s", reader->file->path,
                     reader->line, why);
}

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t' ||
                                        *reader->at == '\n' || *reader->at == '\r'))
        reader->line += *reader->at++ == '\n';
}

/* Whether the next character is c, which is then behind us. */
static int take(struct reader *reader, char c)
{
    skip_space(reader);
    if (reader->at == reader->end || *reader->at != c)
        return 0;
    reader->at++;
    return 1;
}

/* Four hexadecimal digits, or -1. */
static int32_t read_hex(struct reader *reader)
{
    int32_t value = 0;

    if (reader->end - reader->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        const char c = *reader->at++;

        if (c >= '0' && c <= '9')
            value = value << 4 | (c - '0');
        else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            value = value << 4 | ((c | 32) - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* What follows a backslash, as a code point; -1 when JSON has no such escape, or when it
 * is a 0, which would end the name. */
static int32_t read_escape(struct reader *reader)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char c = reader->at < reader->end ? *reader->at++ : '\0';
    const char *letter = c != '\0' ? strchr(letters, c) : NULL;
    int32_t high, low;

    if (letter != NULL)
        return meant[letter - letters];
    high = c == 'u' ? read_hex(reader) : -1;
    if (high < 0xd800 || high > 0xdfff)
        return high == 0 ? -1 : high;
    if (high > 0xdbff || reader->end - reader->at < 2 || reader->at[0] != '\\' ||
        reader->at[1] != 'u')
        return -1;
    reader->at += 2;
    low = read_hex(reader);
    return low >= 0xdc00 && low <= 0xdfff ? 0x10000 + (high - 0xd800) * 0x400 + (low - 0xdc00)
                                          : -1;
}

/* A quoted text, ended with a 0 where it lies: no escape is shorter than what it means. */
static int read_text(struct reader *reader, const char **out, ernie_error *err)
{
    char *start, *to;

    if (!take(reader, '"'))
        return bad_text(reader, "a text in quotes was expected", err);
    start = to = reader->at;
    while (reader->at < reader->end && *reader->at != '"') {
        const char c = *reader->at++;
        int32_t code_point;

        if ((unsigned char)c < 0x20)
            return bad_text(reader, "a control character in a text", err);
        if (c != '\\') {
            *to++ = c;
            continue;
        }
        code_point = read_escape(reader);
        if (code_point < 0)
            return bad_text(reader, "a text with an escape that is none", err);
        to += utf8_encode((uint32_t)code_point, to);
    }
    if (reader->at == reader->end)
        return bad_text(reader, "a text without an end", err);
    reader->at++;
    if (!utf8_valid(start, (size_t)(to - start)))
        return bad_text(reader, "a text that is not UTF-8", err);
    *to = '\0';
    *out = start;
    return ERNIE_OK;
}

/* A whole number that is not negative. */
static int read_count(struct reader *reader, uint64_t *out)
{
    const char *start;
    uint64_t value = 0;

    skip_space(reader);
    start = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') {
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*reader->at - '0'), &value) ||
            value > INT64_MAX)
            return -1;
        reader->at++;
    }
    if (reader->at == start || (*start == '0' && reader->at - start > 1))
        return -1;
    if (reader->at < reader->end && strchr(".eE", *reader->at) != NULL)
        return -1;
    *out = value;
    return 0;
}

/* An array of at most max whole numbers; how many, or -1. */
static int read_counts(struct reader *reader, size_t max, uint64_t *out)
{
    size_t n = 0;

    if (!take(reader, '['))
        return -1;
    if (take(reader, ']'))
        return 0;
    do {
        if (n == max || read_count(reader, &out[n]) != 0)
            return -1;
        n++;
    } while (take(reader, ','));
    return take(reader, ']') ? (int)n : -1;
}

/* The size of one number; 0 when there is no such type. */
static size_t read_type(struct reader *reader, struct tensor *tensor)
{
    const char *name;

    if (read_text(reader, &name, NULL) != ERNIE_OK)
        return 0;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(name, types[i].name) == 0) {
            tensor->type = types[i].type;
            return types[i].size_bytes;
        }
    }
    return 0;
}

static int read_shape(struct reader *reader, struct tensor *tensor, ernie_error *err)
{
    uint64_t shape[TENSOR_MAX_DIMENSIONS + 1];
    int n;

    skip_space(reader);
    if (reader->at == reader->end || *reader->at != '[')
        return bad(reader->file, tensor->name, "shape: not an array", err);
    n = read_counts(reader, TENSOR_MAX_DIMENSIONS + 1, shape);
    if (n < 0)
        return bad(reader->file, tensor->name, "shape: not a few whole numbers", err);
    if (n > TENSOR_MAX_DIMENSIONS)
        return bad(reader->file, tensor->name, "shape: too many dimensions", err);
    tensor->n_dimensions = (size_t)n;
    for (int i = 0; i < n; i++) {
        if (shape[i] > SIZE_MAX)
            return bad(reader->file, tensor->name, "shape: too large", err);
        tensor->shape[i] = (size_t)shape[i];
    }
    return ERNIE_OK;
}

/* What a tensor has: each once, in any order. */
enum { FIELD_DTYPE = 1, FIELD_SHAPE = 2, FIELD_OFFSETS = 4, ALL_FIELDS = 7 };

static int read_field(struct reader *reader, struct tensor *tensor, unsigned *seen,
                      size_t *number_bytes, uint64_t offsets[2], ernie_error *err)
{
    static const char *const names[] = { "dtype", "shape", "data_offsets" };
    const char *name;
    unsigned field = 0;
    int status = read_text(reader, &name, err);

    if (status != ERNIE_OK)
        return status;
    for (unsigned i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            field = 1u << i;
    if (field == 0 || (*seen & field) != 0 || !take(reader, ':'))
        return bad(reader->file, tensor->name, "not an object of dtype, shape and data_offsets",
                   err);
    *seen |= field;
    if (field == FIELD_SHAPE)
        return read_shape(reader, tensor, err);
    if (field == FIELD_DTYPE && (*number_bytes = read_type(reader, tensor)) == 0)
        return bad(reader->file, tensor->name, "dtype: unknown", err);
    if (field == FIELD_OFFSETS && read_counts(reader, 2, offsets) != 2)
        return bad(reader->file, tensor->name, "data_offsets: not two whole numbers", err);
    return ERNIE_OK;
}

/* The tensor's place is in the file and as long as its type and shape say. */
static int place_tensor(const struct safetensors *file, struct tensor *tensor, size_t number_bytes,
                        const uint64_t offsets[2], ernie_error *err)
{
    size_t n_bytes = number_bytes;

    for (size_t i = 0; i < tensor->n_dimensions; i++)
        if (__builtin_mul_overflow(n_bytes, tensor->shape[i], &n_bytes))
            return bad(file, tensor->name, "shape: too large", err);
    if (offsets[0] > offsets[1] || offsets[1] > file->data_size)
        return bad(file, tensor->name, "data_offsets: outside of the file", err);
    if (offsets[1] - offsets[0] != n_bytes)
        return bad(file, tensor->name, "data_offsets: not as long as dtype and shape say", err);
    tensor->start = offsets[0];
    tensor->size_bytes = n_bytes;
    return ERNIE_OK;
}

static int read_tensor(struct reader *reader, const char *name, ernie_error *err)
{
    struct safetensors *file = reader->file;
    struct tensor tensor = { .name = name, .file = file };
    uint64_t offsets[2] = { 0, 0 };
    size_t number_bytes = 0;
    unsigned seen = 0;
    int status = ERNIE_OK;

    if (!take(reader, '{'))
        return bad(file, name, "not an object of dtype, shape and data_offsets", err);
    do {
        skip_space(reader);
        if (seen == 0 && reader->at < reader->end && *reader->at == '}')
            break; /* an empty one, told below */
        status = read_field(reader, &tensor, &seen, &number_bytes, offsets, err);
    } while (status == ERNIE_OK && take(reader, ','));
    if (status != ERNIE_OK)
        return status;
    if (!take(reader, '}') || seen != ALL_FIELDS)
        return bad(file, name, "not an object of dtype, shape and data_offsets", err);
    if (file->n == MAX_TENSORS)
        return error_set(err, ERNIE_EFORMAT, "%s: header: more than %d tensors", file->path,
                         MAX_TENSORS);
    if (file->n == file->capacity) {
        const size_t capacity = file->capacity == 0 ? 64 : 2 * file->capacity;
        struct tensor *grown = memory_resize(file->tensor, capacity, sizeof *grown);

        if (grown == NULL)
            return error_set(err, ERNIE_ENOMEM, "%s: out of memory", file->path);
        file->tensor = grown;
        file->capacity = capacity;
    }
    status = place_tensor(file, &tensor, number_bytes, offsets, err);
    if (status == ERNIE_OK)
        file->tensor[file->n++] = tensor;
    return status;
}

/* Texts by name, which are not looked at. */
static int read_metadata(struct reader *reader, ernie_error *err)
{
    const char *key, *value;

    if (!take(reader, '{'))
        return bad(reader->file, "__metadata__", "not an object", err);
    if (take(reader, '}'))
        return ERNIE_OK;
    do {
        if (read_text(reader, &key, err) != ERNIE_OK)
            return ERNIE_EFORMAT;
        if (!take(reader, ':') || read_text(reader, &value, NULL) != ERNIE_OK)
            return bad(reader->file, "__metadata__", "not texts alone", err);
    } while (take(reader, ','));
    return take(reader, '}') ? ERNIE_OK
                             : bad(reader->file, "__metadata__", "an object without an end", err);
}

static int read_member(struct reader *reader, int *has_metadata, ernie_error *err)
{
    const char *name;
    int status = read_text(reader, &name, err);

    if (status != ERNIE_OK)
        return status;
    if (!take(reader, ':'))
        return bad_text(reader, "a colon was expected", err);
    if (strcmp(name, "__metadata__") != 0)
        return read_tensor(reader, name, err);
    if ((*has_metadata)++)
        return bad(reader->file, name, "there twice", err);
    return read_metadata(reader, err);
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

/* qsort takes no NULL, not even for nothing. */
static void sort(struct safetensors *file, int (*compare)(const void *, const void *))
{
    if (file->n > 0)
        qsort(file->tensor, file->n, sizeof *file->tensor, compare);
}

/* As they are found later, and each once. */
static int sort_by_name(struct safetensors *file, ernie_error *err)
{
    sort(file, compare_names);
    for (size_t i = 1; i < file->n; i++)
        if (compare_names(&file->tensor[i - 1], &file->tensor[i]) == 0)
            return bad(file, file->tensor[i].name, "there twice", err);
    return ERNIE_OK;
}

/* Tensors in the order of the data must follow each other to its very end. */
static int check_tiling(struct safetensors *file, ernie_error *err)
{
    uint64_t end = 0;

    sort(file, compare_starts);
    for (size_t i = 0; i < file->n; i++) {
        if (file->tensor[i].start != end)
            return bad(file, file->tensor[i].name, "data_offsets: a hole or an overlap", err);
        end += file->tensor[i].size_bytes;
    }
    if (end != file->data_size)
        return error_set(err, ERNIE_EFORMAT, "%s: bytes after the last tensor", file->path);
    for (size_t i = 0; i < file->n; i++)
        file->tensor[i].start += file->data_start;
    return sort_by_name(file, err);
}

static int parse_header(struct safetensors *file, size_t size, ernie_error *err)
{
    struct reader reader = { file, file->header, file->header + size, 1 };
    int status = ERNIE_OK, has_metadata = 0;

    if (size == 0 || file->header[0] != '{')
        return error_set(err, ERNIE_EFORMAT, "%s: header: does not begin with {", file->path);
    reader.at++;
    if (!take(&reader, '}')) {
        do
            status = read_member(&reader, &has_metadata, err);
        while (status == ERNIE_OK && take(&reader, ','));
        if (status == ERNIE_OK && !take(&reader, '}'))
            status = bad_text(&reader, "a comma or the header's end was expected", err);
    }
    skip_space(&reader);
    if (status == ERNIE_OK && reader.at != reader.end)
        status = bad_text(&reader, "something after the header's end", err);
    return status == ERNIE_OK ? check_tiling(file, err) : status;
}

static int read_header(struct safetensors *file, ernie_error *err)
{
    uint8_t length[8];
    struct stat st;
    uint64_t size = 0;
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
    file->header = memory_new((size_t)size, 1);
    if (file->header == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", file->path);
    status = read_at(file, 8, (size_t)size, file->header, err);
    return status == ERNIE_OK ? parse_header(file, (size_t)size, err) : status;
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

int safetensors_join(const char *path, size_t n, struct safetensors *const *files,
                     struct safetensors **out, ernie_error *err)
{
    struct safetensors *joined = memory_new(1, sizeof *joined);
    size_t n_tensors = 0;
    int status;

    for (size_t i = 0; i < n; i++)
        n_tensors += files[i]->n;
    if (joined != NULL) {
        joined->fd = -1;
        joined->path = memory_copy_text(path, strlen(path));
        joined->part = memory_new(n, sizeof *joined->part);
        joined->tensor = memory_new(n_tensors, sizeof *joined->tensor);
    }
    if (joined == NULL || joined->path == NULL || joined->part == NULL || joined->tensor == NULL) {
        for (size_t i = 0; i < n; i++)
            safetensors_close(files[i]);
        safetensors_close(joined);
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    }
    joined->n_parts = n;
    for (size_t i = 0; i < n; i++) {
        joined->part[i] = files[i];
        for (size_t j = 0; j < files[i]->n; j++)
            joined->tensor[joined->n++] = files[i]->tensor[j];
    }
    status = n_tensors > MAX_TENSORS ? error_set(err, ERNIE_EFORMAT, "%s: more than %d tensors",
                                                 path, MAX_TENSORS)
                                     : sort_by_name(joined, err);
    if (status != ERNIE_OK) {
        safetensors_close(joined);
        return status;
    }
    *out = joined;
    return ERNIE_OK;
}

uint64_t safetensors_size_bytes(const struct safetensors *file)
{
    uint64_t size = file->data_start + file->data_size;

    for (size_t i = 0; i < file->n_parts; i++)
        size += safetensors_size_bytes(file->part[i]);
    return size;
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
    return read_at(tensor->file, tensor->start + offset, size, out, err);
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
            out[i] = float_of_half(half);
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

/* bits without its n lowest, rounded to nearest, ties to even. */
static uint32_t shift_rounded(uint32_t bits, unsigned n)
{
    const uint32_t rest = bits & ((1u << n) - 1), half = 1u << (n - 1), kept = bits >> n;

    return kept + (rest > half || (rest == half && (kept & 1)));
}

/* Of the magnitude's bits, without the sign. Exponents are biased by 127 here and by 15
 * there; below 2^-14 a half counts in units of 2^-24. */
static uint16_t to_f16(uint32_t magnitude)
{
    const uint32_t exponent = magnitude >> 23;

    if (exponent >= 143) /* 2^16 */
        return 0x7c00;
    if (exponent >= 113)
        return (uint16_t)shift_rounded(magnitude - (112u << 23), 13);
    if (exponent < 102) /* less than half a unit */
        return 0;
    return (uint16_t)shift_rounded((magnitude & 0x7fffff) | 0x800000, 126 - exponent);
}

int tensor_narrow(enum tensor_type type, size_t n, const float *in, uint8_t *bytes)
{
    const uint16_t infinity = type == TENSOR_F16 ? 0x7c00 : 0x7f80;

    if (type == TENSOR_F32) {
        memcpy(bytes, in, n * sizeof *in);
        return 1;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        uint16_t half;

        memcpy(&bits, &in[i], sizeof bits);
        half = type == TENSOR_F16 ? to_f16(bits & 0x7fffffff)
                                  : (uint16_t)shift_rounded(bits & 0x7fffffff, 16);
        if (half >= infinity)
            return 0;
        half |= (uint16_t)(bits >> 16 & 0x8000);
        memcpy(bytes + 2 * i, &half, sizeof half);
    }
    return 1;
}
