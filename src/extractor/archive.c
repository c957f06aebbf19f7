/* Archives by libarchive, out of memory into memory: no member is put on disk, whatever it
 * is called. What a header says of a size is not believed; what comes out is counted. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "document/charset.h"
#include "document/wire.h"
#include "extractor/formats.h"

/* Of one archive. A text that packs better than this is a bomb, or not worth reading: the
 * best that deflate can do is 1,032. */
#define MAX_ENTRIES       4096
#define MAX_PRODUCED      ((uint64_t)256 << 20)
#define MAX_RATIO         200
#define RATIO_FREE_BYTES  (1u << 20)

struct archive_reader {
    struct archive *archive;
    const char *name; /* of the archive's file */
    size_t size;      /* of the archive, packed */
    uint64_t n_produced;
    size_t n_entries, n_encrypted, n_broken;
    ernie_error first; /* what was wrong with the first one that is broken */
    struct buffer bytes;         /* of the member at hand */
    struct buffer member_name;
    struct buffer foreign_names; /* those so far that are not UTF-8: their charset is told from all */
};

static int is_past_limits(const struct archive_reader *reader)
{
    return reader->n_produced > MAX_PRODUCED ||
           (reader->n_produced > RATIO_FREE_BYTES &&
            reader->n_produced / MAX_RATIO > reader->size);
}

static int fail(struct archive_reader *reader, ernie_error *err)
{
    const char *words = archive_error_string(reader->archive);

    if (archive_errno(reader->archive) == ENOMEM)
        return error_set(err, ERNIE_ENOMEM, "unpacking takes too much memory");
    return error_set(err, ERNIE_EFORMAT, "broken archive%s%s", words != NULL ? ": " : "",
                     words != NULL ? words : "");
}

/* ---- names ------------------------------------------------------------- */

/* What a compressed file without a name has within: "a.txt" for "a.txt.gz". */
static void name_single(struct archive_reader *reader)
{
    const char *slash = strrchr(reader->name, '/');
    const char *base = slash != NULL ? slash + 1 : reader->name, *dot = strrchr(base, '.');

    buffer_append(&reader->member_name, base,
                  dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base));
}

/* The name as UTF-8. Zip files of Chinese systems have it in GBK and do not say so; a name
 * alone is too short to tell, so all are looked at that came until then. */
static int set_name(struct archive_reader *reader, struct archive_entry *entry, ernie_error *err)
{
    const char *name = archive_entry_pathname(entry);
    struct charset charset;
    size_t n_replaced;
    int status;

    buffer_clear(&reader->member_name);
    if (name == NULL || archive_format(reader->archive) == ARCHIVE_FORMAT_RAW) {
        name_single(reader);
        return ERNIE_OK;
    }
    if (utf8_valid(name, strlen(name))) {
        buffer_append_text(&reader->member_name, name);
        return ERNIE_OK;
    }
    buffer_append_text(&reader->foreign_names, name);
    buffer_append_char(&reader->foreign_names, '\n');
    if (reader->foreign_names.failed)
        return error_set(err, ERNIE_ENOMEM, "unpacking takes too much memory");
    status = charset_detect((const uint8_t *)reader->foreign_names.data,
                            reader->foreign_names.size, NULL, 0, &charset, err);
    if (status == ERNIE_OK)
        status = charset_decode(&charset, (const uint8_t *)name, strlen(name),
                                &reader->member_name, &n_replaced, err);
    return status;
}

/* ---- members ----------------------------------------------------------- */

/* The member's bytes. *is_whole is 0 for one that is broken, the others being good still, or
 * larger than any document. */
