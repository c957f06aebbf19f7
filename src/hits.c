/* Hits and what else leaves the library as JSON. */
#include <math.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "ernie.h"

/* Of a vector in JSON: no model gives as many. */
#define MAX_NUMBERS 65536

void ernie_hits_free(struct ernie_hits *hits)
{
    if (hits == NULL)
        return;
    for (size_t i = 0; i < hits->n; i++) {
        memory_free((char *)(uintptr_t)hits->hit[i].path);
        memory_free((char *)(uintptr_t)hits->hit[i].title);
        memory_free((char *)(uintptr_t)hits->hit[i].heading);
        memory_free((char *)(uintptr_t)hits->hit[i].format);
        memory_free((char *)(uintptr_t)hits->hit[i].author);
        memory_free((char *)(uintptr_t)hits->hit[i].language);
        memory_free((char *)(uintptr_t)hits->hit[i].date);
        memory_free((char *)(uintptr_t)hits->hit[i].snippet);
        memory_free((struct ernie_mark *)(uintptr_t)hits->hit[i].marks);
        memory_free((struct ernie_place *)(uintptr_t)hits->hit[i].places);
    }
    memory_free(hits->hit);
    memory_free(hits);
}

/* Where in the snippet the query's words are, counted in characters: what a program that
 * reads JSON has is no longer bytes. */
static void append_marks(struct buffer *out, const struct ernie_hit *hit)
{
    size_t at = 0, n_characters = 0;

    buffer_append_text(out, ",\"marks\":[");
    for (size_t i = 0; i < hit->n_marks; i++) {
        const struct ernie_mark *mark = &hit->marks[i];
        size_t start;

        n_characters += utf8_count(hit->snippet + at, mark->start - at);
        start = n_characters;
        n_characters += utf8_count(hit->snippet + mark->start, mark->end - mark->start);
        buffer_printf(out, "%s[%zu,%zu]", i > 0 ? "," : "", start, n_characters);
        at = mark->end;
    }
    buffer_append_char(out, ']');
}

static void append_page(struct buffer *out, size_t page)
{
    buffer_append_text(out, ",\"page\":");
    if (page > 0)
        buffer_printf(out, "%zu", page);
    else
        buffer_append_text(out, "null");
}

static void append_places(struct buffer *out, const struct ernie_hit *hit)
{
    buffer_printf(out, ",\"n_more\":%zu,\"places\":[", hit->n_more);
    for (size_t i = 0; i < hit->n_places; i++) {
        const struct ernie_place *place = &hit->places[i];

        buffer_printf(out, "%s{\"chunk_id\":%lld", i > 0 ? "," : "", (long long)place->chunk_id);
        append_page(out, place->page);
        buffer_printf(out, ",\"line\":%zu}", place->line);
    }
    buffer_append_char(out, ']');
}

static void append_rank(struct buffer *out, const char *name, size_t rank)
{
    if (rank > 0)
        buffer_printf(out, ",\"%s\":%zu", name, rank);
    else
        buffer_printf(out, ",\"%s\":null", name);
}

/* null for what the document does not say. */
static void append_unless_empty(struct buffer *out, const char *key, const char *value)
{
    buffer_printf(out, ",\"%s\":", key);
    if (value[0] != '\0')
        json_append_text(out, value);
    else
        buffer_append_text(out, "null");
}

