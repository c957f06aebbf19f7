/* Mail (RFC 5322, MIME) and folders of it in one file (mbox, RFC 4155). The text of a message is
 * its subject, whom it is from and to, and its body: of alternatives the plain one, unless there
 * is nothing in it. What is attached goes to the callback. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "document/extract_html.h"
#include "extractor/formats.h"
#include "extractor/mime.h"
#include "extractor/properties.h"

#define MAX_NAME_BYTES  120   /* of a subject in a member's name */
#define MAX_NAMES_BYTES 65536 /* of names that are kept apart from each other */

struct mail {
    struct writer *writer;
    member_fn fn; /* may be NULL */
    void *data;
    unsigned n_attached;
    struct buffer names; /* of what has been attached so far, each with its 0 byte */
    ernie_error *err;
};

/* ---- headers ----------------------------------------------------------- */

static int write_line(struct mail *mail, const char *label, const char *text)
{
    struct buffer line = { 0 };

    if (text == NULL)
        return ERNIE_OK;
    properties_set_line(&line, text, strlen(text));
    if (line.failed)
        return error_set(mail->err, ERNIE_ENOMEM, "mail: out of memory");
    if (line.size > 0) {
        writer_break(mail->writer, 1);
        writer_words(mail->writer, label, strlen(label));
        writer_words(mail->writer, line.data, line.size);
    }
    buffer_reset(&line);
    return ERNIE_OK;
}

static int write_addresses(struct mail *mail, const char *label, InternetAddressList *list)
{
    char *text;
    int status;

    if (list == NULL || internet_address_list_length(list) == 0)
        return ERNIE_OK;
    text = internet_address_list_to_string(list, NULL, FALSE);
    status = write_line(mail, label, text);
    g_free(text);
    return status;
}

static int write_headers(struct mail *mail, GMimeMessage *message)
{
    struct writer *writer = mail->writer;
    const struct buffer *title = &writer->out->title;
    int status;

    if (title->size > 0) {
        writer_heading_begin(writer, 1);
        writer_words(writer, title->data, title->size);
        writer_heading_end(writer);
    }
    status = write_addresses(mail, "From: ", g_mime_message_get_from(message));
    if (status == ERNIE_OK)
        status = write_addresses(mail, "To: ", g_mime_message_get_to(message));
    if (status == ERNIE_OK)
        status = write_addresses(mail, "Cc: ", g_mime_message_get_cc(message));
    writer_break(writer, 2);
    return status;
}

/* ---- body -------------------------------------------------------------- */

static int is_blank(const struct buffer *text)
{
    for (size_t i = 0; i < text->size; i++)
        if ((unsigned char)text->data[i] > ' ')
            return 0;
    return 1;
}

/* Takes back the line breaks that a mail program has put in (RFC 3676): after a space that ends
 * a line, except for the line that begins a signature. */
static void unfold(struct buffer *text, int drops_space)
{
    size_t to = 0, line = 0; /* where the text, and its last line, goes */

    for (size_t i = 0; i < text->size; i++) {
        const char c = text->data[i];

        if (c == '\n' && to > line && text->data[to - 1] == ' ' && text->data[line] != '>' &&
            i + 1 < text->size && text->data[i + 1] != '>' &&
            !(to - line == 3 && memcmp(text->data + line, "-- ", 3) == 0)) {
            to -= drops_space != 0;
            continue;
        }
        text->data[to++] = c;
        if (c == '\n')
            line = to;
    }
    text->size = to;
}

static int has_parameter(GMimePart *part, const char *name, const char *value)
{
    const char *found = g_mime_object_get_content_type_parameter(GMIME_OBJECT(part), name);

    return found != NULL && strcasecmp(found, value) == 0;
}

