#include "model/text_normalizer.h"

#include <stdint.h>
#include <string.h>

#include <utf8proc.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "model/charsmap.h"
#include "model/normalize.h"

#define N_PLANE0 0x10000
/* Clusters of this many bytes and more are looked up character by character. */
#define CLUSTER_BYTES 6

enum step_kind {
    STEP_PRECOMPILED,
    STEP_FORM,
    STEP_LOWERCASE,
    STEP_STRIP_ACCENTS,
    STEP_REPLACE,
    STEP_REPLACE_SPACES,
    STEP_STRIP,
    STEP_PREPEND
};

struct step {
    enum step_kind kind;
    struct charsmap *map;
    /* [N_PLANE0] for STEP_PRECOMPILED: a character with this bit set stays as it
     * is and is a cluster by itself, if the next one has it set too or the text
     * ends. */
    unsigned char *is_plain;
    enum text_form form;
    char *pattern; /* [pattern_size] */
    size_t pattern_size;
    char *content; /* [content_size] */
    size_t content_size;
    size_t at_least;
    int left, right;
};

struct text_normalizer {
    struct step *step; /* [n_steps] */
    size_t n_steps;
};

/* What a step reads. */
struct source {
    const char *text;
    size_t size;
    const struct token_span *origin; /* [size], or NULL */
};

/* Where a step writes. Like a buffer, it remembers that memory ran out. */
struct sink {
    struct normalized_text *out;
    int room;
    size_t size;
    int with_spans;
    int failed;
};

int text_normalizer_new(struct text_normalizer **out, ernie_error *err)
{
    struct text_normalizer *normalizer = memory_new(1, sizeof *normalizer);

    if (normalizer == NULL)
        return error_set(err, ERNIE_ENOMEM, "normalizer: out of memory");
    *out = normalizer;
    return ERNIE_OK;
}

static void step_reset(struct step *step)
{
    charsmap_free(step->map);
    memory_free(step->is_plain);
    memory_free(step->pattern);
    memory_free(step->content);
}

void text_normalizer_free(struct text_normalizer *normalizer)
{
    if (normalizer == NULL)
        return;
    for (size_t i = 0; i < normalizer->n_steps; i++)
        step_reset(&normalizer->step[i]);
    memory_free(normalizer->step);
    memory_free(normalizer);
}

/* Takes over what the step owns, also when it fails. */
static int add_step(struct text_normalizer *normalizer, struct step *step, ernie_error *err)
{
    struct step *grown;

    grown = memory_resize(normalizer->step, normalizer->n_steps + 1, sizeof *grown);
    if (grown == NULL) {
        step_reset(step);
        return error_set(err, ERNIE_ENOMEM, "normalizer: out of memory");
    }
    normalizer->step = grown;
    normalizer->step[normalizer->n_steps++] = *step;
    return ERNIE_OK;
}

/* Marks of Unicode 16 and 17, which the reference knows for the ends of clusters
 * and utf8proc perhaps not. */
static const struct {
    uint32_t first, last;
} new_marks[] = {
    { 0x0897, 0x0897 }, { 0x1acf, 0x1add }, { 0x1ae0, 0x1aeb }, { 0x10d69, 0x10d6d },
    { 0x10efa, 0x10efc }, { 0x113b8, 0x113c0 }, { 0x113c2, 0x113c2 }, { 0x113c5, 0x113c5 },
    { 0x113c7, 0x113ca }, { 0x113cc, 0x113d0 }, { 0x113d2, 0x113d2 }, { 0x113e1, 0x113e2 },
    { 0x11b60, 0x11b67 }, { 0x11f5a, 0x11f5a }, { 0x1611e, 0x1612f }, { 0x1e5ee, 0x1e5ef },
    { 0x1e6e3, 0x1e6e3 }, { 0x1e6e6, 0x1e6e6 }, { 0x1e6ee, 0x1e6ef }, { 0x1e6f5, 0x1e6f5 },
};

/* The character or, for a new mark, one that behaves like it. */
static utf8proc_int32_t in_cluster(uint32_t c)
{
    for (size_t i = 0; i < sizeof new_marks / sizeof *new_marks && new_marks[i].first <= c; i++)
        if (c <= new_marks[i].last)
            return 0x0301; /* COMBINING ACUTE ACCENT */
    return (utf8proc_int32_t)c;
}

/* A character that makes no cluster with others of this kind. */
static int is_ordinary(uint32_t c)
{
    return utf8proc_get_property(in_cluster(c))->boundclass == UTF8PROC_BOUNDCLASS_OTHER;
}

