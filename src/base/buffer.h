/* A string of bytes that grows. Appending never fails at once: the buffer
 * remembers that memory ran out, ignores what follows, and the caller asks once
 * at the end. All zero is an empty buffer. */
#ifndef ERNIE_BASE_BUFFER_H
#define ERNIE_BASE_BUFFER_H

#include <stddef.h>

struct buffer {
    char *data; /* [size], with a 0 byte after it; NULL while nothing was appended */
    size_t size;
    size_t capacity;
    int failed; /* memory ran out; what the buffer holds is incomplete */
};

void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_char(struct buffer *buffer, char c);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for size more bytes at the end; the caller writes there and adds to
 * ->size. NULL when memory ran out. */
char *buffer_reserve(struct buffer *buffer, size_t size);

/* Forgets what is held and keeps the memory for the next use. */
void buffer_clear(struct buffer *buffer);

/* Hands over the bytes (memory_free) and leaves an empty buffer; "" when nothing
 * was appended, NULL when the buffer failed. */
char *buffer_take(struct buffer *buffer);

void buffer_reset(struct buffer *buffer); /* releases the memory */

#endif
