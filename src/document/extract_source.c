#include "document/extract_source.h"

#include <string.h>
#include <strings.h>

#include "document/writer.h"

/* Classes in classes. */
#define MAX_DEPTH 5
/* Of a declaration, from its first line to its brace. */
#define MAX_HEADER_BYTES 2000
#define MAX_NAME_BYTES   100
#define TAB_COLUMNS      8
#define NO_OFFSET        ((size_t)-1)
/* Fewer lines between two functions belong to the one before: what closes it, mostly. */
#define MIN_LINES_BETWEEN 3

/* How languages begin their functions. */
enum family {
    FAMILY_NONE,
    FAMILY_C,      /* type name(...) { */
    FAMILY_BRACES, /* the same, or a keyword, a name and { */
    FAMILY_SCRIPT, /* braces too; at the top a keyword is needed, since calls look alike */
    FAMILY_WORDS,  /* a keyword and a name */
    FAMILY_SHELL,  /* name() { */
    FAMILY_SQL     /* CREATE thing name */
};

struct line {
    size_t start, size; /* without its indentation and the space at its end */
    size_t at;          /* where the line begins, with its indentation */
    size_t columns;     /* of indentation */
};

/* A function or a class that goes on. */
struct unit {
    size_t columns; /* its own indentation */
    size_t inner;   /* that of what is in it; NO_OFFSET until a line of it was seen */
    int is_container;
};

struct source {
    const char *text;
    size_t size;
    enum family family;
    struct writer writer;
    struct unit units[MAX_DEPTH];
    unsigned depth;
    size_t comment;   /* where the comment begins that touches the next line, or NO_OFFSET */
    int in_comment;   /* within one of several lines */
    char in_string;   /* within one of Python's of several lines: its quote */
    size_t looked_at; /* up to this offset of the text statements were read for headers */
    size_t header_end; /* of the declaration that began last, where it has several lines */
    int ended;        /* SQL: the line before ended a statement */
    size_t between;   /* where lines begin that are in no function, or NO_OFFSET */
    size_t n_between; /* of them, so far */
};

struct name {
    const char *text;
    size_t size;
    int is_container;
};

/* ---- languages --------------------------------------------------------- */

static enum family family_of(const char *name)
{
    static const struct {
        const char *extension;
        enum family family;
    } known[] = {
        { "c", FAMILY_C },        { "cc", FAMILY_C },       { "cpp", FAMILY_C },
        { "cu", FAMILY_C },       { "cxx", FAMILY_C },      { "d", FAMILY_C },
        { "h", FAMILY_C },        { "hh", FAMILY_C },       { "hpp", FAMILY_C },
        { "hxx", FAMILY_C },      { "ino", FAMILY_C },      { "m", FAMILY_C },
        { "mm", FAMILY_C },       { "vala", FAMILY_C },     { "cs", FAMILY_BRACES },
        { "dart", FAMILY_BRACES }, { "go", FAMILY_BRACES }, { "groovy", FAMILY_BRACES },
        { "java", FAMILY_BRACES }, { "kt", FAMILY_BRACES }, { "kts", FAMILY_BRACES },
        { "rs", FAMILY_BRACES },  { "scala", FAMILY_BRACES }, { "swift", FAMILY_BRACES },
        { "zig", FAMILY_BRACES }, { "cjs", FAMILY_SCRIPT }, { "js", FAMILY_SCRIPT },
        { "jsx", FAMILY_SCRIPT }, { "mjs", FAMILY_SCRIPT }, { "php", FAMILY_SCRIPT },
        { "ts", FAMILY_SCRIPT },  { "tsx", FAMILY_SCRIPT }, { "vue", FAMILY_SCRIPT },
        { "cr", FAMILY_WORDS },   { "ex", FAMILY_WORDS },   { "exs", FAMILY_WORDS },
        { "jl", FAMILY_WORDS },   { "lua", FAMILY_WORDS },  { "pl", FAMILY_WORDS },
        { "pm", FAMILY_WORDS },   { "py", FAMILY_WORDS },   { "pyi", FAMILY_WORDS },
        { "rb", FAMILY_WORDS },   { "bash", FAMILY_SHELL }, { "sh", FAMILY_SHELL },
        { "zsh", FAMILY_SHELL },  { "sql", FAMILY_SQL },
    };
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot != NULL && i < sizeof known / sizeof *known; i++)
        if (strcasecmp(known[i].extension, dot + 1) == 0)
            return known[i].family;
    return FAMILY_NONE;
}

/* ---- words ------------------------------------------------------------- */

