#include "base/json.h"

#include <jansson.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

int json_parse(const char *name, const char *text, size_t size, json **out, ernie_error *err)
{
    json_error_t why;
    json_t *document;
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0), of_host;

    if (plain == (locale_t)0)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", name);
    /* jansson reads numbers in the host's locale, and aborts in one whose point takes more
     * than a byte. */
    of_host = uselocale(plain);
    document = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    uselocale(of_host);
    freelocale(plain);
    if (document == NULL)
        return error_set(err, ERNIE_EFORMAT, "%s: line %d: %s", name, why.line, why.text);
    *out = document;
    return ERNIE_OK;
}

int json_check_size(const char *name, const char *text, size_t size, size_t max_depth,
                    size_t max_values, ernie_error *err)
{
    size_t depth = 0, n_values = 1;
    int in_text = 0;

    for (size_t i = 0; i < size; i++) {
        const char c = text[i];

        if (in_text) {
            i += c == '\\'; /* what it escapes ends no text */
            in_text = c != '"';
            continue;
        }
        in_text = c == '"';
        /* A value more after each of these, a name counted as one. */
        n_values += c == '[' || c == '{' || c == ',' || c == ':';
        if (c == '[' || c == '{')
            depth++;
        else if ((c == ']' || c == '}') && depth > 0)
            depth--;
        if (depth > max_depth)
            return error_set(err, ERNIE_EFORMAT, "%s: more than %zu brackets deep", name,
                             max_depth);
        if (n_values > max_values)
            return error_set(err, ERNIE_EFORMAT, "%s: more than %zu values", name, max_values);
    }
    return ERNIE_OK;
}

void json_free(json *document)
{
    json_decref(document);
}

enum json_kind json_kind(const json *value)
{
    switch (json_typeof(value)) {
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_KIND_BOOLEAN;
    case JSON_INTEGER:
        return JSON_KIND_INTEGER;
    case JSON_REAL:
        return JSON_KIND_REAL;
    case JSON_STRING:
        return JSON_KIND_TEXT;
    case JSON_ARRAY:
        return JSON_KIND_ARRAY;
    case JSON_OBJECT:
        return JSON_KIND_OBJECT;
    default:
        return JSON_KIND_NULL;
    }
}

int64_t json_to_integer(const json *value)
{
    return json_integer_value(value);
}

double json_to_number(const json *value)
{
    return json_number_value(value);
}

int json_to_boolean(const json *value)
{
    return json_is_true(value);
}

const char *json_to_text(const json *value, size_t *size)
{
    if (size != NULL)
        *size = json_string_length(value);
    return json_string_value(value);
}

const json *json_member(const json *object, const char *key)
{
    return json_object_get(object, key);
}

size_t json_count(const json *value)
{
    return json_is_array(value) ? json_array_size(value) : json_object_size(value);
}

const json *json_element(const json *array, size_t i)
{
    return json_array_get(array, i);
}

int json_each_member(const json *object, json_member_fn fn, void *data, ernie_error *err)
{
    /* jansson's iterators take a mutable object but change nothing. */
    json_t *mutable = (json_t *)(uintptr_t)object;
    int status = ERNIE_OK;

    for (void *i = json_object_iter(mutable); status == ERNIE_OK && i != NULL;
         i = json_object_iter_next(mutable, i))
        status = fn(data, json_object_iter_key(i), json_object_iter_value(i), err);
    return status;
}

void json_append_text(struct buffer *out, const char *text)
{
    size_t size = strlen(text), n;

    buffer_append_char(out, '"');
    for (size_t i = 0; i < size; i += n) {
        uint32_t c = utf8_decode(text + i, size - i, &n, NULL);
        char bytes[4];

        if (c == '"' || c == '\\') {
            buffer_append_char(out, '\\');
            buffer_append_char(out, (char)c);
        } else if (c == '\n') {
            buffer_append_text(out, "\\n");
        } else if (c == '\t') {
            buffer_append_text(out, "\\t");
        } else if (c < 0x20 || c == 0x7f) {
            buffer_printf(out, "\\u%04x", (unsigned)c);
        } else {
            buffer_append(out, bytes, utf8_encode(c, bytes));
        }
    }
    buffer_append_char(out, '"');
}

void json_append_float(struct buffer *out, float value)
{
    char digits[32];

    if (!isfinite(value)) {
        buffer_append_text(out, "null");
        return;
    }
    if (value == 0 && signbit(value)) {
        buffer_append_text(out, "-0.0"); /* -0 reads as the integer, which has no sign */
        return;
    }
    /* Nine digits always suffice for a float; mostly fewer do. */
    for (int precision = 6; precision <= 9; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, (double)value);
        if (strtof(digits, NULL) == value)
            break;
    }
    /* printf and strtof follow the host's locale together: put the point back, which may
     * have taken more than a byte. */
    for (const char *c = digits; *c != '\0'; c++) {
        if (strchr("+-0123456789e", *c) != NULL)
            buffer_append_char(out, *c);
        else if (strchr("+-0123456789e", c[1]) != NULL)
            buffer_append_char(out, '.');
    }
}

static int append_part(const char *text, size_t size, void *data)
{
    buffer_append(data, text, size);
    return 0;
}

void json_append_value(struct buffer *out, const json *value)
{
    /* 17 digits tell any double from its neighbours. */
    if (json_dump_callback(value, append_part, out,
                           JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) != 0)
        out->failed = 1;
}
