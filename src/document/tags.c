#include "document/tags.h"

#include <string.h>

/* The attribute at text[i]; where it ends. */
static size_t read_attribute(const char *text, size_t size, size_t i, tag_attribute_fn fn,
                             void *data)
{
    size_t name = i, name_size, value, value_size;

    i++; /* even "=", which then is part of the name */
    while (i < size && !tag_is_space(text[i]) && text[i] != '/' && text[i] != '>' && text[i] != '=')
        i++;
    name_size = i - name;
    while (i < size && tag_is_space(text[i]))
        i++;
    if (i >= size || text[i] != '=')
        return i;
    i++;
    while (i < size && tag_is_space(text[i]))
        i++;
    value = i;
    if (i < size && (text[i] == '"' || text[i] == '\'')) {
        const char *end = memchr(text + i + 1, text[i], size - i - 1);

        value++;
        if (end == NULL)
            return size;
        value_size = (size_t)(end - text) - value;
        i = value + value_size + 1;
    } else {
        while (i < size && !tag_is_space(text[i]) && text[i] != '>')
            i++;
        value_size = i - value;
    }
    if (fn != NULL)
        fn(data, text + name, name_size, text + value, value_size);
    return i;
}

int tag_read(const char *text, size_t size, tag_attribute_fn fn, void *data, struct tag *tag)
{
    size_t i = 1, n = 0;

    memset(tag, 0, sizeof *tag);
    tag->is_end = text[i] == '/';
    i += (size_t)tag->is_end;
    for (; i < size && !tag_is_space(text[i]) && text[i] != '/' && text[i] != '>'; i++)
        if (n < sizeof tag->name - 1)
            tag->name[n++] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i]);
    while (i < size && text[i] != '>') {
        if (text[i] == '/' || tag_is_space(text[i])) {
            tag->is_closed = text[i] == '/' && i + 1 < size && text[i + 1] == '>';
            i++;
        } else {
            i = read_attribute(text, size, i, fn, data);
        }
    }
    tag->size = i + 1;
    return i < size;
}

size_t tag_comment_size(const char *text, size_t size)
{
    const char *end;

    if (size < 4 || memcmp(text, "<!--", 4) != 0) {
        end = memchr(text, '>', size);
        return end == NULL ? size : (size_t)(end - text) + 1;
    }
    for (size_t i = 4; i < size; i++) {
        end = memchr(text + i, '>', size - i);
        if (end == NULL)
            return size;
        i = (size_t)(end - text);
        /* "<!-->" and "<!--->" are whole comments; "--!>" ends one too. */
        if (i == 4 || (i == 5 && end[-1] == '-') || (i >= 6 && memcmp(end - 2, "--", 2) == 0) ||
            (i >= 7 && memcmp(end - 3, "--!", 3) == 0))
            return i + 1;
    }
    return size;
}
