#include "document/extract_text.h"

#include <string.h>

#include "document/writer.h"

/* From one mark to the next, be they of one line: extract_line counts the line breaks in
 * between. */
#define MARK_BYTES 1024

void text_mark_lines(struct extract *out)
{
    const size_t size = out->text.size;
    size_t line = 1, at = 0;

    /* extract_add_mark notes the end of the text as it stands: let it grow again. */
    for (size_t i = 0; i < size; i++) {
        if (i == at) {
            out->text.size = i;
            extract_add_mark(out, line);
            at += MARK_BYTES;
        }
        line += out->text.data[i] == '\n';
    }
    out->text.size = size;
}
