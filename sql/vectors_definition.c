#include "sql/vectors_definition.h"

#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "sql/sqlite.h"

#define MAX_DIM 65536
#define MAX_COLUMNS 1000

static const char *const hidden_names[N_HIDDEN] = {
    NULL, "k", "mode", "score", "rank", "distance", "snippet",
};

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "table: out of memory");
}

/* ---- words ------------------------------------------------------------- */

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static int is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static const char *skip_spaces(const char *text)
{
    while (is_space(*text))
        text++;
    return text;
}

/* A word, or what stands between quotes, where a doubled quote is one, from *at on, which
 * is moved past it. NULL when there is none, or memory ran out (err says it). */
static char *read_name(const char **at, ernie_error *err)
{
    const char *text = *at, open = *text, close = open == '[' ? ']' : open;
    struct buffer name = { 0 };
    char *taken;

    if (open == '"' || open == '\'' || open == '`' || open == '[') {
        for (text++; *text != '\0' && (*text != close || (open != '[' && text[1] == close));
             text++) {
            text += *text == close;
            buffer_append_char(&name, *text);
        }
        if (*text == '\0') {
            buffer_reset(&name);
            return NULL;
        }
        text++;
    } else {
        for (; is_word(*text); text++)
            buffer_append_char(&name, *text);
    }
    if (text == *at)
        return NULL;
    *at = text;
    taken = buffer_take(&name);
    if (taken == NULL)
        out_of_memory(err);
    return taken;
}

/* ---- options ----------------------------------------------------------- */

static int set_option(struct vectors_definition *definition, const char *name, char *value,
                      ernie_error *err)
{
    static const char once[] = "table: %s= is given twice";
    char **slot = NULL;

    if (sqlite3_stricmp(name, "model") == 0)
        slot = &definition->model;
    else if (sqlite3_stricmp(name, "index") == 0)
        slot = &definition->index;
    else if (sqlite3_stricmp(name, "content") == 0)
        slot = &definition->content;
    if (slot != NULL) {
        if (*slot != NULL)
            return error_set(err, ERNIE_EINVAL, once, name);
        *slot = value;
        return ERNIE_OK;
    }
    if (sqlite3_stricmp(name, "vector") == 0) {
        if (strcmp(value, "f32") != 0 && strcmp(value, "f16") != 0)
            return error_set(err, ERNIE_EINVAL, "table: vector=%s: must be f32 or f16", value);
        definition->is_half = strcmp(value, "f16") == 0;
    } else if (sqlite3_stricmp(name, "words") == 0) {
        if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
            return error_set(err, ERNIE_EINVAL, "table: words=%s: must be on or off", value);
        definition->has_words = strcmp(value, "on") == 0;
    } else {
        return error_set(err, ERNIE_EINVAL,
                         "table: %s=: no such option; there are model, index, vector, content, "
                         "words",
                         name);
    }
    memory_free(value);
    return ERNIE_OK;
}

static int read_option(struct vectors_definition *definition, const char *name, const char *text,
                       ernie_error *err)
{
    const char *end = skip_spaces(text);
    ernie_error memory = { 0 };
    char *value;
    int status;

    if (*end == '\'' || *end == '"' || *end == '`' || *end == '[') {
        value = read_name(&end, &memory);
        end = skip_spaces(end);
    } else {
        size_t size = strlen(end);

        /* A string of FAISS's factory has commas, and is quoted: it never comes here. */
        while (size > 0 && is_space(end[size - 1]))
            size--;
        value = size > 0 ? memory_copy_text(end, size) : NULL;
        if (size > 0 && value == NULL)
            return out_of_memory(err);
        end += size;
    }
    if (memory.code != ERNIE_OK)
        return out_of_memory(err);
    if (value == NULL || *end != '\0' || value[0] == '\0')
        status = error_set(err, ERNIE_EINVAL, "table: %s=%s: not a value", name, text);
    else
        status = set_option(definition, name, value, err);
    if (status != ERNIE_OK)
        memory_free(value);
    return status;
}

/* ---- columns ----------------------------------------------------------- */

/* The dimension that a type like float[384] says; 0 when it is no such type. */
static size_t vector_dim(const char *type)
{
    const char *text = type;
    size_t dim = 0;

    if (sqlite3_strnicmp(text, "float", 5) != 0)
        return 0;
    text = skip_spaces(text + 5);
    if (*text++ != '[')
        return 0;
    for (text = skip_spaces(text); *text >= '0' && *text <= '9' && dim <= MAX_DIM; text++)
        dim = dim * 10 + (size_t)(*text - '0');
    text = skip_spaces(text);
    return *text == ']' && *skip_spaces(text + 1) == '\0' && dim > 0 ? dim : 0;
}

