/* A zip file in memory as documents use it: Office Open XML, OpenDocument and EPUB are packages
 * of parts found by name. The parts asked for are inflated when the package is opened, under
 * limits on what really comes out: the sizes that a zip file declares are never believed. */
#ifndef ERNIE_EXTRACTOR_PACKAGE_H
#define ERNIE_EXTRACTOR_PACKAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

#define PACKAGE_MAX_ENTRIES      4096
#define PACKAGE_MAX_PART_BYTES   (64u << 20)
#define PACKAGE_MAX_BYTES        (256u << 20)
#define PACKAGE_MAX_STREAM_BYTES ((size_t)1 << 30)
/* Past the first megabyte, bytes that come out for each byte of the file. */
#define PACKAGE_MAX_RATIO  200
#define PACKAGE_FREE_BYTES (1u << 20)

struct part {
    char *name; /* "word/document.xml": slashes, none in front */
    struct buffer bytes;
    size_t start, end; /* of the file: where its compressed bytes are */
};

struct package {
    struct part *parts; /* [n_parts], by name, in which case does not count */
    size_t n_parts;
};

/* Reads the parts whose name is wanted out of a zip file. ERNIE_EFORMAT when it is none, is
 * encrypted, broken, a bomb, or its parts lie over each other. package, all zero before, is
 * released by package_reset also after a failure. */
int package_open(struct package *package, const uint8_t *bytes, size_t size,
                 int (*wanted)(const char *name), ernie_error *err);
void package_reset(struct package *package);

/* NULL when there is none of that name. */
const struct part *package_part(const struct package *package, const char *name);

/* A part that is too large to be held: the one of that name, in pieces as an xml_source wants
 * them. It may be of PACKAGE_MAX_STREAM_BYTES, under the same ratio; ERNIE_EFORMAT, or "missing"
 * when there is none. */
struct package_stream;
int package_stream_open(const uint8_t *bytes, size_t size, const char *name,
                        struct package_stream **out, ernie_error *err);
int package_stream_read(void *stream, char *out, size_t capacity, size_t *n, ernie_error *err);
void package_stream_close(struct package_stream *stream); /* NULL is fine */

/* The part that a reference in another part means: relative to the folder of from, or to the top
 * when it begins with a slash; "..", "%20" and "#fragment" taken care of. Writes the name with
 * its 0 byte to name [capacity]; "" for what lies outside or does not fit. */
void package_resolve(const char *from, const char *reference, char *name, size_t capacity);

/* Whether a name ends so, in which case does not count. */
int package_name_ends(const char *name, const char *end);

#endif