int text_normalizer_add_precompiled(struct text_normalizer *normalizer, const void *blob,
                                    size_t size, ernie_error *err)
{
    struct step step = { .kind = STEP_PRECOMPILED };
    int status = charsmap_new(blob, size, &step.map, err);

    if (status != ERNIE_OK)
        return status;
    step.is_plain = memory_new(N_PLANE0, 1);
    if (step.is_plain == NULL) {
        step_reset(&step);
        return error_set(err, ERNIE_ENOMEM, "normalizer: out of memory");
    }
    for (uint32_t c = 0; c < N_PLANE0; c++) {
        char bytes[4];
        size_t n;

        step.is_plain[c] =
            is_ordinary(c) && charsmap_find(step.map, bytes, utf8_encode(c, bytes), &n) == NULL;
    }
    return add_step(normalizer, &step, err);
}

int text_normalizer_add_form(struct text_normalizer *normalizer, enum text_form form,
                             ernie_error *err)
{
    struct step step = { .kind = STEP_FORM, .form = form };

    return add_step(normalizer, &step, err);
}

int text_normalizer_add_lowercase(struct text_normalizer *normalizer, ernie_error *err)
{
    struct step step = { .kind = STEP_LOWERCASE };

    return add_step(normalizer, &step, err);
}

int text_normalizer_add_strip_accents(struct text_normalizer *normalizer, ernie_error *err)
{
    struct step step = { .kind = STEP_STRIP_ACCENTS };

    return add_step(normalizer, &step, err);
}

/* Copies the strings into the step and adds it. */
static int add_step_with(struct text_normalizer *normalizer, struct step *step,
                         const char *pattern, size_t pattern_size, const char *content,
                         size_t content_size, ernie_error *err)
{
    step->pattern = memory_copy_text(pattern, pattern_size);
    step->pattern_size = pattern_size;
    step->content = memory_copy_text(content, content_size);
    step->content_size = content_size;
    if (step->pattern == NULL || step->content == NULL) {
        step_reset(step);
        return error_set(err, ERNIE_ENOMEM, "normalizer: out of memory");
    }
    return add_step(normalizer, step, err);
}

int text_normalizer_add_replace(struct text_normalizer *normalizer, const char *pattern,
                                size_t pattern_size, const char *content, size_t content_size,
                                ernie_error *err)
{
    struct step step = { .kind = STEP_REPLACE };

    return add_step_with(normalizer, &step, pattern, pattern_size, content, content_size, err);
}

int text_normalizer_add_replace_spaces(struct text_normalizer *normalizer, size_t at_least,
                                       const char *content, size_t content_size, ernie_error *err)
{
    struct step step = { .kind = STEP_REPLACE_SPACES, .at_least = at_least };

    return add_step_with(normalizer, &step, "", 0, content, content_size, err);
}

int text_normalizer_add_strip(struct text_normalizer *normalizer, int left, int right,
                              ernie_error *err)
{
    struct step step = { .kind = STEP_STRIP, .left = left, .right = right };

    return add_step(normalizer, &step, err);
}

int text_normalizer_add_prepend(struct text_normalizer *normalizer, const char *content,
                                size_t content_size, ernie_error *err)
{
    struct step step = { .kind = STEP_PREPEND };

    return add_step_with(normalizer, &step, "", 0, content, content_size, err);
}

/* Grows an array to n things of the given size, and by half at least. */
static void *grow(void *array, size_t *capacity, size_t n, size_t size)
{
    size_t wanted = n + n / 2 + 256;
    void *grown;

    if (n <= *capacity)
        return array;
    if (wanted < n)
        return NULL;
    grown = memory_resize(array, wanted, size);
    if (grown != NULL)
        *capacity = wanted;
    return grown;
}

/* Room for n more bytes; 0 when there is none. */
static int make_room(struct sink *sink, size_t n)
{
    struct normalized_text *out = sink->out;
    void *grown;

    if (sink->failed || n > SIZE_MAX / 4 - sink->size)
        goto failed;
    n += sink->size;
    grown = grow(out->room[sink->room].text, &out->room[sink->room].text_capacity, n, 1);
    if (grown == NULL)
        goto failed;
    out->room[sink->room].text = grown;
    if (sink->with_spans) {
        grown = grow(out->room[sink->room].origin, &out->room[sink->room].origin_capacity, n,
                     sizeof(struct token_span));
        if (grown == NULL)
            goto failed;
        out->room[sink->room].origin = grown;
    }
    return 1;
failed:
    sink->failed = 1;
    return 0;
}

