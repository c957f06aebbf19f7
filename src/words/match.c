#include "words/match.h"

#include <string.h>

#include "base/utf8.h"
#include "words/segment.h"

/* Runs up to this many characters are asked for as they stand. */
#define RUN_MAX_EXACT 3

/* Terms with one operator between them. */
struct terms {
    struct buffer text;
    const char *operator;
    size_t n, first; /* how many, and the bytes of the first */
};

struct match {
    struct terms required, wanted, unwanted;
    size_t n_terms;
};

static int is_space(const char *text, size_t size, size_t at, size_t *n_bytes)
{
    uint32_t c = utf8_decode(text + at, size - at, n_bytes, NULL);

    return c <= ' ' || c == 0x7f || c == 0x85 || c == 0xa0 || c == 0x3000 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029;
}

/* The offset behind the first `most` words of text from start on, at most end. */
static size_t first_words(const char *text, size_t start, size_t end, size_t most)
{
    struct segment segment;
    size_t at = start;

    for (size_t n = 0; n < most && segment_next(text, end, at, &segment);) {
        if (segment.dense) {
            struct dense dense = { 0, segment.start, segment.start };

            while (n < most && dense_next(text, end, &dense)) {
                at = dense.end;
                n++;
            }
        } else {
            at = segment.end;
            n += segment.n_parts;
        }
    }
    return at;
}

/* Adds text [start, end) as one phrase of FTS5: the words of a string in quotes follow
 * each other. The tokenizer does not see what is no word, and neither does the reader of
 * the expression: a quote would end the string, a zero everything. */
static void add(struct match *match, struct terms *terms, const char *text, size_t start,
                size_t end, int is_prefix)
{
    struct segment segment;
    size_t cut;

    if (match->n_terms == MATCH_MAX_TERMS || !segment_next(text, end, start, &segment))
        return;
    match->n_terms++;
    cut = first_words(text, segment.start, end, MATCH_MAX_PHRASE);
    if (terms->n++ > 0)
        buffer_append_text(&terms->text, terms->operator);
    buffer_append_char(&terms->text, '"');
    for (size_t i = segment.start; i < cut; i++)
        buffer_append_char(&terms->text, text[i] == '"' || text[i] == '\0' ? ' ' : text[i]);
    buffer_append_text(&terms->text, is_prefix && cut == end ? "\"*" : "\"");
    if (terms->n == 1)
        terms->first = terms->text.size;
}

/* A run of Chinese in a word; [start, end) of text. */
static void add_run(struct match *match, const char *text, size_t start, size_t end)
{
    struct dense first = { 0, start, start }, second;
    size_t n = 0;

    add(match, &match->wanted, text, start, end, 0);
    for (struct dense dense = first; n <= RUN_MAX_EXACT && dense_next(text, end, &dense);)
        n++;
    if (n <= RUN_MAX_EXACT)
        return;
    dense_next(text, end, &first);
    second = first;
    for (n = 0; n < MATCH_MAX_TERMS && dense_next(text, end, &second); n++) {
        size_t pair = second.end - first.start;

        /* Once is enough: whether it stood in the run before. */
        if (memmem(text + start, second.end - start, text + first.start, pair) == text + first.start)
            add(match, &match->wanted, text, first.start, second.end, 0);
        first = second;
    }
}

/* Whether only what ties the parts of addresses, paths and versions is between two words. */
static int is_chained(const char *text, size_t start, size_t end)
{
    for (size_t i = start; i < end; i++) {
        if (text[i] == '\0' || strchr("./@:\\~&?=#%+", text[i]) == NULL)
            return 0;
    }
    return 1;
}

/* A run of Chinese, or the compounds of an address, a path, a version. */
struct piece {
    size_t start, end;
    int dense;
};

static int piece_next(const char *text, size_t size, size_t at, struct piece *out)
{
    struct segment segment;

    if (!segment_next(text, size, at, &segment))
        return 0;
    *out = (struct piece){ segment.start, segment.end, segment.dense };
    while (!out->dense && segment_next(text, size, out->end, &segment) && !segment.dense &&
           is_chained(text, out->end, segment.start))
        out->end = segment.end;
    return 1;
}