/* Past "(10, 2)"; NULL when it is something else. */
static const char *skip_sizes(const char *at)
{
    int n = 0;

    do {
        at = skip_spaces(at + 1);
        if (*at < '0' || *at > '9')
            return NULL;
        while (*at >= '0' && *at <= '9')
            at++;
        at = skip_spaces(at);
    } while (*at == ',' && ++n < 2);
    return *at == ')' ? skip_spaces(at + 1) : NULL;
}

/* A type is words, and up to two sizes in brackets; what SQL lets follow it means nothing
 * here, and would not hold. */
static int check_type(const char *column, const char *type, ernie_error *err)
{
    static const char *const others[] = {
        "primary", "key",        "unique",    "not", "null",   "check",      "default",
        "collate", "references", "generated", "as",  "hidden", "constraint", "always",
    };
    const char *at = type;

    while (is_word(*at) && !(*at >= '0' && *at <= '9')) {
        const char *start = at;

        while (is_word(*at))
            at++;
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
            if (strlen(others[i]) == (size_t)(at - start) &&
                sqlite3_strnicmp(others[i], start, (int)(at - start)) == 0)
                return error_set(err, ERNIE_EINVAL,
                                 "table: %s %s: a column has a type at most, no %s", column, type,
                                 others[i]);
        at = skip_spaces(at);
    }
    if (*at == '(' && at > type)
        at = skip_sizes(at);
    return at != NULL && *at == '\0'
               ? ERNIE_OK
               : error_set(err, ERNIE_EINVAL, "table: %s %s: not a type", column, type);
}

/* Takes UNINDEXED from the end of a type; whether it was there. */
static int take_unindexed(char *type)
{
    static const char word[] = "unindexed";
    const size_t size = strlen(type), n = sizeof word - 1;

    if (size < n || sqlite3_stricmp(type + size - n, word) != 0 ||
        (size > n && is_word(type[size - n - 1])))
        return 0;
    type[size - n] = '\0';
    for (size_t i = size - n; i > 0 && is_space(type[i - 1]); i--)
        type[i - 1] = '\0';
    return 1;
}

static int check_name(const struct vectors_definition *definition, const char *table,
                      const char *name, ernie_error *err)
{
    int is_taken = sqlite3_stricmp(name, table) == 0 || sqlite3_stricmp(name, "rowid") == 0;

    for (int i = 1; i < N_HIDDEN; i++)
        is_taken |= sqlite3_stricmp(name, hidden_names[i]) == 0;
    if (is_taken)
        return error_set(err, ERNIE_EINVAL,
                         "table: %s: the table has a column of that name already: there are %s, "
                         "rowid, k, mode, score, rank, distance, snippet",
                         name, table);
    for (size_t i = 0; i < definition->n; i++)
        if (sqlite3_stricmp(name, definition->column[i].name) == 0)
            return error_set(err, ERNIE_EINVAL, "table: %s: two columns of that name", name);
    return ERNIE_OK;
}

/* Takes name over. */
static int read_column(struct vectors_definition *definition, const char *table, char *name,
                       const char *type, ernie_error *err)
{
    struct vectors_column *column = &definition->column[definition->n];
    size_t size = strlen(type), dim;
    int is_unindexed, status;

    while (size > 0 && is_space(type[size - 1]))
        size--;
    column->name = name;
    column->type = memory_copy_text(type, size);
    if (column->type == NULL) {
        memory_free(name);
        return out_of_memory(err);
    }
    status = check_name(definition, table, name, err);
    definition->n++; /* from here on it is released with the rest */
    if (status != ERNIE_OK)
        return status;
    is_unindexed = take_unindexed(column->type);
    dim = vector_dim(column->type);
    column->role = is_unindexed || column->type[0] != '\0' ? VECTORS_OTHER : VECTORS_TEXT;
    if (dim == 0)
        return check_type(name, column->type, err);
    if (dim > MAX_DIM)
        return error_set(err, ERNIE_EINVAL, "table: %s: a vector has at most %d numbers", name,
                         MAX_DIM);
    if (definition->vector >= 0)
        return error_set(err, ERNIE_EINVAL, "table: %s: a table has one vector at most", name);
    if (is_unindexed)
        return error_set(err, ERNIE_EINVAL, "table: %s: a vector is what is searched", name);
    column->role = VECTORS_VECTOR;
    column->type[0] = '\0';
    definition->vector = (int)definition->n - 1;
    definition->dim = dim;
    return ERNIE_OK;
}