/* Writes bytes that all come from one span of the text as given. */
static void put(struct sink *sink, const char *bytes, size_t n, struct token_span origin)
{
    if (n == 0 || !make_room(sink, n))
        return;
    memcpy(sink->out->room[sink->room].text + sink->size, bytes, n);
    if (sink->with_spans)
        for (size_t i = 0; i < n; i++)
            sink->out->room[sink->room].origin[sink->size + i] = origin;
    sink->size += n;
}

/* Writes what the source has at [start, end), as it is. */
static void copy(struct sink *sink, const struct source *source, size_t start, size_t end)
{
    size_t n = end - start;

    if (n == 0 || !make_room(sink, n))
        return;
    memcpy(sink->out->room[sink->room].text + sink->size, source->text + start, n);
    if (sink->with_spans)
        memcpy(sink->out->room[sink->room].origin + sink->size, source->origin + start,
               n * sizeof *source->origin);
    sink->size += n;
}

/* What [start < end) of the source covers of the text as given. */
static struct token_span origin_of(const struct source *source, size_t start, size_t end)
{
    if (source->origin == NULL)
        return (struct token_span){ 0, 0 };
    return (struct token_span){ source->origin[start].start, source->origin[end - 1].end };
}

/* The text as given, made valid UTF-8. */
static void read_text(const char *text, size_t size, struct sink *sink)
{
    size_t n;

    if (!sink->with_spans && utf8_valid(text, size)) {
        put(sink, text, size, (struct token_span){ 0, 0 });
        return;
    }
    for (size_t i = 0; i < size; i += n) {
        char bytes[4];
        size_t n_bytes = utf8_encode(utf8_decode(text + i, size - i, &n, NULL), bytes);

        put(sink, bytes, n_bytes, (struct token_span){ i, i + n });
    }
}

/* The character at i, which the source has whole. */
static inline uint32_t decode(const struct source *source, size_t i, size_t *n)
{
    return utf8_decode(source->text + i, source->size - i, n, NULL);
}

