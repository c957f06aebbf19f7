#include "index/cluster.h"

#include <string.h>

#include <faiss/c_api/Clustering_c.h>
#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/index_factory_c.h>

#include "index/faiss.h"

/* Enough for lists: later rounds change next to nothing in what is found. */
#define ROUNDS 8

/* FAISS goes on from the centers that it has: rounds one by one, so that the work can be
 * canceled between them, end where as many at once do. */
static int train(FaissClustering *clustering, size_t dim, size_t n, const float *x,
                 const atomic_int *cancel, float *out, ernie_error *err)
{
    FaissIndex *index = NULL;
    float *centers;
    size_t size;
    int code = faiss_index_factory(&index, (int)dim, "Flat", METRIC_INNER_PRODUCT);
    int status = ERNIE_OK;

    for (int i = 0; i < ROUNDS && code == FAISS_OK && status == ERNIE_OK; i++) {
        if (cancel != NULL && atomic_load(cancel) != 0)
            status = error_set(err, ERNIE_ECANCELED, "index: canceled");
        else
            code = faiss_Clustering_train(clustering, (idx_t)n, x, index);
    }
    if (code != FAISS_OK) {
        status = faiss_failed(err, code, ERNIE_EINVAL, "index");
    } else if (status == ERNIE_OK) {
        faiss_Clustering_centroids(clustering, &centers, &size);
        memcpy(out, centers, size * sizeof *out);
    }
    faiss_Index_free(index);
    return status;
}

int cluster_train(size_t dim, size_t n, const float *x, size_t k, size_t n_threads,
                  const atomic_int *cancel, float *out, ernie_error *err)
{
    FaissClusteringParameters parameters;
    FaissClustering *clustering = NULL;
    int code, status, threads = faiss_threads_begin(n_threads);

    faiss_ClusteringParameters_init(&parameters);
    parameters.niter = 1;
    parameters.spherical = 1;
    parameters.min_points_per_centroid = 1; /* below it, FAISS prints a warning */
    parameters.max_points_per_centroid = (int)(n / k + 1);
    code = faiss_Clustering_new_with_params(&clustering, (int)dim, (int)k, &parameters);
    status = code != FAISS_OK ? faiss_failed(err, code, ERNIE_EINVAL, "index")
                              : train(clustering, dim, n, x, cancel, out, err);
    faiss_Clustering_free(clustering);
    faiss_threads_end(threads);
    return status;
}
