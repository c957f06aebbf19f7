#include "index/faiss.h"

#include <string.h>

#include <faiss/c_api/error_c.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifdef HAVE_OMP
#include <omp.h>
#endif

/* FAISS's C functions tell running out of memory only by the name of the exception; a
 * libfaiss_c of the system loses even that and says "std::exception", which hardly ever is
 * anything else. */
int faiss_failed(ernie_error *err, int code, int status, const char *what)
{
    const char *message = faiss_get_last_error();

    if (message == NULL)
        message = "unknown error";
    if (code == STD_EXCEPT &&
        (strstr(message, "bad_alloc") != NULL || strcmp(message, "std::exception") == 0))
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", what);
    return error_set(err, status, "%s: FAISS: %s", what, message);
}

/* FAISS shares work by OpenMP, whose number of threads belongs to the calling
 * thread: setting it here disturbs no other thread. Where FAISS was built with
 * another OpenMP than our compiler's, this has no effect, and OMP_NUM_THREADS
 * rules. */
int faiss_threads_begin(size_t n_threads)
{
#ifdef HAVE_OMP
    int before = omp_get_max_threads();

    omp_set_num_threads(n_threads < 1      ? omp_get_num_procs()
                        : n_threads > 1024 ? 1024
                                           : (int)n_threads);
    return before;
#else
    return (int)n_threads;
#endif
}

void faiss_threads_end(int before)
{
#ifdef HAVE_OMP
    omp_set_num_threads(before);
#else
    (void)before;
#endif
}
