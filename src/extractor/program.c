#include "extractor/program.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "document/wire.h"
#include "extractor/jail.h"

#define OUT 1

/* For what a parser makes of the file, which is mapped beside it. */
#define MEMORY_BYTES ((uint64_t)1 << 30)
#define PROCESSOR_S  30

/* Of a file all in all: members at most, those of them that cannot be read, bytes of them,
 * and how deep one may be in another. */
#define MAX_MEMBERS      4096
#define MAX_FAILURES     256
#define MAX_MEMBER_BYTES ((uint64_t)256 << 20)
#define MAX_DEPTH        4

struct run {
    const struct program *program;
    size_t n_members, n_failures;
    uint64_t n_member_bytes, n_text_bytes;
};

/* A container that is being read: the file itself (depth 0), or one in another. */
struct place {
    struct run *run;
    const char *name; /* of the container, below the file; "" for that */
    const char *file_name;
    unsigned depth;
};

/* ---- what goes out ----------------------------------------------------- */

/* Makes a title or a name one line of a decent length. */
static void make_line(struct buffer *line)
{
    struct buffer clean = { 0 };
    size_t n_kept = 0;

    utf8_append_clean(&clean, line->data != NULL ? line->data : "", line->size);
    for (size_t i = 0; i < clean.size; i++) {
        const int is_space = (unsigned char)clean.data[i] <= ' ' || clean.data[i] == 0x7f;

        if (!is_space)
            clean.data[n_kept++] = clean.data[i];
        else if (n_kept > 0 && clean.data[n_kept - 1] != ' ')
            clean.data[n_kept++] = ' ';
    }
    if (n_kept > WIRE_MAX_LINE_BYTES)
        n_kept = utf8_floor(clean.data, WIRE_MAX_LINE_BYTES);
    while (n_kept > 0 && clean.data[n_kept - 1] == ' ')
        n_kept--;
    clean.size = n_kept;
    buffer_reset(line);
    *line = clean;
}

static int send_text(struct run *run, const char *name, size_t size, struct extract *extract,
                     ernie_error *err)
{
    run->n_text_bytes += extract->text.size;
    if (run->n_text_bytes > WIRE_MAX_TEXT_BYTES)
        return error_set(err, ERNIE_EFORMAT, "more than %u MiB of text",
                         WIRE_MAX_TEXT_BYTES >> 20);
    make_line(&extract->title);
    make_line(&extract->author);
    return wire_write_text(OUT, name, size, extract, err);
}

/* ---- one document ------------------------------------------------------ */

static int take_member(void *data, const char *name, const uint8_t *bytes, size_t size,
                       ernie_error *err);

static int is_plain(enum document_format format)
{
    return format != DOCUMENT_UNKNOWN && !document_format_is_complex(format);
}

/* Fills extract, which the caller releases; members are sent meanwhile. */
static int read_document(struct place *place, enum document_format format, const uint8_t *bytes,
                         size_t size, struct extract *extract_, ernie_error *err)
{
    const struct program *program = place->run->program;
    struct writer writer = { .out = extract_, .line = 1 };
    int status;

    if (is_plain(format))
        return extract(place->file_name, bytes, size, extract_, err);
    extract_->format = format;
    if (program->containers[format] != NULL)
        status = program->containers[format](&writer, place->file_name, bytes, size, take_member,
                                             place, err);
    else
        status = program->formats[format](&writer, bytes, size, err);
    writer_finish(&writer);
    if (status == ERNIE_OK && (extract_->text.failed || extract_->title.failed ||
                               extract_->author.failed || extract_->headings.failed))
        status = error_set(err, ERNIE_ENOMEM, "takes more than %d MiB of memory",
                           (int)(MEMORY_BYTES >> 20));
    return status;
}

/* Whether this program reads it, as far as the format tells. */
static int is_ours(const struct program *program, enum document_format format)
{
    return is_plain(format) || program->formats[format] != NULL ||
           program->containers[format] != NULL;
}

static int send_failure(struct place *place, const char *why, ernie_error *err)
{
    place->run->n_failures++;
    return wire_write_failure(OUT, place->name, why, err);
}

/* What the file or a member holds, sent. What is wrong with it is sent too, and is no
 * error. */
static int send_document(struct place *place, enum document_format format, const uint8_t *bytes,
                         size_t size, ernie_error *err)
{
    struct extract extract = { 0 };
    ernie_error why;
    int status = read_document(place, format, bytes, size, &extract, &why);

    if (status == ERNIE_OK)
        status = send_text(place->run, place->name, size, &extract, &why);
    extract_reset(&extract);
    if (status == ERNIE_OK)
        return ERNIE_OK;
    return send_failure(place, why.message, err);
}

/* ---- members ----------------------------------------------------------- */

