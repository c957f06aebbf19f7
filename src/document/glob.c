#include "document/glob.h"

#include <string.h>

/* ---- one character ----------------------------------------------------- */

/* The classes of POSIX, for ASCII as git has them. -1: no class of that name. */
static int is_of_class(const char *name, size_t size, unsigned char c)
{
    const int lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z';
    const int digit = c >= '0' && c <= '9', graph = c > ' ' && c < 0x7f;
    const struct {
        const char *name;
        int holds;
    } classes[] = {
        { "alnum", lower || upper || digit },
        { "alpha", lower || upper },
        { "blank", c == ' ' || c == '\t' },
        { "cntrl", c < ' ' || c == 0x7f },
        { "digit", digit },
        { "graph", graph },
        { "lower", lower },
        { "print", graph || c == ' ' },
        { "punct", graph && !lower && !upper && !digit },
        { "space", c == ' ' || (c >= '\t' && c <= '\r') },
        { "upper", upper },
        { "xdigit", digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') },
    };

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strlen(classes[i].name) == size && memcmp(classes[i].name, name, size) == 0)
            return classes[i].holds;
    return -1;
}

/* The end of the bracket expression at p ("[...]"), or NULL when it is not closed or
 * names no class: then nothing matches it. *matches: whether it holds c. */
static const char *match_bracket(const char *p, const char *end, unsigned char c, int *matches)
{
    int negated, found = 0, previous = -1; /* previous: what a range may begin with */

    p++;
    negated = p < end && (*p == '!' || *p == '^');
    p += negated;
    for (int first = 1; p < end && (*p != ']' || first); first = 0) {
        if (*p == '-' && previous >= 0 && p + 1 < end && p[1] != ']') {
            p++;
            if (*p == '\\' && ++p == end)
                return NULL;
            found |= c >= previous && c <= (unsigned char)*p;
            previous = -1;
        } else if (*p == '[' && p + 1 < end && p[1] == ':') {
            const char *name = p + 2, *close = memchr(name, ']', (size_t)(end - name));
            int holds;

            if (close == NULL)
                return NULL;
            if (close == name || close[-1] != ':') { /* only a '[' after all */
                found |= c == '[';
                previous = '[';
                p++;
                continue;
            }
            holds = is_of_class(name, (size_t)(close - 1 - name), c);
            if (holds < 0)
                return NULL;
            found |= holds;
            previous = -1;
            p = close;
        } else {
            if (*p == '\\' && ++p == end)
                return NULL;
            found |= c == (unsigned char)*p;
            previous = (unsigned char)*p;
        }
        p++;
    }
    if (p >= end)
        return NULL;
    *matches = found != negated && c != '/';
    return p + 1;
}

/* Whether the element of the pattern at *p matches c; *p moves past it. */
static int match_one(const char **p, const char *end, unsigned char c)
{
    const char *after;
    int matches;

    switch (**p) {
    case '?':
        ++*p;
        return c != '/';
    case '[':
        after = match_bracket(*p, end, c, &matches);
        if (after == NULL)
            return 0;
        *p = after;
        return matches;
    case '\\':
        if (++*p == end)
            return 0;
        break;
    default:
        break;
    }
    return (unsigned char)*(*p)++ == c;
}

/* ---- a whole pattern --------------------------------------------------- */

/* A star stands for any part of one name; two of them, alone between slashes, for
 * any folders. Of each kind only the last one met is ever given more: what lies
 * between two of them has then its earliest match, and a later one leaves less to
 * what follows. So the time is polynomial, whatever the pattern. */
static int match(const char *pattern, const char *end, const char *text)
{
    const char *p = pattern;
    const char *star = NULL, *star_text = NULL;
    const char *stars = NULL, *stars_text = NULL;
    int whole_names = 0; /* what follows the two stars begins after a slash */

    for (;;) {
        if (p < end && *p == '*') {
            const char *after = p;
            int alone;

            while (after < end && *after == '*')
                after++;
            alone = after - p >= 2 && (p == pattern || p[-1] == '/') &&
                    (after == end || *after == '/' ||
                     (*after == '\\' && after + 1 < end && after[1] == '/'));
            if (!alone) {
                star = p = after;
                star_text = text;
                continue;
            }
            if (after == end)
                return 1;
            whole_names = *after == '/';
            stars = p = after + whole_names;
            stars_text = text;
            star = NULL;
            continue;
        }
        if (p == end && *text == '\0')
            return 1;
        if (p < end && *text != '\0' && match_one(&p, end, (unsigned char)*text)) {
            text++;
        } else if (star != NULL && *star_text != '\0' && *star_text != '/') {
            text = ++star_text;
            p = star;
        } else if (stars != NULL) {
            if (whole_names)
                stars_text = strchr(stars_text, '/');
            if (stars_text == NULL || *stars_text == '\0')
                return 0;
            text = ++stars_text;
            p = stars;
            star = NULL;
        } else {
            return 0;
        }
    }
}

/* The end of the pattern without the spaces behind it, unless a backslash says that
 * they are meant. */
static const char *trimmed_end(const char *pattern)
{
    const char *spaces = NULL, *p;

    for (p = pattern; *p != '\0'; p++) {
        if (*p != ' ')
            spaces = NULL;
        else if (spaces == NULL)
            spaces = p;
        if (*p == '\\' && *++p == '\0')
            return p;
    }
    return spaces != NULL ? spaces : p;
}

static int pattern_matches(const char *pattern, const char *end, const char *path, int is_folder)
{
    const char *name = strrchr(path, '/');
    int anchored;

    if (end > pattern && end[-1] == '/') {
        if (!is_folder)
            return 0;
        end--;
    }
    if (end == pattern)
        return 0;
    anchored = memchr(pattern, '/', (size_t)(end - pattern)) != NULL;
    if (*pattern == '/')
        pattern++;
    /* Without a slash inside, the pattern is for a name at any depth. */
    return match(pattern, end, anchored || name == NULL ? path : name + 1);
}

int glob_excludes(size_t n, const char *const *patterns, const char *path, int is_folder)
{
    for (size_t i = n; i > 0; i--) {
        const char *pattern = patterns[i - 1];
        int negated = pattern[0] == '!';

        if (pattern[0] != '#' &&
            pattern_matches(pattern + negated, trimmed_end(pattern), path, is_folder))
            return !negated;
    }
    return 0;
}
