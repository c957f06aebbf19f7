/* The floating-point state of a thread is its host's: it may round upwards, or take what is
 * nearly 0 for 0, and so would we. Between these two calls numbers are computed as C begins
 * with, so that the same text has the same embedding in any host. */
#ifndef ERNIE_BASE_FLOAT_STATE_H
#define ERNIE_BASE_FLOAT_STATE_H

#include <fenv.h>

struct float_state {
    fenv_t of_host;
};

void float_state_begin(struct float_state *state);
void float_state_end(const struct float_state *state);

#endif
