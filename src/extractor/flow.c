#include "extractor/flow.h"

#include <string.h>

#include "base/memory.h"

void flow_init(struct flow *flow, struct writer *writer)
{
    memset(flow, 0, sizeof *flow);
    flow->writer = flow->main = writer;
    flow->aside = (struct writer){ .out = &flow->aside_text, .line = 1 };
}

void flow_reset(struct flow *flow)
{
    extract_reset(&flow->aside_text);
}

void flow_aside_begin(struct flow *flow)
{
    flow->depth++;
    flow->writer = &flow->aside;
    writer_break(flow->writer, 1);
}

void flow_aside_end(struct flow *flow)
{
    writer_break(flow->writer, 1);
    if (flow->depth > 0 && --flow->depth == 0)
        flow->writer = flow->main;
}

void flow_add_aside(struct flow *flow, const char *text, size_t size)
{
    flow_aside_begin(flow);
    writer_verbatim(flow->writer, text, size);
    flow_aside_end(flow);
}

void flow_end_paragraph(struct flow *flow)
{
    struct buffer *text = &flow->aside_text.text;

    if (flow->depth > 0 || (text->size == 0 && !text->failed))
        return;
    if (text->failed)
        flow->main->out->text.failed = 1;
    writer_break(flow->main, 1);
    writer_verbatim(flow->main, text->data, text->size);
    writer_break(flow->main, 1);
    buffer_clear(text);
    flow->aside_text.n_marks = 0;
    flow->aside = (struct writer){ .out = &flow->aside_text, .line = 1 };
}

void flow_words(struct flow *flow, const char *text, size_t size)
{
    while (size > 0) {
        const char *line_end = memchr(text, '\n', size);
        const size_t n = line_end != NULL ? (size_t)(line_end - text) : size;

        writer_words(flow->writer, text, n);
        if (line_end == NULL)
            return;
        writer_words(flow->writer, " ", 1);
        text += n + 1;
        size -= n + 1;
    }
}