static int write_body(struct mail *mail, GMimePart *part)
{
    struct writer *writer = mail->writer;
    struct buffer text = { 0 };
    int status = mime_text(part, writer->out, &text, mail->err);

    if (status != ERNIE_OK)
        goto done;
    writer_break(writer, 2);
    if (mime_is(GMIME_OBJECT(part), "text", "html")) {
        html_write(writer, text.data, text.size);
    } else if (!is_blank(&text)) {
        if (has_parameter(part, "format", "flowed"))
            unfold(&text, has_parameter(part, "delsp", "yes"));
        while (text.size > 0 && (unsigned char)text.data[text.size - 1] <= ' ')
            text.size--;
        writer_verbatim(writer, text.data, text.size);
    }
    writer_break(writer, 2);
done:
    buffer_reset(&text);
    return status;
}

/* ---- what is attached -------------------------------------------------- */

static int is_taken(const struct mail *mail, const char *name)
{
    const size_t size = strlen(name) + 1;

    for (size_t at = 0; at < mail->names.size; at += strlen(mail->names.data + at) + 1)
        if (size <= mail->names.size - at && memcmp(mail->names.data + at, name, size) == 0)
            return 1;
    return 0;
}

/* "image 3.png" for the third part, when there has been an "image.png". */
static void make_unique(struct mail *mail, struct buffer *name)
{
    char *dot = strrchr(name->data, '.');
    struct buffer end = { 0 };

    if (!is_taken(mail, name->data))
        return;
    if (dot != NULL && dot > name->data) {
        buffer_append_text(&end, dot);
        name->size = (size_t)(dot - name->data);
    }
    buffer_printf(name, " %u%s", mail->n_attached, end.data != NULL ? end.data : "");
    name->failed |= end.failed;
    buffer_reset(&end);
}

static int give(struct mail *mail, const char *name, const GByteArray *bytes)
{
    struct buffer clean = { 0 };
    int status;

    if (mail->fn == NULL)
        return ERNIE_OK;
    mail->n_attached++;
    utf8_append_clean(&clean, name, strlen(name));
    if (!clean.failed)
        make_unique(mail, &clean);
    if (!clean.failed && mail->names.size < MAX_NAMES_BYTES)
        buffer_append(&mail->names, clean.data, clean.size + 1);
    status = clean.failed || mail->names.failed
                 ? error_set(mail->err, ERNIE_ENOMEM, "mail: out of memory")
                 : mail->fn(mail->data, clean.data, bytes->data, bytes->len, mail->err);
    buffer_reset(&clean);
    return status;
}

static int attach_part(struct mail *mail, GMimePart *part)
{
    const char *name = g_mime_part_get_filename(part);
    char made[32];
    GByteArray *bytes;
    int status;

    if (name == NULL || *name == '\0') {
        snprintf(made, sizeof made, "part %u", mail->n_attached + 1);
        name = made;
    } else {
        status = write_line(mail, "Attachment: ", name);
        if (status != ERNIE_OK)
            return status;
    }
    if (mail->fn == NULL)
        return ERNIE_OK;
    bytes = mime_bytes(part);
    status = give(mail, name, bytes);
    g_byte_array_unref(bytes);
    return status;
}

/* "3 About the harvest.eml": a name for a message, which has none. */
static int name_message(char *name, size_t capacity, size_t number, const char *subject,
                        ernie_error *err)
{
    struct buffer line = { 0 };
    size_t size;

    if (subject != NULL)
        properties_set_line(&line, subject, strlen(subject));
    if (line.failed)
        return error_set(err, ERNIE_ENOMEM, "mail: out of memory");
    size = line.size > MAX_NAME_BYTES ? utf8_floor(line.data, MAX_NAME_BYTES) : line.size;
    for (size_t i = 0; i < size; i++)
        if (line.data[i] == '/')
            line.data[i] = '_';
    snprintf(name, capacity, size > 0 ? "%zu %.*s.eml" : "%zu%.*s.eml", number, (int)size,
             size > 0 ? line.data : "");
    buffer_reset(&line);
    return ERNIE_OK;
}

