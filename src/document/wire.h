/* What a helper program says of a file, as messages through a pipe: a byte for the type, four
 * for the size of what follows (little-endian), and that. The program that reads them trusts
 * nothing in them: a parser that a hostile file took over writes what it likes, so every
 * number, offset and character is checked before it is used. */
#ifndef ERNIE_DOCUMENT_WIRE_H
#define ERNIE_DOCUMENT_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "document/extract.h"

/* Text of one file at most, its members' included; and the bytes of one member. */
#define WIRE_MAX_TEXT_BYTES   (64u << 20)
#define WIRE_MAX_MEMBER_BYTES (64u << 20)
#define WIRE_MAX_NAME_BYTES   4096
#define WIRE_MAX_LINE_BYTES   4096 /* of a title, an author, a reason */
#define WIRE_HEADER_BYTES     5

enum wire_type {
    WIRE_TEXT = 1, /* of the file or of a member */
    WIRE_MEMBER,   /* the bytes of a member that another helper program reads */
    WIRE_FAILURE,  /* why the file or a member has no text */
    WIRE_UNREAD,   /* why the program reads no such file on this machine */
    WIRE_END       /* all was said */
};

struct wire_message {
    enum wire_type type;
    char *name;    /* of the member, "a/b.txt"; "" for the file itself */
    uint64_t size_bytes;    /* of the member, as it was in its container */
    struct extract extract; /* WIRE_TEXT */
    enum document_format format; /* WIRE_MEMBER */
    const uint8_t *bytes;        /* [n_bytes] WIRE_MEMBER; belongs to the payload */
    size_t n_bytes;
    char *words; /* WIRE_FAILURE, WIRE_UNREAD: one line */
};

/* ---- the side of the helper program ---- */

int wire_write_text(int fd, const char *name, uint64_t size_bytes, const struct extract *extract,
                    ernie_error *err);
int wire_write_member(int fd, const char *name, enum document_format format, const uint8_t *bytes,
                      size_t size, ernie_error *err);
int wire_write_failure(int fd, const char *name, const char *words, ernie_error *err);
int wire_write_unread(int fd, const char *words, ernie_error *err);
int wire_write_end(int fd, ernie_error *err);

/* ---- the side that reads ---- */

/* The type and the payload's size from a header; ERNIE_EFORMAT for a type that there is not
 * or a size past all limits. */
int wire_parse_header(const uint8_t header[WIRE_HEADER_BYTES], enum wire_type *type,
                      size_t *size, ernie_error *err);
/* Fills out (all zero before) from a payload, whose bytes a member's message borrows.
 * wire_message_reset releases it, also after a failure. */
int wire_parse(enum wire_type type, const uint8_t *payload, size_t size,
               struct wire_message *out, ernie_error *err);
void wire_message_reset(struct wire_message *message);

/* Whether a name can be part of a path: UTF-8 without control characters, not absolute,
 * with no part that is empty, "." or "..". */
int wire_name_is_clean(const char *name, size_t size);

#endif
