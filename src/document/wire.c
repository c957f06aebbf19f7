#include "document/wire.h"

#include <limits.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "document/writer.h"

/* Marks and sections take no more than a few bytes for each of the text; lines of names and
 * words come on top. A member's bytes are the larger part otherwise. */
#define MAX_PAYLOAD_BYTES (4 * (size_t)WIRE_MAX_TEXT_BYTES)
#define MAX_HEAD_BYTES    (WIRE_MAX_NAME_BYTES + WIRE_MAX_LINE_BYTES + 16) /* without text */
#define MARK_BYTES        16
#define SECTION_BYTES     24

/* ---- writing ----------------------------------------------------------- */

static void put_u32(struct buffer *out, uint32_t value)
{
    const uint8_t bytes[4] = { (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                               (uint8_t)(value >> 24) };

    buffer_append(out, bytes, sizeof bytes);
}

static void put_u64(struct buffer *out, uint64_t value)
{
    put_u32(out, (uint32_t)value);
    put_u32(out, (uint32_t)(value >> 32));
}

static void put_bytes(struct buffer *out, const void *bytes, size_t size)
{
    put_u32(out, (uint32_t)size);
    buffer_append(out, bytes, size);
}

static void put_text(struct buffer *out, const char *text)
{
    put_bytes(out, text, strlen(text));
}

/* A header, a payload that begins with head and goes on with rest, which is not copied. */
static int send(int fd, enum wire_type type, const struct buffer *head, const void *rest,
                size_t rest_size, ernie_error *err)
{
    struct buffer header = { 0 };
    int status;

    if (head->failed)
        return error_set(err, ERNIE_ENOMEM, "pipe: out of memory");
    if (head->size > MAX_PAYLOAD_BYTES || rest_size > MAX_PAYLOAD_BYTES - head->size)
        return error_set(err, ERNIE_EFORMAT, "more than %u MiB of text",
                         WIRE_MAX_TEXT_BYTES >> 20);
    buffer_append_char(&header, (char)type);
    put_u32(&header, (uint32_t)(head->size + rest_size));
    status = header.failed ? error_set(err, ERNIE_ENOMEM, "pipe: out of memory")
                           : file_write_fd(fd, "pipe", header.data, header.size, err);
    if (status == ERNIE_OK)
        status = file_write_fd(fd, "pipe", head->data, head->size, err);
    if (status == ERNIE_OK)
        status = file_write_fd(fd, "pipe", rest, rest_size, err);
    buffer_reset(&header);
    return status;
}

int wire_write_text(int fd, const char *name, uint64_t size_bytes, const struct extract *extract,
                    ernie_error *err)
{
    struct buffer head = { 0 };
    size_t n_sections = extract->n_sections, n_marks = extract->n_marks;
    int status;

    if (extract->text.size > WIRE_MAX_TEXT_BYTES)
        return error_set(err, ERNIE_EFORMAT, "more than %u MiB of text",
                         WIRE_MAX_TEXT_BYTES >> 20);
    /* White space at the end is cut off, and with it what began there. */
    while (n_sections > 0 && extract->sections[n_sections - 1].offset > extract->text.size)
        n_sections--;
    while (n_marks > 0 && extract->marks[n_marks - 1].offset > extract->text.size)
        n_marks--;
    put_text(&head, name);
    put_u64(&head, size_bytes);
    put_u32(&head, extract->format);
    put_u64(&head, extract->n_replaced);
    put_text(&head, extract->encoding);
    put_bytes(&head, extract->title.data, extract->title.size);
    put_bytes(&head, extract->author.data, extract->author.size);
    put_text(&head, extract->language);
    put_text(&head, extract->date);
    put_bytes(&head, extract->headings.data, extract->headings.size);
    put_u32(&head, (uint32_t)n_sections);
    for (size_t i = 0; i < n_sections; i++) {
        put_u64(&head, extract->sections[i].offset);
        put_u64(&head, extract->sections[i].heading);
        put_u32(&head, extract->sections[i].page);
        put_u32(&head, extract->sections[i].level);
    }
    put_u32(&head, (uint32_t)extract->marks_are_sparse);
    put_u32(&head, (uint32_t)n_marks);
    for (size_t i = 0; i < n_marks; i++) {
        put_u64(&head, extract->marks[i].offset);
        put_u64(&head, extract->marks[i].line);
    }
    status = send(fd, WIRE_TEXT, &head, extract->text.data, extract->text.size, err);
    buffer_reset(&head);
    return status;
}

int wire_write_member(int fd, const char *name, enum document_format format, const uint8_t *bytes,
                      size_t size, ernie_error *err)
{
    struct buffer head = { 0 };
    int status;

    put_text(&head, name);
    put_u32(&head, format);
    status = send(fd, WIRE_MEMBER, &head, bytes, size, err);
    buffer_reset(&head);
    return status;
}

static int write_words(int fd, enum wire_type type, const char *name, const char *words,
                       ernie_error *err)
{
    const size_t size = strlen(words);
    struct buffer head = { 0 };
    int status;

    put_text(&head, name);
    status = send(fd, type, &head, words, size < WIRE_MAX_LINE_BYTES ? size : WIRE_MAX_LINE_BYTES,
                  err);
    buffer_reset(&head);
    return status;
}

int wire_write_failure(int fd, const char *name, const char *words, ernie_error *err)
{
    return write_words(fd, WIRE_FAILURE, name, words, err);
}

int wire_write_unread(int fd, const char *words, ernie_error *err)
{
    return write_words(fd, WIRE_UNREAD, "", words, err);
}

int wire_write_end(int fd, ernie_error *err)
{
    return write_words(fd, WIRE_END, "", "", err);
}

/* ---- reading ----------------------------------------------------------- */

/* What is left of a payload. After a number or a piece that it does not hold it is empty and
 * broken, and gives zeros. */
struct reader {
    const uint8_t *bytes;
    size_t size;
    int is_broken;
};

static const uint8_t *take(struct reader *reader, size_t size)
{
    const uint8_t *bytes = reader->bytes;

    if (size > reader->size) {
        reader->is_broken = 1;
        reader->size = 0;
        return NULL;
    }
    reader->bytes += size;
    reader->size -= size;
    return bytes;
}

static uint32_t take_u32(struct reader *reader)
{
    const uint8_t *b = take(reader, 4);

    return b == NULL ? 0
                     : (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
                           (uint32_t)b[3] << 24;
}

static uint64_t take_u64(struct reader *reader)
{
    const uint64_t low = take_u32(reader);

    return low | (uint64_t)take_u32(reader) << 32;
}

static const char *take_bytes(struct reader *reader, size_t *size)
{
    const char *bytes;

    *size = take_u32(reader);
    bytes = (const char *)take(reader, *size);
    if (bytes == NULL)
        *size = 0;
    return bytes;
}

static int is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

static int is_line(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (is_control(text[i]))
            return 0;
    return utf8_valid(text, size);
}

int wire_name_is_clean(const char *name, size_t size)
{
    size_t start = 0;

    if (size > WIRE_MAX_NAME_BYTES || !is_line(name, size))
        return 0;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && name[i] != '/')
            continue;
        if (i == start || (i - start == 1 && name[start] == '.') ||
            (i - start == 2 && name[start] == '.' && name[start + 1] == '.'))
            return 0;
        start = i + 1;
    }
    return 1;
}