static int is_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* Bytes of the word at text[0]. */
static size_t word_size(const char *text, size_t size)
{
    size_t n = 0;

    while (n < size && is_of_name(text[n]))
        n++;
    return n;
}

static int is_word(const char *text, size_t size, const char *word)
{
    return strlen(word) == size && memcmp(text, word, size) == 0;
}

static int is_one_of(const char *text, size_t size, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_word(text, size, words[i]))
            return 1;
    return 0;
}

#define IS_ONE_OF(text, size, list) is_one_of(text, size, list, sizeof(list) / sizeof *(list))

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static size_t skip_space(const char *text, size_t size, size_t i)
{
    while (i < size && is_space(text[i]))
        i++;
    return i;
}

/* ---- declarations by braces -------------------------------------------- */

static const char *const container_words[] = { "class", "struct", "interface", "enum", "trait",
                                               "impl", "namespace", "module", "mod", "object",
                                               "record", "protocol", "extension", "union",
                                               "actor" };
static const char *const function_words[] = { "fn", "func", "fun", "function", "def", "sub" };
/* What stands before a parenthesis and is no function's name. */
static const char *const control_words[] = { "if", "for", "while", "switch", "catch", "return",
                                             "else", "do", "synchronized", "using", "lock",
                                             "foreach", "with", "match", "when", "sizeof", "new",
                                             "guard", "select", "defer", "go", "try", "throw",
                                             "await", "yield", "case", "in", "of", "and", "or",
                                             "not", "where", "require" };

/* The header that begins at text[0]: up to its brace. 0 when a statement ends before one, or
 * when it is a value that the brace begins. *end: how far it was looked for. */
static size_t header_size(const char *text, size_t size, enum family family, size_t *end)
{
    size_t depth = 0, i = 0;

    for (; i < size && i < MAX_HEADER_BYTES; i++) {
        const char c = text[i];

        *end = i + 1;

        if (c == '(' || c == '[')
            depth++;
        else if ((c == ')' || c == ']') && depth > 0)
            depth--;
        else if (c == '{' && depth == 0)
            return i;
        else if (c == ';' || (c == '}' && depth == 0) ||
                 (c == '\n' && i + 1 < size && text[i + 1] == '\n'))
            return 0;
        else if (c == '=' && depth == 0 && family == FAMILY_C)
            return 0;
        else if (c == '"' && family != FAMILY_SCRIPT && depth == 0)
            return 0; /* extern "C" */
        else if (c == '/' && i + 1 < size && text[i + 1] == '/')
            while (i + 1 < size && text[i + 1] != '\n')
                i++;
    }
    *end = i;
    return 0;
}

/* The name that ends at text[end]: a word, or several with :: or . or ~ between them. */
static struct name name_before(const char *text, size_t end)
{
    size_t start;

    while (end > 0 && is_space(text[end - 1]))
        end--;
    start = end;
    while (start > 0 && (is_of_name(text[start - 1]) || text[start - 1] == ':' ||
                         text[start - 1] == '.' || text[start - 1] == '~' ||
                         text[start - 1] == '>' || text[start - 1] == '<'))
        start--;
    while (start < end && !is_of_name(text[start]) && text[start] != '~')
        start++;
    return (struct name){ text + start, end - start, 0 };
}

/* Where the parameters of Go's receiver or of a type end that stand before the name. */
static size_t skip_brackets(const char *text, size_t size, size_t i)
{
    size_t depth = 0;

    if (i >= size || (text[i] != '(' && text[i] != '<'))
        return i;
    for (; i < size; i++) {
        depth += text[i] == '(' || text[i] == '<';
        depth -= (text[i] == ')' || text[i] == '>') && depth > 0;
        if (depth == 0)
            return skip_space(text, size, i + 1);
    }
    return size;
}

/* "class Name", "impl Trait for Type": the whole of it for impl, else the next word. */
static struct name name_behind(const char *text, size_t size, size_t i, int whole)
{
    size_t n;

    i = skip_space(text, size, i);
    if (whole) {
        i = skip_brackets(text, size, i);
        n = size - i;
        while (n > 0 && is_space(text[i + n - 1]))
            n--;
        return (struct name){ text + i, n < MAX_NAME_BYTES ? n : MAX_NAME_BYTES, 1 };
    }
    i = skip_brackets(text, size, i);
    i += i < size && text[i] == '*'; /* JavaScript's generators */
    i = skip_space(text, size, i);
    for (n = 0; i + n < size && (is_of_name(text[i + n]) || text[i + n] == ':' ||
                                 text[i + n] == '.' || text[i + n] == '?' || text[i + n] == '!');)
        n++;
    while (n > 0 && text[i + n - 1] == ':')
        n--;
    return (struct name){ text + i, n, 0 };
}

