/* Reads the .model files that data/unigram/make_reference.py writes: what a
 * tokenizer.json says, a line each, without JSON. Strings have \n, \r, \0 and \\.
 *
 *     normalize precompiled | nfc | nfd | nfkc | nfkd | lowercase | stripaccents
 *     normalize strip LEFT RIGHT | prepend<tab>STRING
 *     normalize replace<tab>STRING<tab>STRING | spaces AT_LEAST<tab>STRING
 *     whitespace
 *     metaspace always|first|never SPLIT<tab>REPLACEMENT
 *     pieces N UNK_ID BYTE_FALLBACK
 *     SCORE<tab>PIECE                                     N times
 */
#ifndef ERNIE_TESTS_UNIGRAM_FILE_H
#define ERNIE_TESTS_UNIGRAM_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/metaspace.h"
#include "model/text_normalizer.h"
#include "model/unigram.h"

struct unigram_file {
    struct text_normalizer *normalizer;
    struct metaspace metaspace;
    size_t n;
    struct unigram_piece *piece; /* [n] */
    int32_t unk_id;
    int byte_fallback;
    char *bytes; /* the file */
};

/* The scratch of one thread, for all stages. */
struct unigram_reader {
    struct normalized_text text;
    struct metaspace_walk walk;
    struct unigram_scratch *scratch;
};

static inline char *unigram_read_bytes(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes = NULL;

    *size = 0;
    for (size_t n = 1, capacity = 0; file != NULL && n > 0; *size += n) {
        if (capacity - *size < 2) {
            capacity = 2 * capacity + 65536;
            bytes = realloc(bytes, capacity);
            if (bytes == NULL)
                abort();
        }
        n = fread(bytes + *size, 1, capacity - *size - 1, file);
    }
    if (file == NULL) {
        fprintf(stderr, "%s: cannot open\n", path);
        exit(2);
    }
    fclose(file);
    bytes[*size] = '\0';
    return bytes;
}

/* Takes the backslashes of text, up to its 0 byte, out in place; returns the size
 * of what is left. */
static inline size_t unigram_unescape(char *text)
{
    size_t n = 0;

    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\\' && c[1] != '\0') {
            c++;
            text[n++] = *c == 'n' ? '\n' : *c == 'r' ? '\r' : *c == '0' ? '\0' : *c;
        } else {
            text[n++] = *c;
        }
    }
    return n;
}

/* The rest of a line behind a tab, and what is left of the line; "" without a tab. */
static inline char *unigram_cut(char *line)
{
    char *tab = strchr(line, '\t');

    if (tab == NULL)
        return line + strlen(line);
    *tab = '\0';
    return tab + 1;
}

static inline int unigram_add_step(struct unigram_file *file, const char *path, char *line,
                                   ernie_error *err)
{
    static const char *const form[] = { "nfc", "nfd", "nfkc", "nfkd" };
    struct text_normalizer *normalizer = file->normalizer;
    char *first = unigram_cut(line), *second = unigram_cut(first);
    size_t n_first = unigram_unescape(first), n_second = unigram_unescape(second);
    unsigned long number;
    int left, right;

    if (strcmp(line, "precompiled") == 0) {
        char name[4096];
        size_t size;
        char *blob;
        int status;

        snprintf(name, sizeof name, "%.*s.charsmap", (int)(strlen(path) - strlen(".model")), path);
        blob = unigram_read_bytes(name, &size);
        status = text_normalizer_add_precompiled(normalizer, blob, size, err);
        free(blob);
        return status;
    }
    for (int i = 0; i < 4; i++)
        if (strcmp(line, form[i]) == 0)
            return text_normalizer_add_form(normalizer, (enum text_form)i, err);
    if (strcmp(line, "lowercase") == 0)
        return text_normalizer_add_lowercase(normalizer, err);
    if (strcmp(line, "stripaccents") == 0)
        return text_normalizer_add_strip_accents(normalizer, err);
    if (sscanf(line, "strip %d %d", &left, &right) == 2)
        return text_normalizer_add_strip(normalizer, left, right, err);
    if (strcmp(line, "prepend") == 0)
        return text_normalizer_add_prepend(normalizer, first, n_first, err);
    if (strcmp(line, "replace") == 0)
        return text_normalizer_add_replace(normalizer, first, n_first, second, n_second, err);
    if (sscanf(line, "spaces %lu", &number) == 1)
        return text_normalizer_add_replace_spaces(normalizer, number, first, n_first, err);
    return error_set(err, ERNIE_EFORMAT, "%s: no step %s", path, line);
}

