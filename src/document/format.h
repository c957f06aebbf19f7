/* What kind of document a file is, from its name and its first bytes. The bytes are asked
 * first: a name can lie, and what a file begins with decides which parser reads it. */
#ifndef ERNIE_DOCUMENT_FORMAT_H
#define ERNIE_DOCUMENT_FORMAT_H

#include <stddef.h>
#include <stdint.h>

enum document_format {
    DOCUMENT_UNKNOWN,
    /* Text that a few hundred lines of our own take apart, in this process. */
    DOCUMENT_TEXT,
    DOCUMENT_MARKDOWN,
    DOCUMENT_HTML,
    DOCUMENT_CSV, /* TSV as well */
    DOCUMENT_JSON,
    DOCUMENT_XML,
    DOCUMENT_SUBTITLES,
    DOCUMENT_SOURCE,
    /* What takes a large parser: read by a helper program that can do no harm. */
    DOCUMENT_PDF,
    DOCUMENT_DOCX,
    DOCUMENT_PPTX,
    DOCUMENT_XLSX,
    DOCUMENT_ODT,
    DOCUMENT_ODP,
    DOCUMENT_ODS,
    DOCUMENT_EPUB,
    DOCUMENT_RTF,
    DOCUMENT_MHTML,
    DOCUMENT_EMAIL,
    DOCUMENT_MBOX,
    DOCUMENT_ARCHIVE,
    DOCUMENT_IMAGE,
    DOCUMENT_N_FORMATS
};

/* "text", "markdown", "pdf", "archive": as a document's row says it. "" for
 * DOCUMENT_UNKNOWN. */
const char *document_format_name(enum document_format format);
/* The format of that name; DOCUMENT_UNKNOWN when there is none. */
enum document_format document_format_of_name(const char *name);

/* Whether it is left to a helper program. */
int document_format_is_complex(enum document_format format);
/* Whether other documents are in it: archives, mail with what is attached. */
int document_format_is_container(enum document_format format);

/* The bytes of a file's start that document_format wants: it looks at no more. */
#define DOCUMENT_FORMAT_BYTES 65536

/* What a file of this name and these first bytes [size] is. DOCUMENT_UNKNOWN: nothing that
 * can be read, as far as we can tell; it is left out of the collection. */
enum document_format document_format(const char *name, const uint8_t *bytes, size_t size);

/* Whether a file is worth opening, judging by its name alone: 0 for .png, .exe, .o and the
 * like. */
int document_name_is_promising(const char *name);
/* Whether its name is that of an image, in which there may be words: those are looked for
 * only when that is asked for. */
int document_name_is_image(const char *name);

#endif