/* A macro that defines a function is named with what it is given: TEST(name). */
static struct name with_arguments(struct name name, const char *end)
{
    const char *close;

    for (size_t i = 0; i < name.size; i++)
        if (name.text[i] >= 'a' && name.text[i] <= 'z')
            return name;
    close = memchr(name.text, ')', (size_t)(end - name.text));
    if (close != NULL && (size_t)(close - name.text) < MAX_NAME_BYTES)
        name.size = (size_t)(close - name.text) + 1;
    return name;
}

/* "const name = (a) => {", "name = function () {" */
static struct name name_of_value(const char *text, size_t size)
{
    const char *equals = memchr(text, '=', size);
    struct name none = { NULL, 0, 0 };

    if (equals == NULL || equals == text || equals + 1 == text + size || equals[1] == '=' ||
        (memmem(equals + 1, (size_t)(text + size - equals) - 1, "=>", 2) == NULL &&
         memmem(equals, (size_t)(text + size - equals), "function", 8) == NULL))
        return none;
    return name_before(text, (size_t)(equals - text));
}

/* What a header declares; no name when it is nothing of ours. is_inside: a class. */
static struct name declared_by_braces(const char *text, size_t size, enum family family,
                                      int is_inside)
{
    const struct name none = { NULL, 0, 0 };
    const char *paren = memchr(text, '(', size);
    struct name found;

    for (size_t i = 0, n; i < size; i += n > 0 ? n : 1) {
        n = word_size(text + i, size - i);
        if (paren != NULL && text + i > paren)
            break;
        if (i > 0 && text[i - 1] == '.')
            continue; /* X.class */
        if (IS_ONE_OF(text + i, n, function_words)) {
            found = name_behind(text, size, i + n, 0);
            if (found.size > 0)
                return found;
        }
        /* struct point *f(int x) is a function. */
        if (IS_ONE_OF(text + i, n, container_words) &&
            !(family == FAMILY_C && paren != NULL && !is_word(text + i, n, "class"))) {
            found = name_behind(text, size, i + n, is_word(text + i, n, "impl"));
            if (found.size == 0 && family == FAMILY_BRACES) /* Go: type Name struct */
                found = name_before(text, i);
            found.is_container = 1;
            return found.size > 0 ? found : none;
        }
    }
    if (family == FAMILY_SCRIPT) {
        found = name_of_value(text, size);
        if (found.size > 0 || !is_inside)
            return found;
    }
    if (paren == NULL || paren == text)
        return none;
    found = name_before(text, (size_t)(paren - text));
    if (found.size == 0 || IS_ONE_OF(found.text, found.size, control_words))
        return none;
    return family == FAMILY_C ? with_arguments(found, text + size) : found;
}

/* ---- declarations by words --------------------------------------------- */

static struct name declared_by_words(const char *text, size_t size)
{
    static const char *const before[] = { "async", "local", "export", "private", "public",
                                          "protected", "static", "abstract", "sealed" };
    static const char *const functions[] = { "def", "defp", "defmacro", "function", "sub",
                                             "macro" };
    static const char *const containers[] = { "class", "module", "defmodule" };
    size_t i = 0, n = word_size(text, size);
    struct name found = { NULL, 0, 0 };

    while (IS_ONE_OF(text + i, n, before)) {
        i = skip_space(text, size, i + n);
        n = word_size(text + i, size - i);
    }
    if (IS_ONE_OF(text + i, n, containers)) {
        found = name_behind(text, size, i + n, 0);
        found.is_container = 1;
    } else if (IS_ONE_OF(text + i, n, functions)) {
        found = name_behind(text, size, i + n, 0);
    }
    return found;
}

static struct name declared_by_shell(const char *text, size_t size)
{
    const struct name none = { NULL, 0, 0 };
    size_t n = 0;

    if (size > 9 && memcmp(text, "function ", 9) == 0)
        return name_behind(text, size, 9, 0);
    while (n < size && (is_of_name(text[n]) || text[n] == '-' || text[n] == '.'))
        n++;
    return n > 0 && size - n >= 2 && memcmp(text + n, "()", 2) == 0
               ? (struct name){ text, n, 0 }
               : none;
}

/* CREATE OR REPLACE FUNCTION IF NOT EXISTS name */
static struct name declared_by_sql(const char *text, size_t size)
{
    static const char *const between[] = { "or", "replace", "temp", "temporary", "unique",
                                           "virtual", "materialized", "unlogged", "if", "not",
                                           "exists", "global", "recursive", "definer" };
    static const char *const things[] = { "table", "view", "index", "trigger", "function",
                                          "procedure", "type", "schema", "sequence", "database",
                                          "domain", "role", "extension", "package" };
    struct name found = { NULL, 0, 0 };
    size_t i = 0, n, n_things = 0;
    char word[16];

