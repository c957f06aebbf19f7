/* What the arguments of CREATE VIRTUAL TABLE … USING ernie(…) say: columns, of which some
 * are embedded, and options. */
#ifndef ERNIE_SQL_VECTORS_DEFINITION_H
#define ERNIE_SQL_VECTORS_DEFINITION_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

enum vectors_role {
    VECTORS_TEXT,   /* embedded */
    VECTORS_VECTOR, /* brings its vector itself */
    VECTORS_OTHER   /* kept, and good for a WHERE */
};

struct vectors_column {
    char *name;
    char *type; /* as it was written, or "" */
    enum vectors_role role;
};

/* Either some columns are texts, or one is a vector. */
struct vectors_definition {
    struct vectors_column *column; /* [n] */
    size_t n;
    int vector;    /* which column brings vectors, or -1 */
    size_t dim;    /* of those */
    char *model;   /* name, or NULL */
    char *index;   /* "auto" unless it was given */
    char *content; /* the table that has the rows, or NULL: one of our own */
    int is_half;   /* vectors are kept as float16 */
    int has_words; /* texts can be searched by keyword: unless words=off was given */
};

/* Hidden columns after the declared ones. The first has the table's name and stands for the
 * question, so that notes('…', 10) asks for ten rows. */
enum vectors_hidden {
    HIDDEN_QUERY,
    HIDDEN_K,
    HIDDEN_MODE,
    HIDDEN_SCORE,
    HIDDEN_RANK,
    HIDDEN_DISTANCE,
    HIDDEN_SNIPPET,
    N_HIDDEN
};

/* n arguments as xCreate has them from argv[3] on; table is the table's name.
 * ERNIE_EINVAL names the argument that cannot be. */
int vectors_definition_parse(const char *table, size_t n, const char *const *arguments,
                             struct vectors_definition *out, ernie_error *err);
void vectors_definition_reset(struct vectors_definition *definition);

/* What sqlite3_declare_vtab is told. memory_free; NULL when memory ran out. */
char *vectors_definition_declare(const struct vectors_definition *definition, const char *table);

/* Appends a name in quotes, as SQL wants it. */
void append_identifier(struct buffer *out, const char *name);

#endif