static void add_chain(struct match *match, const char *text, const struct piece *piece,
                      int is_prefix)
{
    struct segment segment;

    add(match, &match->wanted, text, piece->start, piece->end, is_prefix);
    for (size_t at = piece->start;
         match->n_terms < MATCH_MAX_TERMS && segment_next(text, piece->end, at, &segment);
         at = segment.end) {
        if (segment.joins)
            add(match, &match->wanted, segment.letters, 0, segment.n_letters,
                is_prefix && segment.end == piece->end);
    }
}

/* A word as it was typed, between spaces. */
static void add_word(struct match *match, const char *text, size_t start, size_t end,
                     int is_prefix)
{
    struct piece piece, next;
    int more = piece_next(text, end, start, &piece);

    if (more && piece_next(text, end, piece.end, &next))
        add(match, &match->wanted, text, start, end, is_prefix);
    while (more && match->n_terms < MATCH_MAX_TERMS) {
        if (piece.dense)
            add_run(match, text, piece.start, piece.end);
        else
            add_chain(match, text, &piece, is_prefix && piece.end == end);
        more = piece_next(text, end, piece.end, &piece);
    }
}

/* 1 where a quotation starts, and what ends it. */
static int opens_quote(const char *text, size_t size, size_t at, size_t *n_bytes,
                       const char **closing)
{
    static const char *const pairs[][2] = {
        { "\"", "\"" }, { "\u201c", "\u201d" }, { "\uff02", "\uff02" },
    };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        *n_bytes = strlen(pairs[i][0]);
        *closing = pairs[i][1];
        if (size - at >= *n_bytes && memcmp(text + at, pairs[i][0], *n_bytes) == 0)
            return 1;
    }
    return 0;
}

/* The hyphen that excludes, of either width, before a word or a quotation. */
static size_t minus_at(const char *text, size_t size, size_t at)
{
    size_t n, n_space;

    if (text[at] == '-')
        n = 1;
    else if (size - at >= 3 && memcmp(text + at, "\uff0d", 3) == 0)
        n = 3;
    else
        return 0;
    return at + n < size && !is_space(text, size, at + n, &n_space) ? n : 0;
}

/* Whether what is between quotation marks of print (“…”) is speech rather than words to look
 * for: it has marks between its clauses. */
static int is_speech(const char *closing, const char *text, size_t size)
{
    static const char *const marks[] = { "\uff0c", "\u3002", "\uff01", "\uff1f", "\uff1b" };

    for (size_t i = 0; strcmp(closing, "\u201d") == 0 && i < sizeof marks / sizeof *marks; i++)
        if (memmem(text, size, marks[i], strlen(marks[i])) != NULL)
            return 1;
    return 0;
}

/* A quotation at offset at that stands by itself: a space or nothing comes behind it. Marks
 * within a sentence (他说“不”，就走了) are how people write, and ask for nothing; nor does a
 * whole sentence of speech. */
static int read_quotation(const char *text, size_t size, size_t at, struct match_item *out,
                          size_t *end)
{
    const char *closing, *close;
    size_t n, n_space;

    if (!opens_quote(text, size, at, &n, &closing))
        return 0;
    close = memmem(text + at + n, size - at - n, closing, strlen(closing));
    *end = close != NULL ? (size_t)(close - text) + strlen(closing) : size;
    if (*end < size && !is_space(text, size, *end, &n_space))
        return 0;
    out->start = at + n;
    out->end = close != NULL ? (size_t)(close - text) : size;
    out->is_phrase = !is_speech(closing, text + out->start, out->end - out->start);
    return out->is_phrase;
}

/* What stands at offset at, where no space is; returns the offset behind it. */
static size_t read_item(const char *text, size_t size, size_t at, struct match_item *out)
{
    const size_t minus = minus_at(text, size, at);
    size_t start = at + minus, end, n;

    *out = (struct match_item){ .is_unwanted = minus > 0 };
    if (read_quotation(text, size, start, out, &end))
        return end;
    for (end = start; end < size && !is_space(text, size, end, &n); end += n)
        continue;
    out->is_prefix = end > start + 1 && text[end - 1] == '*';
    out->start = start;
    out->end = end - (size_t)out->is_prefix;
    return end;
}