static void append_hit(struct buffer *out, const struct ernie_hit *hit)
{
    buffer_printf(out, "{\"rank\":%zu,\"score\":", hit->rank);
    json_append_float(out, (float)hit->score);
    buffer_append_text(out, ",\"fused_score\":");
    json_append_float(out, (float)hit->fused_score);
    buffer_append_text(out, ",\"bm25\":");
    json_append_float(out, (float)hit->bm25);
    append_rank(out, "vector_rank", hit->vector_rank);
    append_rank(out, "keyword_rank", hit->keyword_rank);
    if (!isnan(hit->rerank_score)) {
        buffer_append_text(out, ",\"rerank_score\":");
        json_append_float(out, (float)hit->rerank_score);
    }
    buffer_append_text(out, ",\"path\":");
    json_append_text(out, hit->path);
    buffer_append_text(out, ",\"title\":");
    json_append_text(out, hit->title);
    buffer_append_text(out, ",\"heading\":");
    json_append_text(out, hit->heading);
    buffer_append_text(out, ",\"format\":");
    json_append_text(out, hit->format);
    append_unless_empty(out, "author", hit->author);
    append_unless_empty(out, "language", hit->language);
    append_unless_empty(out, "date", hit->date);
    append_page(out, hit->page);
    buffer_printf(out, ",\"line\":%zu,\"snippet\":", hit->line);
    json_append_text(out, hit->snippet);
    append_marks(out, hit);
    append_places(out, hit);
    buffer_printf(out, ",\"document_id\":%lld,\"chunk_id\":%lld}", (long long)hit->document_id,
                  (long long)hit->chunk_id);
}

static int take_json(struct buffer *buffer, char **out, ernie_error *err)
{
    char *text = buffer_take(buffer);

    if (text == NULL)
        return error_set(err, ERNIE_ENOMEM, "JSON: out of memory");
    *out = text;
    return ERNIE_OK;
}

int ernie_hit_to_json(const struct ernie_hit *hit, char **out, ernie_error *err)
{
    struct buffer buffer = { 0 };

    append_hit(&buffer, hit);
    return take_json(&buffer, out, err);
}

int ernie_hits_to_json(const struct ernie_hits *hits, char **out, ernie_error *err)
{
    struct buffer buffer = { 0 };

    buffer_append_char(&buffer, '[');
    for (size_t i = 0; i < hits->n; i++) {
        if (i > 0)
            buffer_append_char(&buffer, ',');
        append_hit(&buffer, &hits->hit[i]);
    }
    buffer_append_char(&buffer, ']');
    return take_json(&buffer, out, err);
}

int ernie_text_to_json(const char *text, char **out, ernie_error *err)
{
    struct buffer buffer = { 0 };

    json_append_text(&buffer, text);
    return take_json(&buffer, out, err);
}

int ernie_vector_to_json(size_t dim, const float *vector, char **out, ernie_error *err)
{
    struct buffer buffer = { 0 };

    buffer_append_char(&buffer, '[');
    for (size_t i = 0; i < dim; i++) {
        if (i > 0)
            buffer_append_char(&buffer, ',');
        json_append_float(&buffer, vector[i]);
    }
    buffer_append_char(&buffer, ']');
    return take_json(&buffer, out, err);
}

int ernie_vector_from_json(const char *text, size_t *dim, float **out, ernie_error *err)
{
    const char *const name = "vector";
    const size_t size = text != NULL ? strlen(text) : 0;
    json *document = NULL;
    float *vector = NULL;
    size_t n = 0;
    int status = json_check_size(name, text != NULL ? text : "", size, 1, MAX_NUMBERS + 1, err);

    if (status == ERNIE_OK)
        status = json_parse(name, text != NULL ? text : "", size, &document, err);
    if (status != ERNIE_OK)
        return status;
    n = json_count(document);
    if (json_kind(document) != JSON_KIND_ARRAY || n == 0) {
        status = error_set(err, ERNIE_EFORMAT, "%s: not a JSON array of numbers", name);
        goto done;
    }
    vector = memory_new(n, sizeof *vector);
    if (vector == NULL) {
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", name);
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        const json *value = json_element(document, i);
        const enum json_kind kind = json_kind(value);

        vector[i] = (float)json_to_number(value);
        if ((kind != JSON_KIND_INTEGER && kind != JSON_KIND_REAL) || !isfinite(vector[i])) {
            status = error_set(err, ERNIE_EFORMAT, "%s: element %zu is not a number of float32",
                               name, i);
            goto done;
        }
    }
    *dim = n;
    *out = vector;
    vector = NULL; /* the caller's now */
done:
    memory_free(vector);
    json_free(document);
    return status;
}

void ernie_free(void *memory)
{
    memory_free(memory);
}