/* utf8_decode for what nearly every text is made of. */
static inline uint32_t decode_quick(const struct source *source, size_t i, size_t *n)
{
    const unsigned char *s = (const unsigned char *)source->text + i;

    if (s[0] < 0x80) {
        *n = 1;
        return s[0];
    }
    if ((s[0] & 0xf0) == 0xe0) {
        *n = 3;
        return (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
    }
    return decode(source, i, n);
}

/* Where the grapheme cluster that begins at start ends (Unicode Standard Annex 29,
 * extended clusters). */
static size_t cluster_end(const struct source *source, size_t start)
{
    utf8proc_int32_t state = 0;
    size_t n;
    utf8proc_int32_t before = in_cluster(decode(source, start, &n));

    for (size_t i = start + n; i < source->size; i += n) {
        utf8proc_int32_t c = in_cluster(decode(source, i, &n));

        if (utf8proc_grapheme_break_stateful(before, c, &state))
            return i;
        before = c;
    }
    return source->size;
}

/* One replacement for [start, end), if the map has it. */
static int put_mapped(const struct step *step, const struct source *source, size_t start,
                      size_t end, struct sink *sink)
{
    size_t n;
    const char *mapped = charsmap_find(step->map, source->text + start, end - start, &n);

    if (mapped == NULL)
        return 0;
    put(sink, mapped, n, origin_of(source, start, end));
    return 1;
}

static void precompiled(const struct step *step, const struct source *source, struct sink *sink)
{
    size_t n, n_next;

    for (size_t i = 0; i < source->size;) {
        size_t start = i, end;

        /* Plain characters up to the last, which may belong to what follows. */
        while (i < source->size) {
            uint32_t next = decode_quick(source, i, &n_next);

            if (next >= N_PLANE0 || !step->is_plain[next])
                break;
            n = n_next;
            i += n;
        }
        if (i > start && i < source->size)
            i -= n;
        copy(sink, source, start, i);
        if (i == source->size)
            break;

        end = cluster_end(source, i);
        if (end - i >= CLUSTER_BYTES || !put_mapped(step, source, i, end, sink)) {
            for (; i < end; i += n) {
                decode(source, i, &n);
                if (!put_mapped(step, source, i, i + n, sink))
                    copy(sink, source, i, i + n);
            }
        }
        i = end;
    }
}

static void lowercase(const struct source *source, struct sink *sink)
{
    size_t n;

    for (size_t i = 0; i < source->size; i += n) {
        uint32_t c = decode(source, i, &n), lower = normalize_lower(c);
        char bytes[4];

        if (c == 0x0130) /* the one capital with two small characters: i, a dot above */
            put(sink, "i\xcc\x87", 3, origin_of(source, i, i + n));
        else if (lower == c)
            copy(sink, source, i, i + n);
        else
            put(sink, bytes, utf8_encode(lower, bytes), origin_of(source, i, i + n));
    }
}

static void strip_accents(const struct source *source, struct sink *sink)
{
    size_t n;

    for (size_t i = 0; i < source->size; i += n) {
        if (!normalize_is_mark(decode(source, i, &n)))
            copy(sink, source, i, i + n);
        else if (sink->size == 0)
            sink->out->is_cut = 1;
    }
}

/* Puts the content for [start, end). At the beginning of the text Hugging Face's
 * takes it to come from the last of several characters. */
static void put_content(const struct step *step, const struct source *source, size_t start,
                        size_t end, struct sink *sink)
{
    size_t n;

    decode(source, start, &n);
    if (start == 0 && (n < end || step->content_size == 0))
        sink->out->is_cut = 1;
    put(sink, step->content, step->content_size, origin_of(source, start, end));
}

static void replace(const struct step *step, const struct source *source, struct sink *sink)
{
    size_t start = 0, i = 0;

    while (step->pattern_size > 0 && source->size - i >= step->pattern_size) {
        const char *found = memmem(source->text + i, source->size - i, step->pattern,
                                   step->pattern_size);

        if (found == NULL)
            break;
        i = (size_t)(found - source->text);
        copy(sink, source, start, i);
        put_content(step, source, i, i + step->pattern_size, sink);
        start = i += step->pattern_size;
    }
    copy(sink, source, start, source->size);
}

static void replace_spaces(const struct step *step, const struct source *source, struct sink *sink)
{
    size_t start = 0;

    for (size_t i = 0; i < source->size;) {
        size_t end = i;

        while (end < source->size && source->text[end] == ' ')
            end++;
        if (end > i && end - i >= step->at_least) {
            copy(sink, source, start, i);
            put_content(step, source, i, end, sink);
            start = end;
        }
        i = end > i ? end : i + 1;
    }
    copy(sink, source, start, source->size);
}

static void strip(const struct step *step, const struct source *source, struct sink *sink)
{
    size_t start = 0, end = source->size, n;

    while (step->left && start < end && normalize_is_white(decode(source, start, &n)))
        start += n;
    while (step->right && start < end) {
        size_t last = utf8_floor(source->text, end - 1);

        if (!normalize_is_white(decode(source, last, &n)))
            break;
        end = last;
    }
    if (start > 0)
        sink->out->is_cut = 1;
    copy(sink, source, start, end);
}

static void prepend(const struct step *step, const struct source *source, struct sink *sink)
{
    size_t n;

    if (source->size == 0)
        return;
    decode(source, 0, &n);
    put(sink, step->content, step->content_size, origin_of(source, 0, n));
    copy(sink, source, 0, source->size);
}

/* A character that no form changes; it may still be the first of a unit. */
static int is_inert(uint32_t c)
{
    return c < 0x80 || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x4e00 && c <= 0x9fff);
}

/* Whether what begins with this character, which is not to be decomposed further,
 * is changed by nothing in front of it. */
static int starts_unit(int32_t c)
{
    /* Vowels and last consonants of Hangul join what they follow; of the other
     * starters only marks do. */
    return normalize_combining_class((uint32_t)c) == 0 && !normalize_is_mark((uint32_t)c) && !(c >= 0x1161 && c <= 0x11c2);
}

static int32_t *unit_room(struct normalized_text *out, int which, size_t n)
{
    int32_t *grown = grow(out->unit[which], &out->unit_capacity[which], n, sizeof *grown);

    if (grown != NULL)
        out->unit[which] = grown;
    return grown;
}

/* Canonical ordering (Unicode 3.11, D108 and D109): marks that follow one another
 * go by their class, those of the same class keep their order. Counting the
 * classes keeps a text of nothing but marks linear. */
static int order_marks(struct normalized_text *out, size_t n)
{
    int32_t *unit = out->unit[0];
    int32_t *ordered;
    size_t start = 0;

    while (start < n) {
        size_t count[257] = { 0 };
        size_t end = start;
        int is_ordered = 1;
        uint8_t before = 0;

        for (; end < n; end++) {
            uint8_t class = normalize_combining_class((uint32_t)unit[end]);

            if (class == 0)
                break;
            is_ordered &= class >= before;
            before = class;
            count[class + 1]++;
        }
        if (!is_ordered) {
            ordered = unit_room(out, 1, end - start);
            if (ordered == NULL)
                return 0;
            for (size_t i = 1; i < 257; i++)
                count[i] += count[i - 1];
            for (size_t i = start; i < end; i++)
                ordered[count[normalize_combining_class((uint32_t)unit[i])]++] = unit[i];
            memcpy(unit + start, ordered, (end - start) * sizeof *unit);
        }
        start = end + 1;
    }
    return 1;
}

