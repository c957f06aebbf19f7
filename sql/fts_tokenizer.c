#include "sql/fts_tokenizer.h"

#include "words/words.h"

static const char name[] = "ernie";

static int create(void *unused, const char **arguments, int n_arguments, Fts5Tokenizer **out)
{
    struct words *words;

    (void)unused;
    (void)arguments;
    if (n_arguments > 0)
        return SQLITE_ERROR;
    if (words_new(&words, NULL) != ERNIE_OK)
        return SQLITE_NOMEM;
    *out = (Fts5Tokenizer *)words;
    return SQLITE_OK;
}

static void delete(Fts5Tokenizer *tokenizer)
{
    words_free((struct words *)tokenizer);
}

/* FTS5's side of a cut. */
struct tokens {
    void *context;
    int (*give)(void *context, int flags, const char *token, int size, int start, int end);
    int code; /* of the last one given */
};

static int give(void *data, const char *word, size_t size, size_t start, size_t end,
                int is_colocated)
{
    struct tokens *tokens = data;

    tokens->code = tokens->give(tokens->context, is_colocated ? FTS5_TOKEN_COLOCATED : 0, word,
                                (int)size, (int)start, (int)end);
    return tokens->code;
}

static int tokenize(Fts5Tokenizer *tokenizer, void *context, int flags, const char *text, int size,
                    int (*token)(void *context, int flags, const char *token, int size, int start,
                                 int end))
{
    struct tokens tokens = { context, token, SQLITE_OK };
    enum words_purpose purpose = WORDS_DOCUMENT;

    if ((flags & FTS5_TOKENIZE_QUERY) != 0)
        purpose = (flags & FTS5_TOKENIZE_PREFIX) != 0 ? WORDS_PREFIX : WORDS_QUERY;
    if (text == NULL || size <= 0)
        return SQLITE_OK;
    if (words_cut((struct words *)tokenizer, purpose, text, (size_t)size, give, &tokens) != 0 &&
        tokens.code == SQLITE_OK)
        return SQLITE_NOMEM; /* it was not FTS5 that ended it */
    return tokens.code;
}

/* FTS5's table of functions, by the only way there is to it; NULL without FTS5. */
static int find_fts5(sqlite3 *connection, fts5_api **out)
{
    sqlite3_stmt *statement = NULL;
    int code;

    *out = NULL;
    code = sqlite3_prepare_v2(connection, "SELECT fts5(?1)", -1, &statement, NULL);
    if (code != SQLITE_OK) /* no such function, or none that a host allows */
        return code == SQLITE_NOMEM ? code : SQLITE_OK;
    code = sqlite3_bind_pointer(statement, 1, out, "fts5_api_ptr", NULL);
    if (code == SQLITE_OK)
        sqlite3_step(statement);
    sqlite3_finalize(statement);
    return code;
}

int find_tokenizer(sqlite3 *connection, int *is_there)
{
    fts5_tokenizer known;
    fts5_api *fts5;
    void *context;
    int code = find_fts5(connection, &fts5);

    *is_there = code == SQLITE_OK && fts5 != NULL &&
                fts5->xFindTokenizer(fts5, name, &context, &known) == SQLITE_OK;
    return code;
}

int register_tokenizer(sqlite3 *connection)
{
    fts5_tokenizer ours = { create, delete, tokenize }, known;
    fts5_api *fts5;
    void *context;
    int code = find_fts5(connection, &fts5);

    if (code != SQLITE_OK || fts5 == NULL)
        return code;
    /* FTS5 keeps every tokenizer it is given until the connection closes. */
    if (fts5->xFindTokenizer(fts5, name, &context, &known) == SQLITE_OK &&
        known.xTokenize == tokenize)
        return SQLITE_OK;
    return fts5->xCreateTokenizer(fts5, name, NULL, &ours, NULL);
}
