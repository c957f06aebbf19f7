/* ernie-extract-image: reads the words in an image (see program.h). A program of its own
 * because it takes the libraries of Tesseract and Leptonica, and a time to start. */
#include <unistd.h>

#include "extractor/image.h"
#include "extractor/program.h"

static const struct program program = {
    .formats = { [DOCUMENT_IMAGE] = image_extract },
    .prepare = image_prepare,
};

int main(int argc, char **argv)
{
    /* At once: what libraries do at the end is not for a confined process. */
    _exit(program_run(&program, argc, argv));
}
