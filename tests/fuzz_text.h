/* What must hold of any text that an extractor makes, for the fuzz targets. */
#ifndef ERNIE_TESTS_FUZZ_TEXT_H
#define ERNIE_TESTS_FUZZ_TEXT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "document/extract.h"

#define must(condition) must_hold(condition, #condition)

static inline void must_hold(int holds, const char *condition)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", condition);
        abort();
    }
}

static inline void check_text(const struct buffer *text)
{
    must(text->size == 0 || memchr(text->data, 0, text->size) == NULL);
    must(text->size == 0 || utf8_valid(text->data, text->size));
}

static inline void check_extract(const struct extract *out)
{
    check_text(&out->text);
    check_text(&out->title);
    check_text(&out->author);
    must(out->title.size == 0 || memchr(out->title.data, '\n', out->title.size) == NULL);
    must(memchr(out->date, 0, sizeof out->date) != NULL);
    must(memchr(out->language, 0, sizeof out->language) != NULL);
    for (size_t i = 0; i < out->n_sections; i++) {
        must(out->sections[i].offset <= out->text.size);
        must(i == 0 || out->sections[i].offset > out->sections[i - 1].offset);
        must(out->sections[i].heading < out->headings.size || out->sections[i].heading == 0);
    }
}

#endif
