/* Which bytes of a text a token was made of. */
#ifndef ERNIE_MODEL_TOKEN_SPAN_H
#define ERNIE_MODEL_TOKEN_SPAN_H

#include <stddef.h>

struct token_span {
    size_t start, end; /* bytes of the text as given: [start, end) */
};

#endif