/* Reads the unit that begins at start, decomposed and in order, into unit[0];
 * returns where it ends, or 0 when memory ran out. */
static size_t read_unit(const struct source *source, size_t start, int compatible,
                        struct normalized_text *out, size_t *n_unit)
{
    size_t i = start, n_all = 0, n;

    while (i < source->size) {
        int32_t part[NORMALIZE_MAX_DECOMPOSED];
        size_t n_parts = normalize_decompose(decode(source, i, &n), compatible, part);
        int32_t *unit;

        if (i > start && starts_unit(part[0]))
            break;
        unit = unit_room(out, 0, n_all + n_parts);
        if (unit == NULL)
            return 0;
        memcpy(unit + n_all, part, n_parts * sizeof *unit);
        n_all += n_parts;
        i += n;
    }
    if (!order_marks(out, n_all))
        return 0;
    *n_unit = n_all;
    return i;
}

static void form(const struct step *step, const struct source *source, struct sink *sink)
{
    int compatible = step->form == TEXT_NFKC || step->form == TEXT_NFKD;
    int composed = step->form == TEXT_NFC || step->form == TEXT_NFKC;
    size_t n = 0, n_next, n_unit;

    for (size_t i = 0; i < source->size;) {
        size_t start = i, end;
        struct token_span origin;

        while (i < source->size && is_inert(decode_quick(source, i, &n_next))) {
            n = n_next;
            i += n;
        }
        if (i > start && i < source->size)
            i -= n;
        copy(sink, source, start, i);
        if (i == source->size)
            break;

        end = read_unit(source, i, compatible, sink->out, &n_unit);
        if (end == 0) {
            sink->failed = 1;
            return;
        }
        if (composed) {
            utf8proc_ssize_t left = utf8proc_normalize_utf32(
                sink->out->unit[0], (utf8proc_ssize_t)n_unit, UTF8PROC_COMPOSE | UTF8PROC_STABLE);

            n_unit = left < 0 ? 0 : (size_t)left;
        }
        origin = origin_of(source, i, end);
        for (size_t k = 0; k < n_unit; k++) {
            char bytes[4];

            put(sink, bytes, utf8_encode((uint32_t)sink->out->unit[0][k], bytes), origin);
        }
        i = end;
    }
}

static void run_step(const struct step *step, const struct source *source, struct sink *sink)
{
    switch (step->kind) {
    case STEP_PRECOMPILED:
        precompiled(step, source, sink);
        break;
    case STEP_FORM:
        form(step, source, sink);
        break;
    case STEP_LOWERCASE:
        lowercase(source, sink);
        break;
    case STEP_STRIP_ACCENTS:
        strip_accents(source, sink);
        break;
    case STEP_REPLACE:
        replace(step, source, sink);
        break;
    case STEP_REPLACE_SPACES:
        replace_spaces(step, source, sink);
        break;
    case STEP_STRIP:
        strip(step, source, sink);
        break;
    case STEP_PREPEND:
        prepend(step, source, sink);
        break;
    }
}

int text_normalizer_apply(const struct text_normalizer *normalizer, const char *text, size_t size,
                          int with_spans, struct normalized_text *out, ernie_error *err)
{
    struct sink sink = { .out = out, .with_spans = with_spans };

    out->is_cut = 0;
    read_text(text, size, &sink);
    for (size_t i = 0; i < normalizer->n_steps && !sink.failed; i++) {
        struct source source = { out->room[sink.room].text, sink.size,
                                 with_spans ? out->room[sink.room].origin : NULL };

        sink.room = !sink.room;
        sink.size = 0;
        run_step(&normalizer->step[i], &source, &sink);
    }
    if (sink.failed)
        return error_set(err, ERNIE_ENOMEM, "normalizer: out of memory");
    out->text = out->room[sink.room].text;
    out->size = sink.size;
    out->origin = with_spans ? out->room[sink.room].origin : NULL;
    return ERNIE_OK;
}

void normalized_text_reset(struct normalized_text *text)
{
    for (int i = 0; i < 2; i++) {
        memory_free(text->room[i].text);
        memory_free(text->room[i].origin);
        memory_free(text->unit[i]);
    }
    memset(text, 0, sizeof *text);
}