/* The member's name below the file, in parts that a path may have. 0: it has no name. */
static int append_name(struct buffer *out, const char *container, const char *name)
{
    struct buffer clean = { 0 };
    size_t start = 0, size;

    utf8_append_clean(&clean, name, strlen(name));
    buffer_append_text(out, container);
    size = out->size;
    for (size_t i = 0; i <= clean.size && clean.data != NULL; i++) {
        const char *part = clean.data + start;
        const size_t n = i - start;

        if (i < clean.size && clean.data[i] != '/' && clean.data[i] != '\\') {
            if ((unsigned char)clean.data[i] < ' ' || clean.data[i] == 0x7f)
                clean.data[i] = '_';
            continue;
        }
        start = i + 1;
        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
            continue;
        if (out->size > 0)
            buffer_append_char(out, '/');
        buffer_append(out, part, n);
    }
    buffer_reset(&clean);
    return out->size > size && out->size <= WIRE_MAX_NAME_BYTES;
}

/* Past one of these limits there is no end in sight. The container's own failure says so. */
static int count_member(struct run *run, size_t size, ernie_error *err)
{
    if (++run->n_members > MAX_MEMBERS)
        return error_set(err, ERNIE_EFORMAT, "has more than %d members", MAX_MEMBERS);
    if (run->n_failures > MAX_FAILURES)
        return error_set(err, ERNIE_EFORMAT, "has more than %d members that cannot be read",
                         MAX_FAILURES);
    run->n_member_bytes += size;
    if (run->n_member_bytes > MAX_MEMBER_BYTES)
        return error_set(err, ERNIE_EFORMAT, "holds more than %d MiB",
                         (int)(MAX_MEMBER_BYTES >> 20));
    return ERNIE_OK;
}

static int take_member(void *data, const char *name, const uint8_t *bytes, size_t size,
                       ernie_error *err)
{
    struct place *outer = data;
    struct run *run = outer->run;
    const enum document_format format = document_format(name, bytes, size);
    struct buffer path = { 0 };
    struct place place = { .run = run, .file_name = name, .depth = outer->depth + 1 };
    int status = count_member(run, size, err);

    if (status != ERNIE_OK || format == DOCUMENT_UNKNOWN || format == DOCUMENT_IMAGE ||
        !append_name(&path, outer->name, name))
        goto done;
    place.name = path.data;
    if (path.failed)
        status = error_set(err, ERNIE_ENOMEM, "pipe: out of memory");
    else if (!is_ours(run->program, format))
        status = wire_write_member(OUT, place.name, format, bytes, size, err);
    else if (document_format_is_container(format) && place.depth >= MAX_DEPTH)
        status = send_failure(&place, "an archive in an archive too deep", err);
    else
        status = send_document(&place, format, bytes, size, err);
done:
    buffer_reset(&path);
    return status;
}

/* ---- the whole --------------------------------------------------------- */

static int read_file(const struct program *program, enum document_format format,
                     const uint8_t *bytes, size_t size, ernie_error *err)
{
    const char *name = getenv("ERNIE_EXTRACT_NAME");
    struct run run = { .program = program };
    struct place place = { .run = &run, .name = "", .file_name = name != NULL ? name : "" };

    /* The name of a format is a claim; whoever made the file wrote its first bytes too, but
     * those decide which parser takes it. */
    if (document_format(place.file_name, bytes, size) != format)
        return wire_write_failure(OUT, "", "changed while it was read", err);
    return send_document(&place, format, bytes, size, err);
}

static int say_unread(const char *why)
{
    ernie_error err;

    return wire_write_unread(OUT, why, &err) == ERNIE_OK ? 0 : 2;
}

int program_run(const struct program *program, int argc, char **argv)
{
    const int must_be_jailed = argc < 3 || strcmp(argv[1], "--no-jail") != 0;
    const enum document_format format =
        argc > 1 ? document_format_of_name(argv[argc - 1]) : DOCUMENT_UNKNOWN;
    struct jail jail = { .readable = program->readable,
                         .n_readable = program->n_readable,
                         .processor_s = PROCESSOR_S };
    void *bytes = NULL;
    struct stat st;
    ernie_error err;

    if (argc < 2 || argc > 3 || format == DOCUMENT_UNKNOWN) {
        fprintf(stderr, "%s: started by ernie, to read one file\n", argv[0]);
        return 2;
    }
    if (!is_ours(program, format))
        return say_unread("nothing in this version reads this format");
    if (fstat(0, &st) != 0 || !S_ISREG(st.st_mode))
        return 2;
    setlocale(LC_CTYPE, "C.UTF-8");
    if (program->prepare != NULL)
        program->prepare();
    jail.memory_bytes = MEMORY_BYTES + (uint64_t)st.st_size;
    /* As much as this system has of it, also where that is not enough for most. */
    if (jail_enter(&jail, &err) != ERNIE_OK && must_be_jailed)
        return say_unread(err.message);
    if (st.st_size > 0) {
        /* A file that is cut short while it is read ends this process, and no other. */
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, 0, 0);
        if (bytes == MAP_FAILED)
            return wire_write_failure(OUT, "", strerror(errno), &err) == ERNIE_OK ? 0 : 2;
    }
    if (read_file(program, format, bytes, (size_t)st.st_size, &err) != ERNIE_OK ||
        wire_write_end(OUT, &err) != ERNIE_OK)
        return 2;
    return 0;
}
