/* JSON in and out. Reading is jansson's, strict: one value, UTF-8, no key twice
 * in an object. Writing appends to a buffer. */
#ifndef ERNIE_BASE_JSON_H
#define ERNIE_BASE_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/* A value inside a parsed document; it lives as long as the document. */
typedef struct json_t json;

enum json_kind {
    JSON_KIND_NULL,
    JSON_KIND_BOOLEAN,
    JSON_KIND_INTEGER,
    JSON_KIND_REAL,
    JSON_KIND_TEXT,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT
};

/* Parses text [size]. name is for messages ("config.json"). Returns ERNIE_EFORMAT
 * with line and reason. Release with json_free. */
int json_parse(const char *name, const char *text, size_t size, json **out, ernie_error *err);
void json_free(json *document);

/* Looks text over before it is parsed: a parsed value takes far more memory than the
 * two bytes that may ask for it. ERNIE_EFORMAT when brackets are more than max_depth
 * deep or there may be more than max_values values. */
int json_check_size(const char *name, const char *text, size_t size, size_t max_depth,
                    size_t max_values, ernie_error *err);

enum json_kind json_kind(const json *value);
int64_t json_to_integer(const json *value); /* 0 when it is not one */
double json_to_number(const json *value);   /* integer or real; 0 when neither */
int json_to_boolean(const json *value);     /* 1 only for true */
const char *json_to_text(const json *value, size_t *size); /* NULL when it is not text */

/* The member of an object, or NULL when there is none or it is no object. */
const json *json_member(const json *object, const char *key);

/* Elements of an array or members of an object, in the order of the file; 0 and
 * NULL for other kinds. */
size_t json_count(const json *value);
const json *json_element(const json *array, size_t i);
typedef int (*json_member_fn)(void *data, const char *key, const json *value, ernie_error *err);
/* Calls fn for each member and stops at the first that does not return ERNIE_OK. */
int json_each_member(const json *object, json_member_fn fn, void *data, ernie_error *err);

/* Appends text as a quoted JSON string; what is not UTF-8 becomes U+FFFD. */
void json_append_text(struct buffer *out, const char *text);
/* Appends a value of a document, in one line. */
void json_append_value(struct buffer *out, const json *value);
/* Appends the shortest decimal that reads back as the same float. Infinities and
 * NaN, which JSON lacks, become null. The host's locale does not matter. */
void json_append_float(struct buffer *out, float value);

#endif
