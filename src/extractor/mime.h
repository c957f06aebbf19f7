/* Mail and what is packed like it (RFC 2045), by GMime: the pieces that mail.c and mhtml.c have
 * in common. GMime and GLib keep memory of their own, and end the process where there is none. */
#ifndef ERNIE_EXTRACTOR_MIME_H
#define ERNIE_EXTRACTOR_MIME_H

#include <gmime/gmime.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "document/extract.h"

/* Parts within parts that are looked into. */
#define MIME_MAX_DEPTH 32

/* Loads what reading takes from files of the system: the charsets of headers. */
void mime_prepare(void);

/* The bytes as one message; NULL when they are none, or one made to do harm.
 * g_object_unref. */
GMimeMessage *mime_parse(const uint8_t *bytes, size_t size);

/* Whether the part is of that type: mime_is(part, "text", "html"); "*" is any. */
int mime_is(GMimeObject *part, const char *type, const char *subtype);

/* The bytes of a part, decoded from what carried them; g_byte_array_unref. */
GByteArray *mime_bytes(GMimePart *part);

/* Appends the text of a part as UTF-8, whatever charset it is in: what the part declares, or what
 * the text does where it is HTML, is believed where it fits. Notes the charset in out. */
int mime_text(GMimePart *part, struct extract *out, struct buffer *text, ernie_error *err);

/* Subject, sender and date become title, author and date. */
void mime_properties(GMimeMessage *message, struct extract *out);

#endif
