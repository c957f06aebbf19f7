#include "model/unigram.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"

#define UNKNOWN_PENALTY 10.0 /* below the lowest score of the vocabulary */
#define MAX_PIECES      INT32_MAX

/* The pieces are a trie over characters. A node is a number, the root 0, and all
 * edges are in one hash table: a step down costs about one line of cache, and
 * building is one insertion a character. */
struct edge {
    uint32_t parent;
    uint32_t code_point;
    uint32_t child; /* 0: an empty place, for nothing leads to the root */
    int32_t id;     /* of the piece that ends here, or -1 */
};

struct unigram {
    struct edge *edge; /* [mask + 1], a power of two, at most half of it taken */
    size_t mask;
    int shift; /* 64 - log2(mask + 1) */
    /* Odd, and drawn anew for each vocabulary, so that no file can aim its pieces
     * at one place. */
    uint64_t factor;
    uint32_t n_nodes;
    size_t n;
    double *score;     /* [n] */
    uint32_t *n_bytes; /* [n] */
    size_t max_bytes;  /* of the longest piece, at least 4 */
    double unknown_score;
    int32_t unk_id;
    int32_t byte_id[256];
    int byte_fallback;
};

/* What is known of a place in the word. Else the id of the last piece of the best
 * way there or, where that is a character no piece spells, minus its bytes. */
#define NOT_REACHED INT32_MIN

struct unigram_scratch {
    int32_t *last; /* [capacity], of the places from the last cut on */
    size_t capacity;
    double *sum; /* [n_sums] scores of the best way to a place, by its offset modulo n_sums */
    size_t n_sums;
};

/* One walk through one word. */
struct walk {
    const struct unigram *unigram;
    struct unigram_scratch *scratch;
    const char *word;
    size_t cut;   /* every way leads through this place; what is before is written */
    size_t reach; /* the farthest place reached */
    /* The unknown characters at the end of what is written: they are one. */
    size_t unknown_start, unknown_end;
    int32_t *ids;
    struct token_span *spans;
    size_t n_ids, max_ids;
};

/* The edge's place in the table, or the empty one where it belongs. */
static inline struct edge *find_edge(const struct unigram *unigram, uint32_t parent,
                                     uint32_t code_point)
{
    uint64_t key = (uint64_t)parent << 21 | code_point;
    size_t i = (size_t)(key * unigram->factor >> unigram->shift);

    for (;; i = (i + 1) & unigram->mask) {
        struct edge *edge = &unigram->edge[i];

        if (edge->child == 0 || (edge->parent == parent && edge->code_point == code_point))
            return edge;
    }
}

/* Room for twice as many edges, or at first for two a piece. */
static int grow(struct unigram *unigram, size_t n_places, ernie_error *err)
{
    struct edge *old = unigram->edge;
    size_t n_old = old == NULL ? 0 : unigram->mask + 1;
    struct edge *edge = memory_new(n_places, sizeof *edge);

    if (edge == NULL)
        return error_set(err, ERNIE_ENOMEM, "unigram: out of memory");
    unigram->edge = edge;
    unigram->mask = n_places - 1;
    unigram->shift = 64 - __builtin_ctzll(n_places);
    for (size_t i = 0; i < n_old; i++)
        if (old[i].child != 0)
            *find_edge(unigram, old[i].parent, old[i].code_point) = old[i];
    memory_free(old);
    return ERNIE_OK;
}