    for (n = word_size(text, size); n > 0 && n < sizeof word; n = word_size(text + i, size - i)) {
        for (size_t j = 0; j < n; j++)
            word[j] = (char)(text[i + j] >= 'A' && text[i + j] <= 'Z' ? text[i + j] | 0x20
                                                                      : text[i + j]);
        if (i == 0 ? !is_word(word, n, "create") : n_things == 0 && IS_ONE_OF(word, n, things))
            n_things += i > 0;
        else if (i > 0 && !IS_ONE_OF(word, n, between))
            break;
        if (i == 0 && !is_word(word, n, "create"))
            return found;
        i = skip_space(text, size, i + n);
    }
    if (n_things == 0)
        return found;
    i += i < size && strchr("\"`[", text[i]) != NULL;
    for (n = 0; i + n < size && (is_of_name(text[i + n]) || text[i + n] == '.');)
        n++;
    return (struct name){ text + i, n, 0 };
}

/* ---- lines ------------------------------------------------------------- */

static int starts_with(const struct source *source, const struct line *line, const char *what)
{
    return line->size >= strlen(what) &&
           memcmp(source->text + line->start, what, strlen(what)) == 0;
}

static struct line line_at(const char *text, size_t size, size_t at)
{
    const char *end = memchr(text + at, '\n', size - at);
    size_t line_end = end != NULL ? (size_t)(end - text) : size;
    struct line line = { .start = at, .at = at };

    for (; line.start < line_end && (text[line.start] == ' ' || text[line.start] == '\t');
         line.start++)
        line.columns += text[line.start] == '\t' ? TAB_COLUMNS - line.columns % TAB_COLUMNS : 1;
    while (line_end > line.start && is_space(text[line_end - 1]))
        line_end--;
    line.size = line_end - line.start;
    return line;
}

static int has(const struct source *source, const struct line *line, const char *what)
{
    return memmem(source->text + line->start, line->size, what, strlen(what)) != NULL;
}

/* Whether a line is a comment, or what else stands above a declaration and belongs to it.
 * Keeps track of comments of several lines. */
static int is_above(struct source *source, const struct line *line)
{
    const int braces = source->family == FAMILY_C || source->family == FAMILY_BRACES ||
                       source->family == FAMILY_SCRIPT || source->family == FAMILY_SQL;
    const char last = source->text[line->start + line->size - 1];

    if (source->in_comment) {
        source->in_comment = !has(source, line, "*/");
        return 1;
    }
    if (braces && starts_with(source, line, "/*")) {
        source->in_comment = !has(source, line, "*/");
        return 1;
    }
    if (source->family == FAMILY_SQL || source->family == FAMILY_WORDS)
        if (starts_with(source, line, "--"))
            return 1;
    if (braces)
        return starts_with(source, line, "//") || (starts_with(source, line, "@") && last != '{') ||
               (starts_with(source, line, "template") && last == '>') ||
               (last == ']' && (starts_with(source, line, "#[") || starts_with(source, line, "[")));
    return starts_with(source, line, "#") || starts_with(source, line, "@");
}

/* Python's strings of several lines, whose lines are no code. */
static int is_in_string(struct source *source, const struct line *line)
{
    static const char *const quotes[] = { "\"\"\"", "'''" };

    if (source->family != FAMILY_WORDS)
        return 0;
    if (source->in_string != '\0') {
        if (has(source, line, quotes[source->in_string == '\'']))
            source->in_string = '\0';
        return 1;
    }
    for (size_t i = 0; i < 2; i++) {
        const char *open = memmem(source->text + line->start, line->size, quotes[i], 3);

        if (open == NULL)
            continue;
        if (memmem(open + 3, line->size - (size_t)(open - source->text - line->start) - 3, quotes[i],
                   3) == NULL)
            source->in_string = quotes[i][0];
        break;
    }
    return 0;
}

/* Lines that stand as far left as the declaration they belong to: what ends it or goes on with
 * it, labels, and directives to the preprocessor. */
static int goes_on(const struct source *source, const struct line *line)
{
    static const char *const words[] = { "end", "fi", "done", "esac", "else", "elif", "elsif",
                                         "elseif", "except", "finally", "rescue", "ensure",
                                         "catch", "then", "do" };
    const char *text = source->text + line->start;
    const size_t n = word_size(text, line->size);

    if (strchr("{}()[]", text[0]) != NULL || (source->family == FAMILY_C && text[0] == '#'))
        return 1;
    if (n > 0 && n + 1 == line->size && text[n] == ':')
        return 1;
    return IS_ONE_OF(text, n, words);
}

