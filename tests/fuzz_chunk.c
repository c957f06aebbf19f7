/* Any text cut into chunks of any size: they lie within it in order, hold whole
 * characters, leave out nothing but space, and none is too long. For libFuzzer, built on
 * request:
 *
 *     ./configure CC=clang CFLAGS='-g -O1 -fsanitize=fuzzer-no-link,address,undefined' LIBS=-lgomp
 *     make fuzz_chunk && ./fuzz_chunk -max_len=4000
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/utf8.h"
#include "document/chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(condition) must_hold(condition, #condition)

static void must_hold(int holds, const char *condition)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", condition);
        abort();
    }
}

/* What the chunker takes for space, for it trims it. */
static int is_space(uint32_t c)
{
    return c <= 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200b) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000 || c == 0xfeff;
}

/* A token a character that is no ASCII, a token a run of letters. */
static size_t count(void *data, const char *text, size_t size)
{
    size_t tokens = 0, n;
    int in_word = 0;

    (void)data;
    for (size_t i = 0; i < size; i += n) {
        uint32_t c = utf8_decode(text + i, size - i, &n, NULL);

        if (is_space(c)) {
            in_word = 0;
        } else if (c >= 0x80 || !in_word) {
            tokens++;
            in_word = c < 0x80;
        }
    }
    return tokens;
}

static int is_boundary(const struct buffer *text, size_t offset)
{
    return offset == text->size || ((uint8_t)text->data[offset] & 0xc0) != 0x80;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer text = { 0 };
    struct chunk_list list = { 0 };
    struct section sections[8];
    struct chunk_order order = { .section = sections };
    size_t max_tokens, covered = 0;

    if (size < 10)
        return 0;
    max_tokens = 1 + data[0] % 64u;
    utf8_append_clean(&text, (const char *)data + 10, size - 10);
    must(!text.failed);
    /* Sections at whole characters, in order. */
    order.pages_are_parts = data[9] & 1;
    order.lines_are_whole = data[9] >> 1 & 1;
    order.headings_are_told = data[9] >> 2 & 1;
    for (size_t i = 0, at = 0; i < 8; i++) {
        at += data[1 + i] / 4u;
        if (at > text.size)
            break;
        sections[order.n_sections++] = (struct section){
            .offset = utf8_floor(text.data != NULL ? text.data : "", at), .level = data[1 + i] % 4u
        };
    }
    must(chunk_text(text.data, text.size, &order, max_tokens, count, NULL, &list, NULL) == ERNIE_OK);
    for (size_t i = 0; i < list.n; i++) {
        const struct chunk *chunk = &list.chunk[i];

        must(chunk->start < chunk->end && chunk->end <= text.size);
        must(is_boundary(&text, chunk->start) && is_boundary(&text, chunk->end));
        must(i == 0 || (chunk->start > list.chunk[i - 1].start &&
                        chunk->end > list.chunk[i - 1].end));
        if (chunk->start > covered)
            must(count(NULL, text.data + covered, chunk->start - covered) == 0);
        covered = chunk->end;
    }
    must(count(NULL, text.data + covered, text.size - covered) == 0);
    for (size_t at = 0; at < text.size;) {
        size_t end = sentence_end(text.data, text.size, at);

        must(end > at && end <= text.size && is_boundary(&text, end));
        at = end;
    }
    chunk_list_reset(&list);
    buffer_reset(&text);
    return 0;
}
