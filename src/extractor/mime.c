#include "extractor/mime.h"

#include <string.h>
#include <strings.h>

#include "document/charset.h"
#include "document/extract_html.h"
#include "extractor/properties.h"

#define MAX_COLONS 256 /* of an address header */

void mime_prepare(void)
{
    /* By the names that headers use, which iconv has other tables for than for those of texts. */
    static const char *const charsets[] = {
        "big5",       "big5-hkscs", "euc-jp",     "euc-kr",      "gb18030",     "gb2312",
        "gbk",        "iso-2022-jp", "iso-8859-1", "iso-8859-15", "iso-8859-2", "iso-8859-5",
        "iso-8859-7", "iso-8859-9", "koi8-r",     "shift_jis",   "us-ascii",    "utf-7",
        "utf-16",     "windows-1250", "windows-1251", "windows-1252", "windows-936",
    };

    g_mime_init();
    for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++)
        g_mime_iconv_open("UTF-8", charsets[i]); /* left open, and so loaded */
}

/* Headers ought to be ASCII. Those that are not are UTF-8, or were written in China. */
static GMimeParserOptions *make_options(void)
{
    const char *charsets[] = { "utf-8", "gb18030", "iso-8859-1", NULL };
    GMimeParserOptions *options = g_mime_parser_options_new();

    g_mime_parser_options_set_fallback_charsets(options, charsets);
    return options;
}

static int is_address_header(const char *line, size_t size)
{
    static const char *const names[] = { "from", "sender", "reply-to", "to", "cc", "bcc" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const size_t n = strlen(names[i]);

        if (size > n && strncasecmp(line, names[i], n) == 0 &&
            (line[n] == ':' || line[n] == ' ' || line[n] == '\t'))
            return 1;
    }
    return 0;
}

/* Whether an address header has so many colons that they may be groups in groups, which GMime reads
 * by calling itself: half a million end the process. Messages in messages have such headers too,
 * so each line is looked at. */
static int has_deep_groups(const char *text, size_t size)
{
    size_t n = 0;
    int in_header = 0;

    for (const char *at = text, *end = text + size, *line_end; at < end; at = line_end) {
        line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end != NULL ? line_end + 1 : end;
        if (!in_header || (*at != ' ' && *at != '\t')) {
            in_header = is_address_header(at, (size_t)(line_end - at));
            n = 0;
        }
        for (const char *c = at; in_header && c < line_end; c++)
            if (*c == ':' && ++n > MAX_COLONS)
                return 1;
    }
    return 0;
}

GMimeMessage *mime_parse(const uint8_t *bytes, size_t size)
{
    GMimeParserOptions *options;
    GMimeStream *stream;
    GMimeParser *parser;
    GMimeMessage *message;

    if (size == 0 || has_deep_groups((const char *)bytes, size))
        return NULL;
    g_mime_init(); /* counts, and does its work once */
    options = make_options();
    stream = g_mime_stream_mem_new_with_buffer((const char *)bytes, size);
    parser = g_mime_parser_new_with_stream(stream);
    message = g_mime_parser_construct_message(parser, options);
    g_object_unref(parser);
    g_object_unref(stream);
    g_mime_parser_options_free(options);
    return message;
}

/* "Content-Type: text", as mail was marked before there was MIME (RFC 1049), is plain text, and so
 * is whatever else has no subtype (RFC 2045, section 5.2). */
static int has_no_type(GMimeObject *part)
{
    const char *stated = g_mime_object_get_header(part, "Content-Type");
    const char *end = stated != NULL ? strchr(stated, ';') : NULL;

    return stated != NULL && !GMIME_IS_MULTIPART(part) &&
           memchr(stated, '/', end != NULL ? (size_t)(end - stated) : strlen(stated)) == NULL;
}

int mime_is(GMimeObject *part, const char *type, const char *subtype)
{
    GMimeContentType *content_type = g_mime_object_get_content_type(part);

    if (has_no_type(part))
        return strcmp(type, "text") == 0 &&
               (strcmp(subtype, "*") == 0 || strcmp(subtype, "plain") == 0);
    return content_type != NULL && g_mime_content_type_is_type(content_type, type, subtype);
}

GByteArray *mime_bytes(GMimePart *part)
{
    GMimeDataWrapper *content = g_mime_part_get_content(part);
    GByteArray *bytes = g_byte_array_new();
    GMimeStream *stream = g_mime_stream_mem_new_with_byte_array(bytes);

    g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
    if (content != NULL)
        g_mime_data_wrapper_write_to_stream(content, stream);
    g_object_unref(stream);
    return bytes;
}

static int find_charset(GMimePart *part, const GByteArray *bytes, struct charset *charset,
                        ernie_error *err)
{
    const char *declared =
        g_mime_object_get_content_type_parameter(GMIME_OBJECT(part), "charset");
    size_t size = declared != NULL ? strlen(declared) : 0;

    if (declared == NULL && mime_is(GMIME_OBJECT(part), "text", "html"))
        declared = html_declared_charset(bytes->data, bytes->len, &size);
    return charset_detect(bytes->data, bytes->len, declared, size, charset, err);
}

int mime_text(GMimePart *part, struct extract *out, struct buffer *text, ernie_error *err)
{
    GByteArray *bytes = mime_bytes(part);
    struct charset charset;
    size_t n_replaced = 0;
    int status = ERNIE_OK;

    if (bytes->len > 0)
        status = find_charset(part, bytes, &charset, err);
    if (status == ERNIE_OK && bytes->len > 0) {
        status = charset_decode(&charset, bytes->data, bytes->len, text, &n_replaced, err);
        out->n_replaced += n_replaced;
        strncpy(out->encoding, charset.name, sizeof out->encoding - 1);
    }
    if (status == ERNIE_OK && text->failed)
        status = error_set(err, ERNIE_ENOMEM, "mail: out of memory");
    g_byte_array_unref(bytes);
    return status;
}

static void set_date(GDateTime *date, struct extract *out)
{
    char *text = g_date_time_format(date, "%Y-%m-%dT%H:%M:%S%:z");
    size_t size;

    if (text == NULL)
        return;
    size = strlen(text);
    if (size > 6 && strcmp(text + size - 6, "+00:00") == 0) {
        text[size - 6] = 'Z';
        size -= 5;
    }
    properties_set_date(out, text, size);
    g_free(text);
}

void mime_properties(GMimeMessage *message, struct extract *out)
{
    const char *subject = g_mime_message_get_subject(message);
    InternetAddressList *from = g_mime_message_get_from(message);
    GDateTime *date = g_mime_message_get_date(message);
    InternetAddress *first;
    const char *name;

    if (subject != NULL)
        properties_set_line(&out->title, subject, strlen(subject));
    if (from != NULL && internet_address_list_length(from) > 0) {
        first = internet_address_list_get_address(from, 0);
        name = internet_address_get_name(first);
        if ((name == NULL || *name == '\0') && INTERNET_ADDRESS_IS_MAILBOX(first))
            name = internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(first));
        if (name != NULL)
            properties_set_line(&out->author, name, strlen(name));
    }
    if (date != NULL)
        set_date(date, out);
}
