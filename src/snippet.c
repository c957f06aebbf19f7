#include "snippet.h"

#include <string.h>

#include "base/utf8.h"
#include "document/chunk.h"

#define ELLIPSIS "\xe2\x80\xa6"

static int is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

size_t snippet_sentences(const char *text, size_t size,
                         struct snippet_sentence out[SNIPPET_SENTENCES])
{
    size_t n = 0, end;

    for (size_t start = 0; start < size && n < SNIPPET_SENTENCES; start = end) {
        end = sentence_end(text, size, start);
        while (start < end && is_space(text[start]))
            start++;
        if (start < end)
            out[n++] = (struct snippet_sentence){ start, end };
    }
    return n;
}

int snippet_best_by_words(struct marker *marker, const char *text, size_t n,
                          const struct snippet_sentence *sentences, size_t *best,
                          ernie_error *err)
{
    size_t most = 0, count;
    int status = ERNIE_OK;

    *best = 0;
    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        status = marker_count(marker, text + sentences[i].start,
                              sentences[i].end - sentences[i].start, &count, err);
        if (status == ERNIE_OK && count > most) {
            *best = i;
            most = count;
        }
    }
    return status;
}

/* Appends text with each run of white space made one space. */
static void append_line(struct buffer *out, const char *text, size_t size)
{
    int space = 0;

    for (size_t i = 0; i < size; i++) {
        if (is_space(text[i])) {
            space = 1;
            continue;
        }
        if (space && out->size > 0)
            buffer_append_char(out, ' ');
        space = 0;
        buffer_append_char(out, text[i]);
    }
}

void snippet_append(struct buffer *out, const char *text, size_t size, size_t n,
                    const struct snippet_sentence *sentences, size_t best)
{
    size_t start, end = size;

    if (n == 0)
        return;
    while (best > 0 && size - sentences[best - 1].start <= SNIPPET_BYTES)
        best--;
    start = sentences[best].start;
    if (best > 0)
        buffer_append_text(out, ELLIPSIS);
    if (end - start > SNIPPET_BYTES)
        end = start + utf8_floor(text + start, SNIPPET_BYTES);
    append_line(out, text + start, end - start);
    if (end < size)
        buffer_append_text(out, ELLIPSIS);
}

int snippet_by_words(struct buffer *out, const char *text, size_t size, const char *query,
                     ernie_error *err)
{
    const size_t query_size = strlen(query);
    struct snippet_sentence sentences[SNIPPET_SENTENCES];
    const size_t n = snippet_sentences(text, size, sentences);
    struct marker *marker;
    size_t best = 0;
    int status = marker_new(query, query_size <= SNIPPET_QUERY_BYTES ? query_size : 0, &marker,
                            err);

    if (status != ERNIE_OK)
        return status;
    status = snippet_best_by_words(marker, text, n, sentences, &best, err);
    if (status == ERNIE_OK)
        snippet_append(out, text, size, n, sentences, best);
    marker_free(marker);
    return status;
}
