/* Any bytes as a charsmap and any bytes as a text: what comes out is UTF-8, the
 * same with spans and without, and its spans are places in the text. For
 * libFuzzer, built on request:
 *
 *     ./configure CC=clang CFLAGS='-g -O1 -fsanitize=fuzzer-no-link,address,undefined' LIBS=-lgomp
 *     make fuzz_charsmap && ./fuzz_charsmap -max_len=4000
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "model/charsmap.h"
#include "model/metaspace.h"
#include "model/text_normalizer.h"

#define HOLDS(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "fuzz_charsmap: %s\n", #condition); \
            abort(); \
        } \
    } while (0)

/* A small text must not become a huge one over and over: a map may have one
 * string that is long. */
#define MAX_TEXT 256

static void check_spans(const struct normalized_text *text, size_t size)
{
    for (size_t i = 0; i < text->size; i++)
        HOLDS(text->origin[i].start < text->origin[i].end && text->origin[i].end <= size);
}

static void walk(const struct normalized_text *text, unsigned flags)
{
    struct metaspace rules = { .whitespace_split = flags & 1,
                               .prepend = (enum metaspace_prepend)(flags >> 1 & 1),
                               .split = flags >> 2 & 1 };
    struct metaspace_walk walk = { 0 };
    int more;

    memcpy(rules.replacement, "\xe2\x96\x81", 3);
    rules.replacement_size = flags & 8 ? 0 : 3;
    metaspace_begin(&walk, &rules, text, 1);
    while (metaspace_next(&walk, &more, NULL) == ERNIE_OK && more)
        HOLDS(walk.size > 0 && utf8_valid(walk.text, walk.size));
    metaspace_walk_reset(&walk);
}

/* The first byte says what other steps there are, the second the text's size. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text_normalizer *normalizer;
    struct normalized_text plain = { 0 }, with_spans = { 0 };
    size_t n_text;
    char *text;

    if (size < 2)
        return 0;
    n_text = data[1] < size - 2 ? data[1] : size - 2;
    if (n_text > MAX_TEXT)
        n_text = MAX_TEXT;
    text = memory_copy_text((const char *)data + 2, n_text);
    HOLDS(text_normalizer_new(&normalizer, NULL) == ERNIE_OK);
    text_normalizer_add_precompiled(normalizer, data + 2 + n_text, size - 2 - n_text, NULL);
    if (data[0] & 1)
        text_normalizer_add_form(normalizer, (enum text_form)(data[0] >> 1 & 3), NULL);
    if (data[0] & 8)
        text_normalizer_add_strip(normalizer, 1, 1, NULL);
    if (data[0] & 16)
        text_normalizer_add_strip_accents(normalizer, NULL);
    if (data[0] & 32)
        text_normalizer_add_lowercase(normalizer, NULL);
    if (data[0] & 64)
        text_normalizer_add_replace_spaces(normalizer, 2, " ", 1, NULL);
    if (data[0] & 128)
        text_normalizer_add_replace(normalizer, "ab", 2, "", 0, NULL);

    HOLDS(text_normalizer_apply(normalizer, text, n_text, 0, &plain, NULL) == ERNIE_OK);
    HOLDS(text_normalizer_apply(normalizer, text, n_text, 1, &with_spans, NULL) == ERNIE_OK);
    HOLDS(plain.size == with_spans.size);
    HOLDS(plain.size == 0 || memcmp(plain.text, with_spans.text, plain.size) == 0);
    HOLDS(utf8_valid(plain.text, plain.size));
    check_spans(&with_spans, n_text);
    walk(&with_spans, data[1] >> 4);

    normalized_text_reset(&plain);
    normalized_text_reset(&with_spans);
    text_normalizer_free(normalizer);
    memory_free(text);
    return 0;
}
