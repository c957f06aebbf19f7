#include "extractor/package.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

/* ---- names ------------------------------------------------------------- */

int package_name_ends(const char *name, const char *end)
{
    const size_t n = strlen(name), n_end = strlen(end);

    return n >= n_end && strcasecmp(name + n - n_end, end) == 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character of a reference, "%E7" read as what it stands for. */
static char next_character(const char **at)
{
    const char *text = *at;

    if (text[0] == '%' && hex_value(text[1]) >= 0 && hex_value(text[2]) >= 0) {
        *at += 3;
        return (char)(hex_value(text[1]) << 4 | hex_value(text[2]));
    }
    *at += 1;
    return text[0] == '\\' ? '/' : text[0];
}

/* Ends name at the folder it is in; -1 when it is in none. */
static int leave_folder(const char *name, size_t *size)
{
    if (*size == 0)
        return -1;
    --*size; /* the slash that ends the folder's own name */
    while (*size > 0 && name[*size - 1] != '/')
        --*size;
    return 0;
}

void package_resolve(const char *from, const char *reference, char *name, size_t capacity)
{
    const char *slash = strrchr(from, '/');
    size_t size = 0, start;
    char c = '\0';

    name[0] = '\0';
    if (*reference == '/')
        reference++;
    else if (slash != NULL)
        size = (size_t)(slash - from) + 1;
    if (size >= capacity)
        return;
    memcpy(name, from, size);
    while (*reference != '\0' && *reference != '#') {
        start = size;
        while (*reference != '\0' && *reference != '#' &&
               (c = next_character(&reference)) != '/' && c != '\0' && size + 2 < capacity)
            name[size++] = c;
        if (c == '\0' || size + 2 >= capacity) {
            name[0] = '\0';
            return;
        }
        if (size == start || (size - start == 1 && name[start] == '.')) {
            size = start;
        } else if (size - start == 2 && name[start] == '.' && name[start + 1] == '.') {
            size = start;
            if (leave_folder(name, &size) != 0) {
                name[0] = '\0';
                return;
            }
        } else if (c == '/') {
            name[size++] = '/';
        }
    }
    name[size] = '\0';
}

/* Names as the packages' standards have them, whatever made the zip file. */
static char *clean_name(const char *name)
{
    char *copy;

    while (*name == '/' || *name == '\\')
        name++;
    copy = memory_copy_text(name, strlen(name));
    for (size_t i = 0; copy != NULL && copy[i] != '\0'; i++)
        if (copy[i] == '\\')
            copy[i] = '/';
    return copy;
}

/* ---- reading ----------------------------------------------------------- */

struct reading {
    struct archive *archive;
    struct package *package;
    size_t capacity; /* of package->parts */
    size_t file_size;
    size_t n_produced; /* bytes that have come out so far */
    ernie_error *err;
};

static int fail_memory(struct reading *reading)
{
    return error_set(reading->err, ERNIE_ENOMEM, "package: out of memory");
}

static int fail_archive(struct reading *reading, const char *what)
{
    const char *why = archive_error_string(reading->archive);

    if (archive_errno(reading->archive) == ENOMEM)
        return fail_memory(reading);
    return error_set(reading->err, ERNIE_EFORMAT, "%s: %s", what,
                     why != NULL ? why : "not a zip file");
}

/* Bytes that came out, of max_bytes at most for the document. */
static int count_bytes(struct reading *reading, const char *name, size_t size, size_t max_bytes)
{
    reading->n_produced += size;
    if (reading->n_produced > max_bytes)
        return error_set(reading->err, ERNIE_EFORMAT, "%s: the document grows past %zu MiB", name,
                         max_bytes >> 20);
    if (reading->n_produced > PACKAGE_FREE_BYTES &&
        reading->n_produced / PACKAGE_MAX_RATIO > reading->file_size)
        return error_set(reading->err, ERNIE_EFORMAT,
                         "%s: the document grows to more than %d times the file", name,
                         PACKAGE_MAX_RATIO);
    return ERNIE_OK;
}

static int add_bytes(struct reading *reading, struct part *part, const void *data, size_t size)
{
    int status;

    if (size > PACKAGE_MAX_PART_BYTES || part->bytes.size > PACKAGE_MAX_PART_BYTES - size)
        return error_set(reading->err, ERNIE_EFORMAT, "%s: grows past %u MiB", part->name,
                         PACKAGE_MAX_PART_BYTES >> 20);
    status = count_bytes(reading, part->name, size, PACKAGE_MAX_BYTES);
    if (status != ERNIE_OK)
        return status;
    buffer_append(&part->bytes, data, size);
    return part->bytes.failed ? fail_memory(reading) : ERNIE_OK;
}

static int read_part(struct reading *reading, struct part *part)
{
    struct archive *archive = reading->archive;
    const void *data;
    size_t size;
    la_int64_t offset;
    int result, status = ERNIE_OK;

    part->start = (size_t)archive_filter_bytes(archive, -1);
    while (status == ERNIE_OK &&
           (result = archive_read_data_block(archive, &data, &size, &offset)) != ARCHIVE_EOF) {
        if (result < ARCHIVE_WARN)
            return fail_archive(reading, part->name);
        status = add_bytes(reading, part, data, size);
    }
    part->end = (size_t)archive_filter_bytes(archive, -1);
    buffer_append(&part->bytes, "", 0); /* so that an empty one is "" */
    return part->bytes.failed ? fail_memory(reading) : status;
}

static int add_part(struct reading *reading, const char *name)
{
    struct package *package = reading->package;
    struct part *part;

    if (package->n_parts == reading->capacity) {
        size_t capacity = reading->capacity < 16 ? 16 : reading->capacity * 2;
        struct part *grown = memory_resize(package->parts, capacity, sizeof *grown);

        if (grown == NULL)
            return fail_memory(reading);
        package->parts = grown;
        reading->capacity = capacity;
    }
    part = &package->parts[package->n_parts];
    memset(part, 0, sizeof *part);
    part->name = clean_name(name);
    if (part->name == NULL)
        return fail_memory(reading);
    package->n_parts++;
    return read_part(reading, part);
}

static int read_parts(struct reading *reading, int (*wanted)(const char *name))
{
    struct archive_entry *entry;
    const char *name;
    int result, status = ERNIE_OK;

    for (size_t n = 0; status == ERNIE_OK; n++) {
        result = archive_read_next_header(reading->archive, &entry);
        if (result == ARCHIVE_EOF)
            break;
        /* A name that the locale cannot write is only a warning. */
        if (result < ARCHIVE_WARN)
            return fail_archive(reading, "package");
        if (n >= PACKAGE_MAX_ENTRIES)
            return error_set(reading->err, ERNIE_EFORMAT, "package: more than %d entries",
                             PACKAGE_MAX_ENTRIES);
        name = archive_entry_pathname(entry);
        if (name == NULL || archive_entry_filetype(entry) != AE_IFREG || !wanted(name))
            continue;
        if (archive_entry_is_encrypted(entry))
            return error_set(reading->err, ERNIE_EFORMAT, "%s: encrypted", name);
        status = add_part(reading, name);
    }
    return status;
}

/* libarchive writes names in the locale's charset and has none for Chinese in "C". */
static locale_t use_utf8(locale_t *made)
{
    *made = (locale_t)0;
    if (strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
        return (locale_t)0;
    *made = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return *made != (locale_t)0 ? uselocale(*made) : (locale_t)0;
}

static int by_start(const void *a, const void *b)
{
    const struct part *x = a, *y = b;

    return (x->start > y->start) - (x->start < y->start);
}

static int by_name(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    const int order = strcasecmp(x->name, y->name);

    return order != 0 ? order : by_start(a, b);
}

/* Bombs without a large file in them let many entries share the same compressed bytes. */
static int refuse_overlaps(struct reading *reading)
{
    struct part *parts = reading->package->parts;
    const size_t n_parts = reading->package->n_parts;

    if (n_parts < 2)
        return ERNIE_OK;
    qsort(parts, n_parts, sizeof *parts, by_start);
    for (size_t i = 1; i < n_parts; i++)
        if (parts[i].start < parts[i - 1].end)
            return error_set(reading->err, ERNIE_EFORMAT, "%s: lies over %s", parts[i].name,
                             parts[i - 1].name);
    qsort(parts, n_parts, sizeof *parts, by_name);
    return ERNIE_OK;
}

static void use_again(locale_t before, locale_t made)
{
    if (made != (locale_t)0) {
        uselocale(before);
        freelocale(made);
    }
}

/* By its directory, never by what lies in front of it: a zip file that has none is cut off. */
static int open_archive(struct reading *reading, const uint8_t *bytes)
{
    reading->archive = archive_read_new();
    if (reading->archive == NULL ||
        archive_read_support_format_zip_seekable(reading->archive) != ARCHIVE_OK)
        return fail_memory(reading);
    if (archive_read_open_memory(reading->archive, bytes, reading->file_size) != ARCHIVE_OK)
        return fail_archive(reading, "package");
    return ERNIE_OK;
}

int package_open(struct package *package, const uint8_t *bytes, size_t size,
                 int (*wanted)(const char *name), ernie_error *err)
{
    struct reading reading = { .package = package, .file_size = size, .err = err };
    locale_t made, before = use_utf8(&made);
    int status = open_archive(&reading, bytes);

    if (status == ERNIE_OK)
        status = read_parts(&reading, wanted);
    if (status == ERNIE_OK)
        status = refuse_overlaps(&reading);
    archive_read_free(reading.archive);
    use_again(before, made);
    return status;
}

void package_reset(struct package *package)
{
    for (size_t i = 0; i < package->n_parts; i++) {
        memory_free(package->parts[i].name);
        buffer_reset(&package->parts[i].bytes);
    }
    memory_free(package->parts);
    memset(package, 0, sizeof *package);
}

const struct part *package_part(const struct package *package, const char *name)
{
    size_t low = 0, high = package->n_parts;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcasecmp(package->parts[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < package->n_parts && strcasecmp(package->parts[low].name, name) == 0)
        return &package->parts[low];
    return NULL;
}

/* ---- a part in pieces -------------------------------------------------- */

struct package_stream {
    struct reading reading;
    const char *name; /* the caller's */
};

/* Moves to the entry of the stream's name. */
static int find_entry(struct package_stream *stream)
{
    struct archive *archive = stream->reading.archive;
    struct archive_entry *entry;
    const char *name;

    for (size_t n = 0; n < PACKAGE_MAX_ENTRIES; n++) {
        const int result = archive_read_next_header(archive, &entry);

        if (result == ARCHIVE_EOF)
            break;
        if (result < ARCHIVE_WARN)
            return fail_archive(&stream->reading, "package");
        name = archive_entry_pathname(entry);
        if (name == NULL || archive_entry_filetype(entry) != AE_IFREG ||
            strcasecmp(name, stream->name) != 0)
            continue;
        if (archive_entry_is_encrypted(entry))
            return error_set(stream->reading.err, ERNIE_EFORMAT, "%s: encrypted", stream->name);
        return ERNIE_OK;
    }
    return error_set(stream->reading.err, ERNIE_EFORMAT, "%s: missing", stream->name);
}

int package_stream_open(const uint8_t *bytes, size_t size, const char *name,
                        struct package_stream **out, ernie_error *err)
{
    struct package_stream *stream = memory_new(1, sizeof *stream);
    locale_t made, before;
    int status;

    if (stream == NULL)
        return error_set(err, ERNIE_ENOMEM, "package: out of memory");
    stream->reading = (struct reading){ .file_size = size, .err = err };
    stream->name = name;
    before = use_utf8(&made);
    status = open_archive(&stream->reading, bytes);
    if (status == ERNIE_OK)
        status = find_entry(stream);
    use_again(before, made);
    if (status != ERNIE_OK) {
        package_stream_close(stream);
        return status;
    }
    *out = stream;
    return ERNIE_OK;
}

int package_stream_read(void *data, char *out, size_t capacity, size_t *n, ernie_error *err)
{
    struct package_stream *stream = data;
    la_ssize_t size;

    stream->reading.err = err;
    size = archive_read_data(stream->reading.archive, out, capacity);
    if (size < 0)
        return fail_archive(&stream->reading, stream->name);
    *n = (size_t)size;
    return count_bytes(&stream->reading, stream->name, *n, PACKAGE_MAX_STREAM_BYTES);
}

void package_stream_close(struct package_stream *stream)
{
    if (stream == NULL)
        return;
    archive_read_free(stream->reading.archive);
    memory_free(stream);
}