static int attach_message(struct mail *mail, GMimeMessagePart *part)
{
    GMimeMessage *message = g_mime_message_part_get_message(part);
    GByteArray *bytes;
    GMimeStream *stream;
    char name[256];
    int status;

    if (message == NULL || mail->fn == NULL)
        return ERNIE_OK;
    status = name_message(name, sizeof name, mail->n_attached + 1,
                          g_mime_message_get_subject(message), mail->err);
    if (status != ERNIE_OK)
        return status;
    bytes = g_byte_array_new();
    stream = g_mime_stream_mem_new_with_byte_array(bytes);
    g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
    g_mime_object_write_to_stream(GMIME_OBJECT(message), NULL, stream);
    g_object_unref(stream);
    status = give(mail, name, bytes);
    g_byte_array_unref(bytes);
    return status;
}

static int read_object(struct mail *mail, GMimeObject *object, unsigned depth);

static int is_attached(GMimePart *part)
{
    const char *disposition = g_mime_object_get_disposition(GMIME_OBJECT(part));
    const char *name = g_mime_part_get_filename(part);

    return (disposition != NULL && strcasecmp(disposition, "attachment") == 0) ||
           (name != NULL && *name != '\0');
}

/* A picture within the text, a calendar's date, a signature: what has no name of its own and is
 * for programs. */
static int is_for_programs(GMimeObject *part)
{
    return mime_is(part, "image", "*") || mime_is(part, "text", "calendar") ||
           mime_is(part, "text", "css") || mime_is(part, "application", "pgp-signature") ||
           mime_is(part, "application", "pkcs7-signature") ||
           mime_is(part, "application", "x-pkcs7-signature");
}

static int read_part(struct mail *mail, GMimePart *part)
{
    if (is_attached(part))
        return attach_part(mail, part);
    if (is_for_programs(GMIME_OBJECT(part)))
        return ERNIE_OK;
    return mime_is(GMIME_OBJECT(part), "text", "*") ? write_body(mail, part)
                                                    : attach_part(mail, part);
}

/* Whether there is anything to read in a plain part. */
static int has_text(struct mail *mail, GMimeObject *object, int *answer)
{
    struct buffer text = { 0 };
    int status;

    *answer = 0;
    if (!GMIME_IS_PART(object) || !mime_is(object, "text", "plain"))
        return ERNIE_OK;
    status = mime_text(GMIME_PART(object), mail->writer->out, &text, mail->err);
    *answer = !is_blank(&text);
    buffer_reset(&text);
    return status;
}

/* Of several versions of one text the plain one, or the last: that is the best, the sender says
 * (RFC 2046, section 5.1.4). */
static int read_alternatives(struct mail *mail, GMimeMultipart *multipart, unsigned depth)
{
    const int n = g_mime_multipart_get_count(multipart);
    int status, is_plain;

    for (int i = 0; i < n; i++) {
        status = has_text(mail, g_mime_multipart_get_part(multipart, i), &is_plain);
        if (status != ERNIE_OK)
            return status;
        if (is_plain)
            return read_object(mail, g_mime_multipart_get_part(multipart, i), depth);
    }
    for (int i = n; i-- > 0;) {
        GMimeObject *object = g_mime_multipart_get_part(multipart, i);

        if (GMIME_IS_MULTIPART(object) || mime_is(object, "text", "html"))
            return read_object(mail, object, depth);
    }
    return ERNIE_OK;
}

static int read_object(struct mail *mail, GMimeObject *object, unsigned depth)
{
    int status = ERNIE_OK;

    if (depth >= MIME_MAX_DEPTH)
        return error_set(mail->err, ERNIE_EFORMAT, "mail: parts too deep in each other");
    if (GMIME_IS_MESSAGE_PART(object))
        return attach_message(mail, GMIME_MESSAGE_PART(object));
    if (GMIME_IS_PART(object))
        return read_part(mail, GMIME_PART(object));
    if (!GMIME_IS_MULTIPART(object))
        return ERNIE_OK;
    if (mime_is(object, "multipart", "alternative"))
        return read_alternatives(mail, GMIME_MULTIPART(object), depth + 1);
    for (int i = 0, n = g_mime_multipart_get_count(GMIME_MULTIPART(object));
         status == ERNIE_OK && i < n; i++)
        status = read_object(mail, g_mime_multipart_get_part(GMIME_MULTIPART(object), i),
                             depth + 1);
    return status;
}

