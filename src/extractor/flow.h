/* A writer for documents that hold texts within texts: a footnote or a text box stands in the
 * middle of the paragraph that it hangs on, and is read after it. What is written between
 * flow_aside_begin and flow_aside_end is put by, and follows when the paragraph ends. */
#ifndef ERNIE_EXTRACTOR_FLOW_H
#define ERNIE_EXTRACTOR_FLOW_H

#include <stddef.h>

#include "document/writer.h"

struct flow {
    struct writer *writer; /* where text goes at the moment */
    struct writer *main;
    struct extract aside_text;
    struct writer aside;
    unsigned depth; /* of asides in asides; 0: in the text itself */
};

void flow_init(struct flow *flow, struct writer *writer);
void flow_reset(struct flow *flow);

void flow_aside_begin(struct flow *flow);
void flow_aside_end(struct flow *flow);

/* Another paragraph for the asides: of a text that is known already. */
void flow_add_aside(struct flow *flow, const char *text, size_t size);

/* Writes the asides of the paragraph that has ended; nothing within an aside. */
void flow_end_paragraph(struct flow *flow);

/* Text in which a line break is a space like any other. */
void flow_words(struct flow *flow, const char *text, size_t size);

#endif
