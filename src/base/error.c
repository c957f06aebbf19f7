#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Takes off what vsnprintf left of a character that did not fit whole. */
static void cut_last_character(char *text, size_t size)
{
    size_t start = utf8_floor(text, size - 1), n;
    int valid = 1;

    utf8_decode(text + start, size - start, &n, &valid);
    if (!valid)
        text[start] = '\0';
}

int error_set(ernie_error *err, int code, const char *format, ...)
{
    va_list arguments;
    int size;

    if (err == NULL)
        return code;
    err->code = code;
    va_start(arguments, format);
    size = vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    if (size < 0)
        err->message[0] = '\0';
    if (size >= (int)sizeof err->message)
        cut_last_character(err->message, sizeof err->message - 1);
    /* A message holds names from outside; one with a line break in it would
     * look like two messages. */
    for (char *c = err->message; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    return code;
}

int error_set_system(ernie_error *err, int errno_value, const char *what)
{
    char words[128];
    int code = ERNIE_EIO;

    if (errno_value == ENOENT)
        code = ERNIE_ENOTFOUND;
    else if (errno_value == ENOMEM)
        code = ERNIE_ENOMEM;
    /* The GNU strerror_r, which may return a string of its own. */
    return error_set(err, code, "%s: %s", what, strerror_r(errno_value, words, sizeof words));
}