int mail_extract(struct writer *writer, const uint8_t *bytes, size_t size, member_fn fn,
                 void *data, ernie_error *err)
{
    struct mail mail = { .writer = writer, .fn = fn, .data = data, .err = err };
    GMimeMessage *message = mime_parse(bytes, size);
    GMimeObject *body;
    int status;

    if (message == NULL)
        return error_set(err, ERNIE_EFORMAT, "mail: no headers that can be read");
    mime_properties(message, writer->out);
    status = write_headers(&mail, message);
    body = g_mime_message_get_mime_part(message);
    if (status == ERNIE_OK && body != NULL)
        status = read_object(&mail, body, 0);
    if (status == ERNIE_OK)
        status = properties_finish(writer, err);
    buffer_reset(&mail.names);
    g_object_unref(message);
    return status;
}

/* ---- mbox -------------------------------------------------------------- */

/* Whether a message begins here: "From jane@example.org Thu Jan  1 00:00:00 2024". Sentences
 * begin with "From " as well, and not every program has put a ">" in front of them; so there
 * must be a time of day. */
static int begins_message(const char *line, size_t size)
{
    const char *end = memchr(line, '\n', size < 1000 ? size : 1000);

    if (size < 5 || memcmp(line, "From ", 5) != 0 || end == NULL)
        return 0;
    for (const char *at = line + 5; at + 5 < end; at++)
        if (at[0] == ' ' && at[1] >= '0' && at[1] <= '9' && at[2] >= '0' && at[2] <= '9' &&
            at[3] == ':' && at[4] >= '0' && at[4] <= '9')
            return 1;
    return 0;
}

static int is_behind_empty_line(const char *text, const char *at)
{
    return (at - text >= 2 && memcmp(at - 2, "\n\n", 2) == 0) ||
           (at - text >= 3 && memcmp(at - 3, "\n\r\n", 3) == 0);
}

/* Where the message that begins at start ends: before the next one, or at the end. */
static size_t find_end(const char *text, size_t size, size_t start)
{
    const char *at = text + start, *end = text + size;

    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        if (is_behind_empty_line(text, at) && begins_message(at, (size_t)(end - at)))
            return (size_t)(at - text);
    }
    return size;
}

static size_t headers_size(const char *text, size_t size)
{
    const char *end = memmem(text, size, "\n\n", 2), *crlf = memmem(text, size, "\n\r\n", 3);

    if (end == NULL || (crlf != NULL && crlf < end))
        end = crlf;
    return end != NULL ? (size_t)(end - text) + 1 : size;
}

static int give_message(const char *text, size_t size, size_t number, member_fn fn, void *data,
                        ernie_error *err)
{
    GMimeMessage *message = mime_parse((const uint8_t *)text, headers_size(text, size));
    char name[256];
    int status;

    status = name_message(name, sizeof name, number,
                          message != NULL ? g_mime_message_get_subject(message) : NULL, err);
    if (message != NULL)
        g_object_unref(message);
    return status == ERNIE_OK ? fn(data, name, (const uint8_t *)text, size, err) : status;
}

int mbox_extract(const uint8_t *bytes, size_t size, member_fn fn, void *data, ernie_error *err)
{
    const char *text = (const char *)bytes, *line;
    size_t start = 0, end, number = 0;
    int status = ERNIE_OK;

    if (!begins_message(text, size))
        return error_set(err, ERNIE_EFORMAT, "mbox: does not begin with a message");
    for (; status == ERNIE_OK && start < size; start = end) {
        end = find_end(text, size, start);
        line = memchr(text + start, '\n', end - start);
        if (line == NULL)
            break;
        start = (size_t)(line - text) + 1; /* behind the line that only says it begins */
        if (start < end)
            status = give_message(text + start, end - start, ++number, fn, data, err);
    }
    return status;
}
