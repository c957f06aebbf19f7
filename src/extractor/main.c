/* ernie-extract: reads a file of any complex format but PDF (see program.h). */
#include <unistd.h>

#include "document/charset.h"
#include "extractor/program.h"

static int read_archive(struct writer *writer, const char *name, const uint8_t *bytes,
                        size_t size, member_fn fn, void *data, ernie_error *err)
{
    (void)writer; /* an archive has no text of its own */
    return archive_extract(name, bytes, size, fn, data, err);
}

static const struct program program = {
    .containers = { [DOCUMENT_ARCHIVE] = read_archive },
    .prepare = charset_prepare,
};

int main(int argc, char **argv)
{
    /* At once: what libraries do at the end is not for a confined process. */
    _exit(program_run(&program, argc, argv));
}