/* A line of text into a buffer, if it is one. */
static void take_line(struct reader *reader, struct buffer *out)
{
    size_t size;
    const char *line = take_bytes(reader, &size);

    if (size > WIRE_MAX_LINE_BYTES || !is_line(line, size))
        reader->is_broken = 1;
    else
        buffer_append(out, line, size);
}

/* A short name of ASCII into an array. */
static void take_name(struct reader *reader, char *out, size_t capacity)
{
    size_t size;
    const char *name = take_bytes(reader, &size);

    if (size >= capacity)
        reader->is_broken = 1;
    for (size_t i = 0; i < size && !reader->is_broken; i++) {
        reader->is_broken = is_control(name[i]) || (name[i] & 0x80) != 0;
        out[i] = name[i];
    }
    out[reader->is_broken ? 0 : size] = '\0';
}

static enum document_format take_format(struct reader *reader)
{
    const uint32_t format = take_u32(reader);

    if (format <= DOCUMENT_UNKNOWN || format >= DOCUMENT_N_FORMATS)
        reader->is_broken = 1;
    return reader->is_broken ? DOCUMENT_UNKNOWN : (enum document_format)format;
}

/* Paths one after another, each with its 0 byte, the first one empty. */
static void take_headings(struct reader *reader, struct buffer *out)
{
    size_t size;
    const char *headings = take_bytes(reader, &size);

    if (size == 0)
        return;
    if (headings[0] != '\0' || headings[size - 1] != '\0')
        reader->is_broken = 1;
    for (size_t i = 0; i < size && !reader->is_broken; i += strlen(headings + i) + 1)
        reader->is_broken = !is_line(headings + i, strlen(headings + i));
    if (!reader->is_broken)
        buffer_append(out, headings, size);
}