/* ---- the whole --------------------------------------------------------- */

static struct name declared(struct source *source, const struct line *line)
{
    const char *text = source->text + line->start;
    const size_t left = source->size - line->start;
    struct name none = { NULL, 0, 0 };
    size_t n, end;

    switch (source->family) {
    case FAMILY_C:
    case FAMILY_BRACES:
    case FAMILY_SCRIPT:
        /* Only the first line of a statement begins a header. */
        if (line->start < source->looked_at)
            return none;
        n = header_size(text, left, source->family, &end);
        source->looked_at = line->start + end;
        return n > 0 ? declared_by_braces(text, n, source->family, source->depth > 0) : none;
    case FAMILY_WORDS:
        return declared_by_words(text, line->size);
    case FAMILY_SHELL:
        return declared_by_shell(text, line->size);
    case FAMILY_SQL:
        return declared_by_sql(text, line->size);
    default:
        return none;
    }
}

/* Ends the units that a line is no part of, by its indentation. */
static int end_units(struct source *source, const struct line *line)
{
    const unsigned depth = source->depth;

    if (source->family == FAMILY_SQL) {
        if (source->ended && line->columns == 0)
            source->depth = 0;
    } else {
        while (source->depth > 0 && line->columns <= source->units[source->depth - 1].columns)
            source->depth--;
    }
    return source->depth < depth;
}

static void begin_unit(struct source *source, const struct line *line, const struct name *name)
{
    const size_t start = source->comment != NO_OFFSET ? source->comment : line->at;

    writer_section(&source->writer, start, source->depth + 1, name->text,
                   name->size < MAX_NAME_BYTES ? name->size : MAX_NAME_BYTES);
    source->header_end = source->looked_at;
    source->between = NO_OFFSET;
    source->units[source->depth++] = (struct unit){ .columns = line->columns,
                                                    .inner = NO_OFFSET,
                                                    .is_container = name->is_container };
}

/* A line behind a function and in none: what is around that goes on, when there is more than
 * such a line or two. */
static void read_between(struct source *source, const struct line *line, int ended)
{
    if (ended) {
        source->between = source->comment != NO_OFFSET ? source->comment : line->at;
        source->n_between = 0;
    }
    if (source->between == NO_OFFSET || ++source->n_between < MIN_LINES_BETWEEN)
        return;
    writer_section(&source->writer, source->between, source->depth + 1, "", 0);
    source->between = NO_OFFSET;
}

static void read_line(struct source *source, const struct line *line)
{
    struct unit *around;
    struct name name = { NULL, 0, 0 };
    int ended;

    if (line->start < source->header_end)
        return; /* of the declaration that began above */
    if (goes_on(source, line) && (source->depth == 0 ||
                     line->columns >= source->units[source->depth - 1].columns))
        return;
    ended = end_units(source, line);
    around = source->depth > 0 ? &source->units[source->depth - 1] : NULL;
    if (around != NULL && around->inner == NO_OFFSET)
        around->inner = line->columns;
    if (around == NULL ? line->columns == 0 || source->family == FAMILY_SCRIPT
                       : around->is_container && line->columns == around->inner)
        name = declared(source, line);
    if (name.size > 0 && source->depth < MAX_DEPTH)
        begin_unit(source, line, &name);
    else
        read_between(source, line, ended);
}

void source_mark_sections(struct extract *out, const char *name)
{
    struct source source = { .text = out->text.data,
                             .size = out->text.size,
                             .family = family_of(name),
                             .writer = { .out = out },
                             .comment = NO_OFFSET,
                             .between = NO_OFFSET };

    if (source.family == FAMILY_NONE)
        return;
    for (size_t i = 0; i < source.size && !out->text.failed;) {
        const struct line line = line_at(source.text, source.size, i);
        const char *end = memchr(source.text + line.start, '\n', source.size - line.start);

        i = end != NULL ? (size_t)(end - source.text) + 1 : source.size;
        if (line.size == 0) {
            if (!source.in_comment)
                source.comment = NO_OFFSET;
            continue;
        }
        if (is_in_string(&source, &line))
            continue;
        if (is_above(&source, &line)) {
            if (source.comment == NO_OFFSET)
                source.comment = line.at;
            continue;
        }
        read_line(&source, &line);
        source.comment = NO_OFFSET;
        source.ended = source.text[line.start + line.size - 1] == ';';
    }
}
