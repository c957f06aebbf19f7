#include "base/float_state.h"

void float_state_begin(struct float_state *state)
{
    fegetenv(&state->of_host);
    fesetenv(FE_DFL_ENV);
}

void float_state_end(const struct float_state *state)
{
    fesetenv(&state->of_host);
}
