#include "base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

char *buffer_reserve(struct buffer *buffer, size_t size)
{
    size_t needed, capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
    char *data;

    if (buffer->failed)
        return NULL;
    if (__builtin_add_overflow(buffer->size, size, &needed) || needed >= PTRDIFF_MAX) {
        buffer->failed = 1;
        return NULL;
    }
    needed++; /* the 0 byte */
    if (needed <= buffer->capacity)
        return buffer->data + buffer->size;
    while (capacity < needed)
        capacity = capacity > PTRDIFF_MAX / 2 ? needed : capacity * 2;
    data = memory_resize(buffer->data, capacity, 1);
    if (data == NULL) {
        buffer->failed = 1;
        return NULL;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    data[buffer->size] = '\0';
    return data + buffer->size;
}

void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    char *end = buffer_reserve(buffer, size);

    if (end == NULL)
        return;
    if (size > 0)
        memcpy(end, data, size);
    end[size] = '\0';
    buffer->size += size;
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_append_char(struct buffer *buffer, char c)
{
    buffer_append(buffer, &c, 1);
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    char *end;
    int size;

    va_start(arguments, format);
    size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    end = size < 0 ? NULL : buffer_reserve(buffer, (size_t)size);
    if (end == NULL) {
        buffer->failed = 1;
        return;
    }
    va_start(arguments, format);
    vsnprintf(end, (size_t)size + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)size;
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = 0;
    if (buffer->data != NULL)
        buffer->data[0] = '\0';
}

char *buffer_take(struct buffer *buffer)
{
    char *data;

    buffer_append(buffer, "", 0); /* so that an empty one has its 0 byte */
    if (buffer->failed) {
        buffer_reset(buffer);
        return NULL;
    }
    data = buffer->data;
    memset(buffer, 0, sizeof *buffer);
    return data;
}

void buffer_reset(struct buffer *buffer)
{
    memory_free(buffer->data);
    memset(buffer, 0, sizeof *buffer);
}
