/* Subtitles and lyrics (SubRip, WebVTT, SubStation Alpha, LRC) to what is said in them, a line
 * a cue, with a blank line where nobody speaks for a while. */
#ifndef ERNIE_DOCUMENT_EXTRACT_SUBTITLES_H
#define ERNIE_DOCUMENT_EXTRACT_SUBTITLES_H

#include <stddef.h>

#include "document/writer.h"

/* Writes text [size], UTF-8. */
void subtitles_extract(struct writer *writer, const char *text, size_t size);

#endif
