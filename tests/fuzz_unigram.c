/* Any pieces and any word: the ids cover the word in order and without gaps, their
 * scores have the sum that a plain search of all ways finds, and fewer of them are
 * a prefix. For libFuzzer, built on request:
 *
 *     ./configure CC=clang CFLAGS='-g -O1 -fsanitize=fuzzer-no-link,address,undefined' LIBS=-lgomp
 *     make fuzz_unigram && ./fuzz_unigram -max_len=600
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "model/unigram.h"

#define HOLDS(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "fuzz_unigram: %s\n", #condition); \
            abort(); \
        } \
    } while (0)

#define MAX_PIECES 64
#define MAX_WORD   600

/* The best way to each place, looking back from it over all pieces. */
static void search_all(size_t n, const struct unigram_piece *pieces, const char *word, size_t size,
                       double best[MAX_WORD + 1])
{
    double lowest = INFINITY;

    for (size_t i = 0; i < n; i++)
        lowest = pieces[i].score < lowest ? pieces[i].score : lowest;
    best[0] = 0;
    for (size_t end = 1; end <= size; end++) {
        best[end] = -INFINITY;
        for (size_t i = 0; i < n; i++) {
            size_t k = pieces[i].size;
            size_t later = i + 1;

            while (later < n && (pieces[later].size != k ||
                                 memcmp(pieces[later].text, pieces[i].text, k) != 0))
                later++;
            if (later == n && k > 0 && k <= end && memcmp(word + end - k, pieces[i].text, k) == 0 &&
                best[end - k] + pieces[i].score > best[end])
                best[end] = best[end - k] + pieces[i].score;
        }
        for (size_t k = 1; k <= 4 && k <= end; k++) {
            size_t n_bytes, i;

            utf8_decode(word + end - k, size - (end - k), &n_bytes, NULL);
            if (n_bytes != k || ((unsigned char)word[end - k] & 0xc0) == 0x80)
                continue;
            for (i = 0; i < n; i++)
                if (pieces[i].size == k && memcmp(word + end - k, pieces[i].text, k) == 0)
                    break;
            if (i == n && best[end - k] + lowest - 10 > best[end])
                best[end] = best[end - k] + lowest - 10;
        }
    }
}

static void check(const struct unigram *unigram, size_t n, const struct unigram_piece *pieces,
                  struct unigram_scratch *scratch, const char *word, size_t size)
{
    int32_t ids[MAX_WORD + 1], some[MAX_WORD + 1];
    struct token_span spans[MAX_WORD + 1];
    double best[MAX_WORD + 1], lowest = INFINITY, sum = 0;
    size_t n_ids, n_some, place = 0;

    HOLDS(unigram_encode(unigram, scratch, word, size, ids, spans, MAX_WORD + 1, &n_ids, NULL) ==
          ERNIE_OK);
    search_all(n, pieces, word, size, best);
    for (size_t i = 0; i < n; i++)
        lowest = pieces[i].score < lowest ? pieces[i].score : lowest;
    for (size_t i = 0; i < n_ids; i++) {
        size_t n_bytes;

        HOLDS(ids[i] >= 0 && (size_t)ids[i] < n && spans[i].end <= size);
        HOLDS(spans[i].start == place && spans[i].end > place);
        if (ids[i] > 0)
            sum += pieces[ids[i]].score;
        for (size_t k = place; ids[i] == 0 && k < spans[i].end; k += n_bytes) {
            utf8_decode(word + k, size - k, &n_bytes, NULL);
            sum += lowest - 10;
        }
        place = spans[i].end;
    }
    HOLDS(place == size);
    HOLDS(fabs(sum - best[size]) < 1e-6);
    HOLDS(unigram_encode(unigram, scratch, word, size, some, NULL, n_ids / 2, &n_some, NULL) ==
          ERNIE_OK);
    HOLDS(n_some == n_ids / 2 && (n_some == 0 || memcmp(some, ids, n_some * sizeof *ids) == 0));
}

/* The first byte is the number of pieces; each has a byte of size, one of score
 * and its bytes. What is left is the word. Piece 0 is the unknown and matches
 * nothing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct unigram_piece pieces[MAX_PIECES + 1] = { { "", 0, -1 } };
    struct unigram *unigram;
    struct unigram_scratch *scratch;
    size_t n = 1, i = 1;

    if (size < 1)
        return 0;
    for (; n <= data[0] % MAX_PIECES && i + 2 < size; n++) {
        size_t n_bytes = data[i] % 16;

        if (n_bytes > size - i - 2)
            n_bytes = size - i - 2;
        /* Scores of at most 0: else unknown characters together may be a piece,
         * and the sum of what is written is not that of the way. */
        pieces[n] = (struct unigram_piece){ (const char *)data + i + 2, n_bytes,
                                            -(double)data[i + 1] / 8 };
        i += 2 + n_bytes;
    }
    if (unigram_new(n, pieces, 0, 0, &unigram, NULL) != ERNIE_OK)
        return 0;
    if (size - i <= MAX_WORD && utf8_valid((const char *)data + i, size - i)) {
        HOLDS(unigram_scratch_new(&scratch, NULL) == ERNIE_OK);
        check(unigram, n, pieces, scratch, (const char *)data + i, size - i);
        unigram_scratch_free(scratch);
    }
    unigram_free(unigram);
    return 0;
}
