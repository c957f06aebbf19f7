/* How a function says what went wrong: a code to return and one line of words in
 * a buffer the caller owns, so that failing needs no memory and no global. */
#ifndef ERNIE_BASE_ERROR_H
#define ERNIE_BASE_ERROR_H

#include "ernie.h"

/* Writes code and message into err (which may be NULL) and returns code, so that
 * a caller can say `return error_set(err, ERNIE_EIO, "%s: %s", path, why)`. The
 * message is "what: why"; line breaks and other control characters in it become
 * spaces, and one that does not fit ends at a whole character. */
int error_set(ernie_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "what: <the words for errno>", with the code that errno_value deserves:
 * ERNIE_ENOTFOUND for ENOENT, ERNIE_ENOMEM for ENOMEM, else ERNIE_EIO. */
int error_set_system(ernie_error *err, int errno_value, const char *what);

#endif
