#include "model/metaspace.h"

#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "model/normalize.h"

void metaspace_begin(struct metaspace_walk *walk, const struct metaspace *rules,
                     const struct normalized_text *text, int at_start)
{
    walk->rules = rules;
    walk->source = text;
    walk->source_next = 0;
    walk->part.size = 0;
    walk->part_next = 0;
    walk->at_start = at_start;
}

/* The next part of the source, [start, end): all of it, or up to white space.
 * Returns 0 when there is none. */
static int find_part(struct metaspace_walk *walk, size_t *start, size_t *end)
{
    const struct normalized_text *source = walk->source;
    size_t i = walk->source_next, n;

    if (!walk->rules->whitespace_split) {
        *start = i;
        *end = walk->source_next = source->size;
        return *start < *end;
    }
    for (; i < source->size; i += n)
        if (!normalize_is_white(utf8_decode(source->text + i, source->size - i, &n, NULL)))
            break;
    *start = i;
    for (; i < source->size; i += n)
        if (normalize_is_white(utf8_decode(source->text + i, source->size - i, &n, NULL)))
            break;
    *end = walk->source_next = i;
    return *start < *end;
}

static int part_room(struct metaspace_walk *walk, size_t size)
{
    struct normalized_text *part = &walk->part;
    size_t capacity = size + size / 2 + 64;

    if (size > part->room[0].text_capacity) {
        char *text = memory_resize(part->room[0].text, capacity, 1);

        if (text == NULL)
            return 0;
        part->room[0].text = text;
        part->room[0].text_capacity = capacity;
    }
    if (walk->source->origin != NULL && size > part->room[0].origin_capacity) {
        struct token_span *origin = memory_resize(part->room[0].origin, capacity, sizeof *origin);

        if (origin == NULL)
            return 0;
        part->room[0].origin = origin;
        part->room[0].origin_capacity = capacity;
    }
    return 1;
}

static void add(struct normalized_text *part, const char *bytes, size_t n,
                const struct token_span *origin)
{
    memcpy(part->room[0].text + part->size, bytes, n);
    if (origin != NULL)
        for (size_t i = 0; i < n; i++)
            part->room[0].origin[part->size + i] = *origin;
    part->size += n;
}

static int is_replacement(const struct metaspace *rules, const char *text, size_t size)
{
    return size >= rules->replacement_size &&
           memcmp(text, rules->replacement, rules->replacement_size) == 0;
}

/* Whether the part that begins at start gets a replacement put before it. */
static int is_prepended(const struct metaspace_walk *walk, size_t start, size_t end)
{
    const struct metaspace *rules = walk->rules;
    const struct normalized_text *source = walk->source;

    if (source->text[start] == ' ' ||
        is_replacement(rules, source->text + start, end - start))
        return 0;
    switch (rules->prepend) {
    case METASPACE_ALWAYS:
        return 1;
    case METASPACE_FIRST:
        return walk->at_start && start == 0 && !source->is_cut;
    case METASPACE_NEVER:
        break;
    }
    return 0;
}

/* Writes [start, end) of the source with each space replaced. Returns 0 when
 * memory ran out. */
static int write_part(struct metaspace_walk *walk, size_t start, size_t end)
{
    const struct metaspace *rules = walk->rules;
    const char *text = walk->source->text;
    const struct token_span *origin = walk->source->origin;
    struct normalized_text *part = &walk->part;
    size_t size = end - start + rules->replacement_size;

    for (size_t i = start; i < end; i++)
        if (text[i] == ' ')
            size += rules->replacement_size;
    if (!part_room(walk, size))
        return 0;
    part->size = 0;
    if (is_prepended(walk, start, end))
        add(part, rules->replacement, rules->replacement_size,
            origin == NULL ? NULL : &origin[start]);
    for (size_t i = start; i < end; i++) {
        int is_space = text[i] == ' ';

        add(part, is_space ? rules->replacement : text + i,
            is_space ? rules->replacement_size : 1, origin == NULL ? NULL : &origin[i]);
    }
    return 1;
}

/* Where the pre-token that begins at start ends: before the next replacement. */
static size_t find_end(const struct metaspace_walk *walk, const char *text, size_t size)
{
    const struct metaspace *rules = walk->rules;
    const char *found;

    if (!rules->split || size <= rules->replacement_size)
        return size;
    /* One that begins here belongs to this pre-token, and only its first byte is
     * stepped over: no character begins within another. */
    found = memmem(text + 1, size - 1, rules->replacement, rules->replacement_size);
    return found == NULL ? size : (size_t)(found - text);
}

int metaspace_next(struct metaspace_walk *walk, int *more, ernie_error *err)
{
    struct normalized_text *part = &walk->part;
    size_t start, end;

    *more = 0;
    if (walk->part_next == part->size) {
        if (!find_part(walk, &start, &end))
            return ERNIE_OK;
        if (walk->rules->replacement_size == 0) {
            walk->text = walk->source->text + start;
            walk->size = end - start;
            walk->origin = walk->source->origin == NULL ? NULL : walk->source->origin + start;
            *more = 1;
            return ERNIE_OK;
        }
        if (!write_part(walk, start, end))
            return error_set(err, ERNIE_ENOMEM, "tokenizer: out of memory");
        walk->part_next = 0;
    }
    start = walk->part_next;
    end = start + find_end(walk, part->room[0].text + start, part->size - start);
    walk->text = part->room[0].text + start;
    walk->size = end - start;
    walk->origin = walk->source->origin == NULL ? NULL : part->room[0].origin + start;
    walk->part_next = end;
    *more = 1;
    return ERNIE_OK;
}

void metaspace_walk_reset(struct metaspace_walk *walk)
{
    normalized_text_reset(&walk->part);
    memset(walk, 0, sizeof *walk);
}