/* Whether an array of n things of size bytes each, before they are made, is in the payload. */
static int holds(struct reader *reader, size_t n, size_t size)
{
    if (n > reader->size / size)
        reader->is_broken = 1;
    return !reader->is_broken;
}

static int take_sections(struct reader *reader, struct extract *out)
{
    const size_t n = take_u32(reader);

    if (!holds(reader, n, SECTION_BYTES) || n == 0)
        return ERNIE_OK;
    out->sections = memory_new(n, sizeof *out->sections);
    if (out->sections == NULL)
        return ERNIE_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct section *section = &out->sections[i];
        const uint64_t offset = take_u64(reader), heading = take_u64(reader);

        section->page = take_u32(reader);
        section->level = take_u32(reader);
        section->offset = (size_t)offset;
        section->heading = (size_t)heading;
        /* Without headings, 0 stands for the path that is not there. */
        if (offset > WIRE_MAX_TEXT_BYTES || section->level > WRITER_MAX_LEVEL ||
            (i > 0 && section->offset <= section[-1].offset) ||
            (heading != 0 && (heading >= out->headings.size ||
                              out->headings.data[heading - 1] != '\0')))
            reader->is_broken = 1;
    }
    out->n_sections = out->sections_capacity = n;
    return ERNIE_OK;
}

static int take_marks(struct reader *reader, struct extract *out)
{
    const uint32_t sparse = take_u32(reader);
    const size_t n = take_u32(reader);

    if (sparse > 1)
        reader->is_broken = 1;
    out->marks_are_sparse = (int)sparse;
    if (!holds(reader, n, MARK_BYTES) || n == 0)
        return ERNIE_OK;
    out->marks = memory_new(n, sizeof *out->marks);
    if (out->marks == NULL)
        return ERNIE_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const uint64_t offset = take_u64(reader), line = take_u64(reader);

        out->marks[i].offset = (size_t)offset;
        out->marks[i].line = (size_t)line;
        if (offset > WIRE_MAX_TEXT_BYTES || line == 0 || line > INT_MAX ||
            (i == 0 ? offset != 0 : out->marks[i].offset <= out->marks[i - 1].offset))
            reader->is_broken = 1;
    }
    out->n_marks = out->marks_capacity = n;
    return ERNIE_OK;
}

/* An offset is in the text, and at the start of a character. */
static int is_start(const struct buffer *text, size_t offset)
{
    return offset == text->size ||
           (offset < text->size && ((unsigned char)text->data[offset] & 0xc0) != 0x80);
}

static int fits(const struct extract *extract)
{
    for (size_t i = 0; i < extract->n_sections; i++)
        if (!is_start(&extract->text, extract->sections[i].offset))
            return 0;
    for (size_t i = 0; i < extract->n_marks; i++)
        if (!is_start(&extract->text, extract->marks[i].offset))
            return 0;
    return 1;
}

