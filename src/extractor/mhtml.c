/* A web page saved with all that is in it (RFC 2557): its HTML is read. */
#include <string.h>

#include "document/extract_html.h"
#include "extractor/formats.h"
#include "extractor/mime.h"
#include "extractor/properties.h"

/* The page itself: the part that the others hang on is named, or else comes first. */
static GMimePart *find_page(GMimeObject *object, const char *start, unsigned depth)
{
    GMimePart *page = NULL;
    const char *id;

    if (GMIME_IS_MULTIPART(object) && depth < MIME_MAX_DEPTH)
        for (int i = 0, n = g_mime_multipart_get_count(GMIME_MULTIPART(object));
             page == NULL && i < n; i++)
            page = find_page(g_mime_multipart_get_part(GMIME_MULTIPART(object), i), start,
                             depth + 1);
    if (!GMIME_IS_PART(object) || !(mime_is(object, "text", "html") ||
                                    mime_is(object, "application", "xhtml+xml")))
        return page;
    if (start == NULL)
        return GMIME_PART(object);
    /* The identifier is written in angle brackets where it is referred to. */
    id = g_mime_object_get_content_id(object);
    if (id != NULL && strlen(start) == strlen(id) + 2 && strncmp(start + 1, id, strlen(id)) == 0)
        return GMIME_PART(object);
    return id != NULL && strcmp(start, id) == 0 ? GMIME_PART(object) : NULL;
}

int mhtml_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err)
{
    GMimeMessage *message = mime_parse(bytes, size);
    GMimeObject *body = message != NULL ? g_mime_message_get_mime_part(message) : NULL;
    struct buffer text = { 0 }, subject = { 0 };
    struct extract *out = writer->out;
    GMimePart *page = NULL;
    const char *start;
    int status;

    if (body != NULL) {
        start = g_mime_object_get_content_type_parameter(body, "start");
        page = find_page(body, start, 0);
        if (page == NULL && start != NULL)
            page = find_page(body, NULL, 0);
    }
    if (page == NULL) {
        status = error_set(err, ERNIE_EFORMAT, "mhtml: no web page in it");
        goto done;
    }
    status = mime_text(page, out, &text, err);
    if (status != ERNIE_OK)
        goto done;
    /* Browsers put the title in the subject; what the page says itself comes first. Who has
     * saved it is not its author. */
    mime_properties(message, out);
    subject = out->title;
    memset(&out->title, 0, sizeof out->title);
    buffer_reset(&out->author);
    html_extract(writer, text.data, text.size);
    if (out->title.size == 0 && subject.size > 0)
        buffer_append(&out->title, subject.data, subject.size);
    out->title.failed |= subject.failed;
    status = properties_finish(writer, err);
done:
    buffer_reset(&text);
    buffer_reset(&subject);
    if (message != NULL)
        g_object_unref(message);
    return status;
}