/* With a vector column all others are only kept. */
static int settle_roles(struct vectors_definition *definition, ernie_error *err)
{
    size_t n_texts = 0;

    for (size_t i = 0; i < definition->n; i++) {
        if (definition->vector >= 0 && definition->column[i].role == VECTORS_TEXT)
            definition->column[i].role = VECTORS_OTHER;
        n_texts += definition->column[i].role == VECTORS_TEXT;
    }
    if (definition->vector < 0 && n_texts == 0)
        return error_set(err, ERNIE_EINVAL,
                         "table: nothing to embed: give a column without type, as in "
                         "ernie(title, body), or a vector, as in ernie(embedding float[384])");
    definition->has_words &= definition->vector < 0;
    if (definition->vector >= 0 && definition->model != NULL)
        return error_set(err, ERNIE_EINVAL, "table: model= is for texts, not for vectors");
    if (definition->vector >= 0 && definition->content != NULL)
        return error_set(err, ERNIE_EINVAL, "table: content= is for texts, not for vectors");
    return ERNIE_OK;
}

int vectors_definition_parse(const char *table, size_t n, const char *const *arguments,
                             struct vectors_definition *out, ernie_error *err)
{
    struct vectors_definition definition = { .vector = -1, .has_words = 1 };
    int status = ERNIE_OK;

    if (n > MAX_COLUMNS)
        return error_set(err, ERNIE_EINVAL, "table: more than %d columns", MAX_COLUMNS);
    definition.column = memory_new(n, sizeof *definition.column);
    if (definition.column == NULL)
        return out_of_memory(err);
    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        const char *at = skip_spaces(arguments[i]);
        ernie_error memory = { 0 };
        char *name = read_name(&at, &memory);

        at = skip_spaces(at);
        if (memory.code != ERNIE_OK) {
            status = out_of_memory(err);
        } else if (name == NULL || name[0] == '\0') {
            status = error_set(err, ERNIE_EINVAL, "table: %s: not a column", arguments[i]);
            memory_free(name);
        } else if (*at == '=') {
            status = read_option(&definition, name, at + 1, err);
            memory_free(name);
        } else {
            status = read_column(&definition, table, name, at, err);
        }
    }
    if (status == ERNIE_OK)
        status = settle_roles(&definition, err);
    if (status == ERNIE_OK && definition.index == NULL) {
        definition.index = memory_copy_text("auto", 4);
        if (definition.index == NULL)
            status = out_of_memory(err);
    }
    if (status != ERNIE_OK) {
        vectors_definition_reset(&definition);
        return status;
    }
    *out = definition;
    return ERNIE_OK;
}

void vectors_definition_reset(struct vectors_definition *definition)
{
    for (size_t i = 0; i < definition->n; i++) {
        memory_free(definition->column[i].name);
        memory_free(definition->column[i].type);
    }
    memory_free(definition->column);
    memory_free(definition->model);
    memory_free(definition->index);
    memory_free(definition->content);
    memset(definition, 0, sizeof *definition);
}

/* ---- declaring --------------------------------------------------------- */

void append_identifier(struct buffer *out, const char *name)
{
    buffer_append_char(out, '"');
    for (; *name != '\0'; name++) {
        buffer_append_char(out, *name);
        if (*name == '"')
            buffer_append_char(out, '"');
    }
    buffer_append_char(out, '"');
}

char *vectors_definition_declare(const struct vectors_definition *definition, const char *table)
{
    struct buffer sql = { 0 };

    buffer_append_text(&sql, "CREATE TABLE x(");
    for (size_t i = 0; i < definition->n; i++) {
        append_identifier(&sql, definition->column[i].name);
        buffer_printf(&sql, " %s, ", definition->column[i].type);
    }
    append_identifier(&sql, table);
    buffer_append_text(&sql, " HIDDEN");
    for (int i = 1; i < N_HIDDEN; i++)
        buffer_printf(&sql, ", %s HIDDEN", hidden_names[i]);
    buffer_append_char(&sql, ')');
    return buffer_take(&sql);
}
