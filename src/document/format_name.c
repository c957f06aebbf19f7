/* The names of formats: apart from recognizing them, for those that only search. */
#include <string.h>

#include "document/format.h"

static const char *const format_names[DOCUMENT_N_FORMATS] = {
    [DOCUMENT_UNKNOWN] = "",
    [DOCUMENT_TEXT] = "text",
    [DOCUMENT_MARKDOWN] = "markdown",
    [DOCUMENT_HTML] = "html",
    [DOCUMENT_CSV] = "csv",
    [DOCUMENT_JSON] = "json",
    [DOCUMENT_XML] = "xml",
    [DOCUMENT_SUBTITLES] = "subtitles",
    [DOCUMENT_SOURCE] = "source",
    [DOCUMENT_PDF] = "pdf",
    [DOCUMENT_DOCX] = "docx",
    [DOCUMENT_PPTX] = "pptx",
    [DOCUMENT_XLSX] = "xlsx",
    [DOCUMENT_ODT] = "odt",
    [DOCUMENT_ODP] = "odp",
    [DOCUMENT_ODS] = "ods",
    [DOCUMENT_EPUB] = "epub",
    [DOCUMENT_RTF] = "rtf",
    [DOCUMENT_MHTML] = "mhtml",
    [DOCUMENT_EMAIL] = "email",
    [DOCUMENT_MBOX] = "mbox",
    [DOCUMENT_ARCHIVE] = "archive",
    [DOCUMENT_IMAGE] = "image",
};

const char *document_format_name(enum document_format format)
{
    return format_names[format];
}

enum document_format document_format_of_name(const char *name)
{
    for (int i = DOCUMENT_TEXT; i < DOCUMENT_N_FORMATS; i++)
        if (strcmp(name, format_names[i]) == 0)
            return (enum document_format)i;
    return DOCUMENT_UNKNOWN;
}
