/* ernie-extract: reads a file of any complex format but PDF (see program.h). */
#include <unistd.h>

#include "config.h"
#include "document/charset.h"
#include "extractor/program.h"

#ifdef HAVE_GMIME
#include "extractor/mime.h"
#endif

static int read_archive(struct writer *writer, const char *name, const uint8_t *bytes,
                        size_t size, member_fn fn, void *data, ernie_error *err)
{
    (void)writer; /* an archive has no text of its own */
    return archive_extract(name, bytes, size, fn, data, err);
}

#ifdef HAVE_GMIME
static int read_mail(struct writer *writer, const char *name, const uint8_t *bytes, size_t size,
                     member_fn fn, void *data, ernie_error *err)
{
    (void)name;
    return mail_extract(writer, bytes, size, fn, data, err);
}

static int read_mbox(struct writer *writer, const char *name, const uint8_t *bytes, size_t size,
                     member_fn fn, void *data, ernie_error *err)
{
    (void)writer, (void)name; /* what there is to read is in the mails */
    return mbox_extract(bytes, size, fn, data, err);
}
#endif

static void prepare(void)
{
    charset_prepare();
#ifdef HAVE_GMIME
    mime_prepare();
#endif
}

static const struct program program = {
    .formats = {
        [DOCUMENT_DOCX] = docx_extract,
        [DOCUMENT_PPTX] = pptx_extract,
        [DOCUMENT_XLSX] = xlsx_extract,
        [DOCUMENT_ODT] = odt_extract,
        [DOCUMENT_ODP] = odp_extract,
        [DOCUMENT_ODS] = ods_extract,
        [DOCUMENT_EPUB] = epub_extract,
        [DOCUMENT_RTF] = rtf_extract,
#ifdef HAVE_GMIME
        [DOCUMENT_MHTML] = mhtml_extract,
#endif
    },
    .containers = {
        [DOCUMENT_ARCHIVE] = read_archive,
#ifdef HAVE_GMIME
        [DOCUMENT_EMAIL] = read_mail,
        [DOCUMENT_MBOX] = read_mbox,
#endif
    },
    .prepare = prepare,
};

int main(int argc, char **argv)
{
    /* At once: what libraries do at the end is not for a confined process. */
    _exit(program_run(&program, argc, argv));
}
