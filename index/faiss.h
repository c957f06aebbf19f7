/* What every file that calls FAISS needs: its errors as ours, and its threads. */
#ifndef ERNIE_INDEX_FAISS_H
#define ERNIE_INDEX_FAISS_H

#include <stddef.h>

#include "base/error.h"

#define FAISS_OK 0

/* Makes FAISS's last error ours: "what: FAISS: why", with status unless memory ran
 * out. Returns the status. */
int faiss_failed(ernie_error *err, int code, int status, const char *what);

/* How many threads FAISS may use from here to _end, which takes what _begin gave; 0 for as
 * many as there are cores. */
int faiss_threads_begin(size_t n_threads);
void faiss_threads_end(int before);

#endif