static int take_text(struct reader *reader, struct wire_message *out)
{
    struct extract *extract = &out->extract;
    uint64_t n_replaced;
    int status;

    out->size_bytes = take_u64(reader);
    extract->format = take_format(reader);
    n_replaced = take_u64(reader);
    take_name(reader, extract->encoding, sizeof extract->encoding);
    take_line(reader, &extract->title);
    take_line(reader, &extract->author);
    take_name(reader, extract->language, sizeof extract->language);
    take_name(reader, extract->date, sizeof extract->date);
    take_headings(reader, &extract->headings);
    status = take_sections(reader, extract);
    if (status == ERNIE_OK)
        status = take_marks(reader, extract);
    if (status != ERNIE_OK || reader->is_broken)
        return status;
    if (reader->size > WIRE_MAX_TEXT_BYTES || out->size_bytes > INT64_MAX ||
        memchr(reader->bytes, 0, reader->size) != NULL ||
        !utf8_valid((const char *)reader->bytes, reader->size)) {
        reader->is_broken = 1;
        return ERNIE_OK;
    }
    extract->n_replaced = (size_t)n_replaced;
    buffer_append(&extract->text, reader->bytes, reader->size);
    buffer_append(&extract->title, "", 0); /* so that an empty one is "" */
    buffer_append(&extract->author, "", 0);
    if (extract->text.failed || extract->title.failed || extract->author.failed ||
        extract->headings.failed)
        return ERNIE_ENOMEM;
    reader->is_broken = !fits(extract);
    return ERNIE_OK;
}

static int take_words(struct reader *reader, struct wire_message *out)
{
    struct buffer words = { 0 };

    /* Words of libraries may quote the file: what is no line is made one. */
    utf8_append_printable(&words, (const char *)reader->bytes,
                          reader->size < WIRE_MAX_LINE_BYTES ? reader->size : WIRE_MAX_LINE_BYTES);
    out->words = buffer_take(&words);
    return out->words != NULL ? ERNIE_OK : ERNIE_ENOMEM;
}

int wire_parse_header(const uint8_t header[WIRE_HEADER_BYTES], enum wire_type *type,
                      size_t *size, ernie_error *err)
{
    static const size_t max_bytes[] = { [WIRE_TEXT] = MAX_PAYLOAD_BYTES,
                                        [WIRE_MEMBER] = WIRE_MAX_MEMBER_BYTES + MAX_HEAD_BYTES,
                                        [WIRE_FAILURE] = MAX_HEAD_BYTES,
                                        [WIRE_UNREAD] = MAX_HEAD_BYTES,
                                        [WIRE_END] = MAX_HEAD_BYTES };
    struct reader reader = { header + 1, 4, 0 };

    *size = take_u32(&reader);
    if (header[0] < WIRE_TEXT || header[0] > WIRE_END || *size > max_bytes[header[0]])
        return error_set(err, ERNIE_EFORMAT, "helper program: said what it should not");
    *type = (enum wire_type)header[0];
    return ERNIE_OK;
}

int wire_parse(enum wire_type type, const uint8_t *payload, size_t size,
               struct wire_message *out, ernie_error *err)
{
    struct reader reader = { payload, size, 0 };
    size_t name_size;
    const char *name = take_bytes(&reader, &name_size);
    int status = ERNIE_OK;

    out->type = type;
    if (reader.is_broken || (name_size > 0 && !wire_name_is_clean(name, name_size)))
        goto broken;
    out->name = memory_copy_text(name_size > 0 ? name : "", name_size);
    if (out->name == NULL)
        return error_set(err, ERNIE_ENOMEM, "pipe: out of memory");
    switch (type) {
    case WIRE_TEXT:
        status = take_text(&reader, out);
        break;
    case WIRE_MEMBER:
        out->format = take_format(&reader);
        out->bytes = reader.bytes;
        out->n_bytes = out->size_bytes = reader.size;
        reader.is_broken |= name_size == 0 || reader.size > WIRE_MAX_MEMBER_BYTES;
        break;
    case WIRE_FAILURE:
    case WIRE_UNREAD:
        status = take_words(&reader, out);
        break;
    case WIRE_END:
        break;
    }
    if (status != ERNIE_OK)
        return error_set(err, status, "pipe: out of memory");
    if (!reader.is_broken)
        return ERNIE_OK;
broken:
    return error_set(err, ERNIE_EFORMAT, "helper program: said what it should not");
}

void wire_message_reset(struct wire_message *message)
{
    memory_free(message->name);
    memory_free(message->words);
    extract_reset(&message->extract);
    memset(message, 0, sizeof *message);
}
