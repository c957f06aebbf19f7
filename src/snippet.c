#include "snippet.h"

#include <string.h>

#include "base/utf8.h"
#include "document/chunk.h"

#define ELLIPSIS "\xe2\x80\xa6"

static int is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* Letters of ASCII without case; everything else as it is. */
static int same_letter(char a, char b)
{
    if (a >= 'A' && a <= 'Z')
        a = (char)(a - 'A' + 'a');
    if (b >= 'A' && b <= 'Z')
        b = (char)(b - 'A' + 'a');
    return a == b;
}

static int holds(const char *text, size_t size, const char *word, size_t word_size)
{
    for (size_t i = 0; i + word_size <= size; i++) {
        size_t n = 0;

        while (n < word_size && same_letter(text[i + n], word[n]))
            n++;
        if (n == word_size)
            return 1;
    }
    return 0;
}

/* How much of the query a sentence repeats: its ASCII words of three letters or
 * more, and each two neighbouring characters of other scripts (most Chinese words
 * have two). */
static size_t count_shared(const char *sentence, size_t size, const char *query)
{
    size_t query_size = strlen(query), n_shared = 0, n, next;

    for (size_t i = 0; i < query_size; i += n) {
        uint32_t c = utf8_decode(query + i, query_size - i, &n, NULL);
        size_t end = i + n;

        if (c < 0x80) {
            while (end < query_size && (unsigned char)query[end] < 0x80 && !is_space(query[end]))
                end++;
            n = end - i;
            if (n < 3)
                continue;
        } else if (end < query_size &&
                   utf8_decode(query + end, query_size - end, &next, NULL) >= 0x80) {
            end += next;
        } else {
            continue;
        }
        n_shared += (size_t)holds(sentence, size, query + i, end - i);
    }
    return n_shared;
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

void snippet_append(struct buffer *out, const char *text, size_t size, const char *query,
                    size_t max_bytes)
{
    size_t best, best_shared = 0, first = 0, end;

    while (first < size && is_space(text[first]))
        first++;
    best = first;
    /* A query of a page would compare each of its words with each sentence. */
    for (size_t start = first; strlen(query) <= 1024 && start < size; start = end) {
        size_t n_shared;

        end = sentence_end(text, size, start);
        n_shared = count_shared(text + start, end - start, query);
        if (n_shared > best_shared) {
            best = start;
            best_shared = n_shared;
        }
    }
    while (best < size && is_space(text[best]))
        best++;
    if (best > first)
        buffer_append_text(out, ELLIPSIS);
    end = size;
    if (end - best > max_bytes)
        end = best + utf8_floor(text + best, max_bytes);
    append_line(out, text + best, end - best);
    if (end < size)
        buffer_append_text(out, ELLIPSIS);
}