static int read_member(struct archive_reader *reader, int *is_whole, ernie_error *err)
{
    const size_t step = 65536;

    buffer_clear(&reader->bytes);
    *is_whole = 0;
    while (reader->bytes.size <= WIRE_MAX_MEMBER_BYTES) {
        char *end = buffer_reserve(&reader->bytes, step);
        la_ssize_t n;

        if (end == NULL)
            return error_set(err, ERNIE_ENOMEM, "unpacking takes too much memory");
        n = archive_read_data(reader->archive, end, step);
        if (n < 0 && n != ARCHIVE_FATAL) {
            if (reader->n_broken++ == 0)
                fail(reader, &reader->first);
            return ERNIE_OK;
        }
        if (n < 0)
            return fail(reader, err);
        if (n == 0) {
            *is_whole = 1;
            return ERNIE_OK;
        }
        reader->bytes.size += (size_t)n;
        reader->n_produced += (size_t)n;
        if (is_past_limits(reader))
            return error_set(err, ERNIE_EFORMAT, "an archive that unpacks without end");
    }
    return ERNIE_OK;
}

/* Whether a member is worth unpacking. Links lead nowhere in here. */
static int is_promising(const struct archive_reader *reader, struct archive_entry *entry)
{
    return archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == NULL &&
           document_name_is_promising(reader->member_name.data);
}

/* What is of no known format is taken for a single file, which is right for one that was
 * packed. */
static int is_unpacked(struct archive *archive)
{
    return archive_format(archive) == ARCHIVE_FORMAT_RAW &&
           archive_filter_code(archive, 0) == ARCHIVE_FILTER_NONE;
}

static int read_members(struct archive_reader *reader, member_fn fn, void *data,
                        ernie_error *err)
{
    int status = ERNIE_OK, is_whole;

    while (status == ERNIE_OK) {
        struct archive_entry *entry;
        int result = archive_read_next_header(reader->archive, &entry);

        if (result == ARCHIVE_EOF)
            break;
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
            return fail(reader, err);
        if (is_unpacked(reader->archive))
            return error_set(err, ERNIE_EFORMAT, "not an archive");
        if (++reader->n_entries > MAX_ENTRIES)
            return error_set(err, ERNIE_EFORMAT, "has more than %d members", MAX_ENTRIES);
        status = set_name(reader, entry, err);
        if (status == ERNIE_OK && reader->member_name.failed)
            status = error_set(err, ERNIE_ENOMEM, "unpacking takes too much memory");
        if (status != ERNIE_OK || reader->member_name.size == 0)
            continue;
        if (archive_entry_is_data_encrypted(entry)) {
            reader->n_encrypted++;
            continue;
        }
        if (!is_promising(reader, entry))
            continue;
        status = read_member(reader, &is_whole, err);
        if (status == ERNIE_OK && is_whole)
            status = fn(data, reader->member_name.data, (const uint8_t *)reader->bytes.data,
                        reader->bytes.size, err);
    }
    if (status == ERNIE_OK && reader->n_encrypted > 0)
        status = error_set(err, ERNIE_EFORMAT, "encrypted: %zu of %zu members",
                           reader->n_encrypted, reader->n_entries);
    if (status == ERNIE_OK && reader->n_broken > 0)
        status = error_set(err, ERNIE_EFORMAT, "%s (%zu of %zu members)", reader->first.message,
                           reader->n_broken, reader->n_entries);
    return status;
}

int archive_extract(const char *name, const uint8_t *bytes, size_t size, member_fn fn,
                    void *data, ernie_error *err)
{
    struct archive_reader reader = { .name = name, .size = size };
    int status, result;

    reader.archive = archive_read_new();
    if (reader.archive == NULL)
        return error_set(err, ERNIE_ENOMEM, "unpacking takes too much memory");
    archive_read_support_filter_gzip(reader.archive);
    archive_read_support_filter_bzip2(reader.archive);
    archive_read_support_filter_xz(reader.archive);
    archive_read_support_filter_zstd(reader.archive);
    archive_read_support_format_zip(reader.archive);
    archive_read_support_format_tar(reader.archive);
    archive_read_support_format_7zip(reader.archive);
    archive_read_support_format_raw(reader.archive); /* a single file, when it is no other */
    result = archive_read_open_memory(reader.archive, bytes, size);
    status = result == ARCHIVE_OK ? read_members(&reader, fn, data, err) : fail(&reader, err);
    archive_read_free(reader.archive);
    buffer_reset(&reader.bytes);
    buffer_reset(&reader.member_name);
    buffer_reset(&reader.foreign_names);
    return status;
}
