/* Runs the tests of a program: what its main() ends with. CK_VERBOSITY, CK_RUN_CASE and CK_FORK
 * of the environment count. */
#ifndef ERNIE_TESTS_SUITE_H
#define ERNIE_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

/* The exit status. */
static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int n_failed;

    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