static inline int unigram_read_line(struct unigram_file *file, const char *path, char *line,
                                    ernie_error *err)
{
    char scheme[16];
    int split;

    if (strncmp(line, "normalize ", 10) == 0)
        return unigram_add_step(file, path, line + 10, err);
    if (strcmp(line, "whitespace") == 0) {
        file->metaspace.whitespace_split = 1;
        return ERNIE_OK;
    }
    if (sscanf(line, "metaspace %15s %d", scheme, &split) == 2) {
        const char *replacement = unigram_cut(line);

        file->metaspace.replacement_size = strlen(replacement);
        memcpy(file->metaspace.replacement, replacement, strlen(replacement));
        file->metaspace.prepend = scheme[0] == 'a'   ? METASPACE_ALWAYS
                                  : scheme[0] == 'f' ? METASPACE_FIRST
                                                     : METASPACE_NEVER;
        file->metaspace.split = split;
        return ERNIE_OK;
    }
    return error_set(err, ERNIE_EFORMAT, "%s: no line %s", path, line);
}

/* Ends what cannot be read with a message; what is not enough memory it returns. */
static inline int unigram_file_open(const char *path, struct unigram_file *file, ernie_error *err)
{
    int status;
    size_t size, n_read = 0, n_end;
    int has_pieces = 0;

    memset(file, 0, sizeof *file);
    file->bytes = unigram_read_bytes(path, &size);
    status = text_normalizer_new(&file->normalizer, err);
    for (char *line = file->bytes; status == ERNIE_OK && *line != '\0'; line += n_end + 1) {
        n_end = strcspn(line, "\n");
        line[n_end] = '\0';
        if (has_pieces && n_read < file->n) {
            char *text = unigram_cut(line);

            file->piece[n_read].score = strtod(line, NULL);
            file->piece[n_read].text = text;
            file->piece[n_read++].size = unigram_unescape(text);
        } else if (sscanf(line, "pieces %zu %d %d", &file->n, &file->unk_id,
                          &file->byte_fallback) == 3) {
            has_pieces = 1;
            file->piece = calloc(file->n, sizeof *file->piece);
        } else {
            status = unigram_read_line(file, path, line, err);
        }
    }
    return status;
}

static inline void unigram_file_close(struct unigram_file *file)
{
    text_normalizer_free(file->normalizer);
    free(file->piece);
    free(file->bytes);
}

/* Text to ids and, when spans is not NULL, the bytes of text that each covers. */
static inline int unigram_file_encode(const struct unigram_file *file,
                                      const struct unigram *unigram, struct unigram_reader *reader,
                                      const char *text, size_t size, int32_t *ids,
                                      struct token_span *spans, size_t max_ids, size_t *n_ids,
                                      ernie_error *err)
{
    int more, status;
    size_t n = 0, n_more;

    status = text_normalizer_apply(file->normalizer, text, size, spans != NULL, &reader->text, err);
    if (status != ERNIE_OK)
        return status;
    metaspace_begin(&reader->walk, &file->metaspace, &reader->text, 1);
    for (;;) {
        const struct metaspace_walk *walk = &reader->walk;

        status = metaspace_next(&reader->walk, &more, err);
        if (status != ERNIE_OK || !more)
            break;
        status = unigram_encode(unigram, reader->scratch, walk->text, walk->size,
                                ids == NULL ? NULL : ids + n, spans == NULL ? NULL : spans + n,
                                max_ids - n, &n_more, err);
        if (status != ERNIE_OK)
            break;
        for (size_t i = n; spans != NULL && i < n + n_more; i++)
            spans[i] = (struct token_span){ walk->origin[spans[i].start].start,
                                            walk->origin[spans[i].end - 1].end };
        n += n_more;
    }
    *n_ids = n;
    return status;
}

static inline void unigram_reader_reset(struct unigram_reader *reader)
{
    normalized_text_reset(&reader->text);
    metaspace_walk_reset(&reader->walk);
    unigram_scratch_free(reader->scratch);
}

#endif