int match_item_next(const char *query, size_t size, size_t *at, struct match_item *out)
{
    size_t n;

    while (*at < size && is_space(query, size, *at, &n))
        *at += n;
    if (*at >= size)
        return 0;
    *at = read_item(query, size, *at, out);
    return 1;
}

static void add_item(struct match *match, const char *text, const struct match_item *item)
{
    if (item->is_unwanted)
        add(match, &match->unwanted, text, item->start, item->end, item->is_prefix);
    else if (item->is_phrase)
        add(match, &match->required, text, item->start, item->end, 0);
    else
        add_word(match, text, item->start, item->end, item->is_prefix);
}

/* The words that are wanted raise a document's rank where phrases are required, and
 * exclude none: the first phrase, which every one has, stands among them. */
static void join(struct buffer *out, const struct match *match)
{
    const struct terms *required = &match->required, *wanted = &match->wanted;

    if (required->n == 0 && wanted->n == 0) {
        buffer_append_text(out, "\"\"");
        return;
    }
    buffer_append_char(out, '(');
    if (required->n > 0)
        buffer_append(out, required->text.data, required->text.size);
    if (required->n > 0 && wanted->n > 0) {
        buffer_append_text(out, " AND (");
        buffer_append(out, required->text.data, required->first);
        buffer_append_text(out, " OR ");
    }
    if (wanted->n > 0)
        buffer_append(out, wanted->text.data, wanted->text.size);
    buffer_append_text(out, required->n > 0 && wanted->n > 0 ? "))" : ")");
    if (match->unwanted.n > 0) {
        buffer_append_text(out, " NOT (");
        buffer_append(out, match->unwanted.text.data, match->unwanted.text.size);
        buffer_append_char(out, ')');
    }
}

static void match_read(struct match *match, const char *query, size_t size)
{
    struct match_item item;
    size_t at = 0;

    *match = (struct match){
        .required.operator = " AND ", .wanted.operator = " OR ", .unwanted.operator = " OR "
    };
    while (match->n_terms < MATCH_MAX_TERMS && match_item_next(query, size, &at, &item))
        add_item(match, query, &item);
}

static void match_reset(struct match *match)
{
    buffer_reset(&match->required.text);
    buffer_reset(&match->wanted.text);
    buffer_reset(&match->unwanted.text);
}

static int has_failed(const struct match *match)
{
    return match->required.text.failed || match->wanted.text.failed ||
           match->unwanted.text.failed;
}

void match_append(struct buffer *out, const char *query, size_t size)
{
    struct match match;

    match_read(&match, query, size);
    if (has_failed(&match))
        out->failed = 1;
    else
        join(out, &match);
    match_reset(&match);
}

enum match_filter match_filter_append(struct buffer *out, const char *query, size_t size)
{
    struct match match;
    enum match_filter filter = MATCH_ALL;

    match_read(&match, query, size);
    buffer_reset(&match.wanted.text);
    match.wanted.n = 0;
    if (has_failed(&match)) {
        out->failed = 1;
    } else if (match.required.n > 0) {
        filter = MATCH_ONLY;
        join(out, &match);
    } else if (match.unwanted.n > 0) {
        filter = MATCH_EXCEPT;
        buffer_append(out, match.unwanted.text.data, match.unwanted.text.size);
    }
    match_reset(&match);
    return filter;
}

void match_plain_append(struct buffer *out, const char *query, size_t size)
{
    const size_t before = out->size;
    struct match_item item;
    size_t at = 0;
    int has_signs = 0;

    while (match_item_next(query, size, &at, &item)) {
        has_signs |= item.is_phrase || item.is_unwanted || item.is_prefix;
        if (item.is_unwanted)
            continue;
        if (out->size > before)
            buffer_append_char(out, ' ');
        buffer_append(out, query + item.start, item.end - item.start);
    }
    if (has_signs && out->size > before)
        return;
    out->size = before;
    buffer_append(out, query, size);
}