static int add_piece(struct unigram *unigram, const struct unigram_piece *piece, int32_t id,
                     ernie_error *err)
{
    struct edge *edge = NULL;
    uint32_t node = 0;
    size_t n;

    for (size_t i = 0; i < piece->size; i += n) {
        int valid = 1;
        uint32_t c = utf8_decode(piece->text + i, piece->size - i, &n, &valid);

        if (!valid)
            return error_set(err, ERNIE_EFORMAT, "unigram: piece %d is not UTF-8", (int)id);
        if (unigram->n_nodes > unigram->mask / 2) {
            int status = grow(unigram, 2 * (unigram->mask + 1), err);

            if (status != ERNIE_OK)
                return status;
        }
        edge = find_edge(unigram, node, c);
        if (edge->child == 0) {
            if (unigram->n_nodes == UINT32_MAX)
                return error_set(err, ERNIE_EFORMAT, "unigram: the vocabulary is too large");
            *edge = (struct edge){ node, c, unigram->n_nodes++, -1 };
        }
        node = edge->child;
    }
    if (edge != NULL)
        edge->id = id;
    return ERNIE_OK;
}

static int add_pieces(struct unigram *unigram, size_t n, const struct unigram_piece *pieces,
                      ernie_error *err)
{
    double lowest = INFINITY;

    for (size_t i = 0; i < n; i++) {
        int status;

        if (!isfinite(pieces[i].score))
            return error_set(err, ERNIE_EFORMAT, "unigram: the score of piece %zu is no number", i);
        if (pieces[i].size > UINT32_MAX)
            return error_set(err, ERNIE_EFORMAT, "unigram: piece %zu is too long", i);
        status = add_piece(unigram, &pieces[i], (int32_t)i, err);
        if (status != ERNIE_OK)
            return status;
        unigram->score[i] = pieces[i].score;
        unigram->n_bytes[i] = (uint32_t)pieces[i].size;
        if (pieces[i].size > unigram->max_bytes)
            unigram->max_bytes = pieces[i].size;
        if (pieces[i].score < lowest)
            lowest = pieces[i].score;
    }
    unigram->unknown_score = lowest - UNKNOWN_PENALTY;
    return ERNIE_OK;
}

static void find_bytes(struct unigram *unigram)
{
    static const char digit[] = "0123456789ABCDEF";

    for (unsigned i = 0; i < 256; i++) {
        const char name[6] = { '<', '0', 'x', digit[i >> 4], digit[i & 15], '>' };

        unigram->byte_id[i] = unigram_find(unigram, name, sizeof name);
    }
}

int32_t unigram_unknown(const struct unigram *unigram)
{
    return unigram->unk_id;
}

int unigram_new(size_t n, const struct unigram_piece *pieces, int32_t unk_id, int byte_fallback,
                struct unigram **out, ernie_error *err)
{
    int status;
    size_t n_places = 1024;
    struct unigram *unigram;

    if (n > MAX_PIECES)
        return error_set(err, ERNIE_EFORMAT, "unigram: the vocabulary is too large");
    if (unk_id < 0 || (size_t)unk_id >= n)
        return error_set(err, ERNIE_EFORMAT, "unigram: there is no piece for the unknown");
    unigram = memory_new(1, sizeof *unigram);
    if (unigram == NULL)
        return error_set(err, ERNIE_ENOMEM, "unigram: out of memory");
    unigram->n = n;
    unigram->n_nodes = 1;
    unigram->max_bytes = 4; /* an unknown character */
    unigram->unk_id = unk_id;
    unigram->byte_fallback = byte_fallback;
    unigram->score = memory_new(n, sizeof *unigram->score);
    unigram->n_bytes = memory_new(n, sizeof *unigram->n_bytes);
    if (unigram->score == NULL || unigram->n_bytes == NULL) {
        status = error_set(err, ERNIE_ENOMEM, "unigram: out of memory");
        goto done;
    }
    status = random_bytes(&unigram->factor, sizeof unigram->factor, err);
    if (status != ERNIE_OK)
        goto done;
    unigram->factor |= 1;
    while (n_places < 2 * n)
        n_places *= 2;
    status = grow(unigram, n_places, err);
    if (status == ERNIE_OK)
        status = add_pieces(unigram, n, pieces, err);
    if (status != ERNIE_OK)
        goto done;
    find_bytes(unigram);

