/* ernie-extract-pdf: reads PDF (see program.h). A program of its own because Poppler is
 * under the GPL, which then holds for this program and not for what starts it. */
#include <unistd.h>

#include "extractor/pdf.h"
#include "extractor/program.h"

/* Character collections of Chinese, Japanese and Korean: poppler-data. */
static const char *const readable[] = { POPPLER_DATADIR };

static const struct program program = {
    .formats = { [DOCUMENT_PDF] = pdf_extract },
    .prepare = pdf_prepare,
    .readable = readable,
    .n_readable = sizeof readable / sizeof *readable,
};

int main(int argc, char **argv)
{
    /* At once: what libraries do at the end is not for a confined process. */
    _exit(program_run(&program, argc, argv));
}