    *out = unigram;
    unigram = NULL; /* the caller owns it now */
done:
    unigram_free(unigram);
    return status;
}

void unigram_free(struct unigram *unigram)
{
    if (unigram == NULL)
        return;
    memory_free(unigram->edge);
    memory_free(unigram->score);
    memory_free(unigram->n_bytes);
    memory_free(unigram);
}

size_t unigram_count(const struct unigram *unigram)
{
    return unigram->n;
}

int32_t unigram_find(const struct unigram *unigram, const char *text, size_t size)
{
    uint32_t node = 0;
    int32_t id = -1;
    size_t n;

    for (size_t i = 0; i < size; i += n) {
        const uint32_t c = utf8_decode_quick(text + i, size - i, &n);
        const struct edge *edge = find_edge(unigram, node, c);

        if (edge->child == 0)
            return -1;
        node = edge->child;
        id = edge->id;
    }
    return id;
}

int unigram_scratch_new(struct unigram_scratch **out, ernie_error *err)
{
    struct unigram_scratch *scratch = memory_new(1, sizeof *scratch);

    if (scratch == NULL)
        return error_set(err, ERNIE_ENOMEM, "unigram: out of memory");
    *out = scratch;
    return ERNIE_OK;
}

void unigram_scratch_free(struct unigram_scratch *scratch)
{
    if (scratch == NULL)
        return;
    memory_free(scratch->last);
    memory_free(scratch->sum);
    memory_free(scratch);
}

/* Room for a place n bytes behind the cut, and for the sums of one window: from
 * where a piece begins to where the longest ends. */
static int make_room(const struct unigram *unigram, struct unigram_scratch *scratch, size_t n,
                     ernie_error *err)
{
    if (scratch->n_sums <= unigram->max_bytes) {
        size_t n_sums = 64;
        double *sum;

        while (n_sums <= unigram->max_bytes)
            n_sums *= 2;
        sum = memory_resize(scratch->sum, n_sums, sizeof *sum);
        if (sum == NULL)
            return error_set(err, ERNIE_ENOMEM, "unigram: out of memory");
        scratch->sum = sum;
        scratch->n_sums = n_sums;
    }
    if (scratch->capacity <= n) {
        size_t capacity = 1024;
        int32_t *last;

        while (capacity <= n)
            capacity *= 2;
        last = memory_resize(scratch->last, capacity, sizeof *last);
        if (last == NULL)
            return error_set(err, ERNIE_ENOMEM, "unigram: out of memory");
        scratch->last = last;
        scratch->capacity = capacity;
    }
    return ERNIE_OK;
}

/* A way of this sum leads to place; it is kept when it is better than the one
 * known. Of equals the one found first stays: its last piece is the longer. */
static inline void offer(struct walk *walk, size_t place, double sum, int32_t last)
{
    int32_t *known = &walk->scratch->last[place - walk->cut];
    double *best = &walk->scratch->sum[place & (walk->scratch->n_sums - 1)];

    while (walk->reach < place)
        walk->scratch->last[++walk->reach - walk->cut] = NOT_REACHED;
    if (*known == NOT_REACHED || sum > *best) {
        *known = last;
        *best = sum;
    }
}

/* Goes on from place by each piece that begins there; returns the bytes of the
 * character there, which is unknown when no piece is it alone. */
static inline size_t step(struct walk *walk, size_t place, size_t size)
{
    const struct unigram *unigram = walk->unigram;
    double sum = walk->scratch->sum[place & (walk->scratch->n_sums - 1)];
    uint32_t node = 0;
    size_t n_first = 0, n;
    int is_unknown = 1;

    for (size_t i = place; i < size;) {
        const uint32_t c = utf8_decode_quick(walk->word + i, size - i, &n);
        const struct edge *edge = find_edge(unigram, node, c);

        if (i == place)
            n_first = n;
        if (edge->child == 0)
            break;
        i += n;
        node = edge->child;
        if (edge->id < 0)
            continue;
        if (i == place + n_first)
            is_unknown = 0;
        offer(walk, i, sum + unigram->score[edge->id], edge->id);
    }
    if (is_unknown)
        offer(walk, place + n_first, sum + unigram->unknown_score, -(int32_t)n_first);
    return n_first;
}

static inline void add_id(struct walk *walk, int32_t id, size_t start, size_t end)
{
    if (walk->n_ids == walk->max_ids)
        return;
    if (walk->ids != NULL)
        walk->ids[walk->n_ids] = id;
    if (walk->spans != NULL)
        walk->spans[walk->n_ids] = (struct token_span){ start, end };
    walk->n_ids++;
}

static int has_bytes(const struct unigram *unigram, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (unigram->byte_id[(unsigned char)text[i]] < 0)
            return 0;
    return 1;
}

/* The unknown characters come to an end: together they may be a piece after all
 * (when scores are above 0), or bytes, or one piece for the unknown. */
static void end_unknown(struct walk *walk)
{
    const struct unigram *unigram = walk->unigram;
    size_t start = walk->unknown_start, end = walk->unknown_end;
    int32_t id;

    if (start == end)
        return;
    id = unigram_find(unigram, walk->word + start, end - start);
    if (id < 0 && unigram->byte_fallback && has_bytes(unigram, walk->word + start, end - start)) {
        for (size_t i = start; i < end; i++)
            add_id(walk, unigram->byte_id[(unsigned char)walk->word[i]], start, end);
    } else {
        add_id(walk, id < 0 ? unigram->unk_id : id, start, end);
    }
    walk->unknown_start = walk->unknown_end = end;
}

static inline size_t length(const struct unigram *unigram, int32_t last)
{
    return last < 0 ? (size_t)-last : unigram->n_bytes[last];
}

/* Writes the best way from the last cut to place, which becomes the next one. It
 * is known from its end; turning it round moves each piece in last from where it
 * ends to where it begins. */
static inline void cut(struct walk *walk, size_t place)
{
    const struct unigram *unigram = walk->unigram;
    int32_t *last = walk->scratch->last;
    size_t end = place - walk->cut;
    int32_t piece = last[end];

    for (size_t i = end; i > 0;) {
        int32_t before;

        i -= length(unigram, piece);
        before = last[i];
        last[i] = piece;
        piece = before;
    }
    for (size_t i = 0, n; i < end; i += n) {
        size_t start = walk->cut + i;

        piece = last[i];
        n = length(unigram, piece);
        if (piece >= 0 && piece != unigram->unk_id) {
            end_unknown(walk);
            add_id(walk, piece, start, start + n);
        } else {
            if (walk->unknown_start == walk->unknown_end)
                walk->unknown_start = start;
            walk->unknown_end = start + n;
        }
    }
    walk->cut = walk->reach = place;
}

int unigram_encode(const struct unigram *unigram, struct unigram_scratch *scratch,
                   const char *word, size_t size, int32_t *ids, struct token_span *spans,
                   size_t max_ids, size_t *n_ids, ernie_error *err)
{
    struct walk walk = { .unigram = unigram, .scratch = scratch, .word = word, .ids = ids,
                         .spans = spans, .max_ids = max_ids };

    for (size_t i = 0; i < size && walk.n_ids < max_ids;) {
        size_t window = size - i < unigram->max_bytes ? size - i : unigram->max_bytes;
        int status = make_room(unigram, scratch, i - walk.cut + window, err);

        if (status != ERNIE_OK)
            return status;
        if (i == 0)
            scratch->sum[0] = 0;
        i += step(&walk, i, size);
        /* Sums go on across a cut: how they are rounded decides between ways
         * that are equally good. */
        if (i == walk.reach)
            cut(&walk, i);
    }
    end_unknown(&walk);
    *n_ids = walk.n_ids;
    return ERNIE_OK;
}
