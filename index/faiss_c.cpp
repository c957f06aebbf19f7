/* FAISS's C interface where the system has none. Debian installs the headers of
 * the C interface and the C++ library, but no compiled C functions; configure
 * then builds this file, which defines those of them that are called here. The
 * system's headers declare them, so the compiler compares the signatures.
 *
 * An exception never leaves a function: it becomes one of FAISS's error codes and
 * a message. One thrown inside an OpenMP region (FAISS's own scratch memory
 * running out in the middle of a search) ends the process; that is the rule of
 * OpenMP, and the same with every build of FAISS. */
#include <cstdio>
#include <exception>
#include <vector>

#include <faiss/AutoTune.h>
#include <faiss/Clustering.h>
#include <faiss/Index.h>
#include <faiss/impl/FaissException.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>

#include <faiss/c_api/AutoTune_c.h>
#include <faiss/c_api/Clustering_c.h>
#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/error_c.h>
#include <faiss/c_api/index_factory_c.h>
#include <faiss/c_api/index_io_c.h>

namespace {

/* What the calling thread's last failure was. Fixed in size, because the failure
 * may be that memory ran out. */
thread_local char last_error[512];

int failed(FaissErrorCode code, const char *message)
{
    std::snprintf(last_error, sizeof last_error, "%s", message);
    return code;
}

/* Runs work and turns what it throws into a code. std::bad_alloc arrives as
 * STD_EXCEPT with its own name for a message. */
template <typename Work> int guarded(Work work) noexcept
{
    try {
        work();
        return OK;
    } catch (const faiss::FaissException &e) {
        return failed(FAISS_EXCEPT, e.what());
    } catch (const std::exception &e) {
        return failed(STD_EXCEPT, e.what());
    } catch (...) {
        return failed(UNKNOWN_EXCEPT, "unknown exception");
    }
}

faiss::Index *cxx(FaissIndex *index)
{
    return reinterpret_cast<faiss::Index *>(index);
}

const faiss::Index *cxx(const FaissIndex *index)
{
    return reinterpret_cast<const faiss::Index *>(index);
}

FaissIndex *c(faiss::Index *index)
{
    return reinterpret_cast<FaissIndex *>(index);
}

} // namespace

extern "C" {

const char *faiss_get_last_error()
{
    return last_error;
}

/* ---- an index ---------------------------------------------------------- */

int faiss_index_factory(FaissIndex **p_index, int d, const char *description,
                        FaissMetricType metric)
{
    return guarded([=] {
        *p_index = c(faiss::index_factory(d, description, static_cast<faiss::MetricType>(metric)));
    });
}

void faiss_Index_free(FaissIndex *obj)
{
    delete cxx(obj);
}

int faiss_Index_d(const FaissIndex *index)
{
    return static_cast<int>(cxx(index)->d);
}

idx_t faiss_Index_ntotal(const FaissIndex *index)
{
    return cxx(index)->ntotal;
}

FaissMetricType faiss_Index_metric_type(const FaissIndex *index)
{
    return static_cast<FaissMetricType>(cxx(index)->metric_type);
}

int faiss_Index_is_trained(const FaissIndex *index)
{
    return cxx(index)->is_trained;
}

int faiss_Index_train(FaissIndex *index, idx_t n, const float *x)
{
    return guarded([=] { cxx(index)->train(n, x); });
}

int faiss_Index_add(FaissIndex *index, idx_t n, const float *x)
{
    return guarded([=] { cxx(index)->add(n, x); });
}

int faiss_Index_search(const FaissIndex *index, idx_t n, const float *x, idx_t k, float *distances,
                       idx_t *labels)
{
    return guarded([=] { cxx(index)->search(n, x, k, distances, labels); });
}

/* ---- its parameters ---------------------------------------------------- */

int faiss_ParameterSpace_new(FaissParameterSpace **space)
{
    return guarded([=] {
        *space = reinterpret_cast<FaissParameterSpace *>(new faiss::ParameterSpace());
    });
}

void faiss_ParameterSpace_free(FaissParameterSpace *obj)
{
    delete reinterpret_cast<faiss::ParameterSpace *>(obj);
}

int faiss_ParameterSpace_set_index_parameter(const FaissParameterSpace *space, FaissIndex *index,
                                             const char *name, double value)
{
    return guarded([=] {
        reinterpret_cast<const faiss::ParameterSpace *>(space)->set_index_parameter(cxx(index),
                                                                                    name, value);
    });
}

/* ---- centers ----------------------------------------------------------- */

void faiss_ClusteringParameters_init(FaissClusteringParameters *params)
{
    const faiss::ClusteringParameters usual;

    params->niter = usual.niter;
    params->nredo = usual.nredo;
    params->verbose = usual.verbose;
    params->spherical = usual.spherical;
    params->int_centroids = usual.int_centroids;
    params->update_index = usual.update_index;
    params->frozen_centroids = usual.frozen_centroids;
    params->min_points_per_centroid = usual.min_points_per_centroid;
    params->max_points_per_centroid = usual.max_points_per_centroid;
    params->seed = usual.seed;
    params->decode_block_size = usual.decode_block_size;
}

int faiss_Clustering_new_with_params(FaissClustering **p_clustering, int d, int k,
                                     const FaissClusteringParameters *cp)
{
    return guarded([=] {
        faiss::ClusteringParameters parameters;

        parameters.niter = cp->niter;
        parameters.nredo = cp->nredo;
        parameters.verbose = cp->verbose != 0;
        parameters.spherical = cp->spherical != 0;
        parameters.int_centroids = cp->int_centroids != 0;
        parameters.update_index = cp->update_index != 0;
        parameters.frozen_centroids = cp->frozen_centroids != 0;
        parameters.min_points_per_centroid = cp->min_points_per_centroid;
        parameters.max_points_per_centroid = cp->max_points_per_centroid;
        parameters.seed = cp->seed;
        parameters.decode_block_size = cp->decode_block_size;
        *p_clustering =
            reinterpret_cast<FaissClustering *>(new faiss::Clustering(d, k, parameters));
    });
}

int faiss_Clustering_train(FaissClustering *clustering, idx_t n, const float *x,
                           FaissIndex *index)
{
    return guarded([=] {
        reinterpret_cast<faiss::Clustering *>(clustering)->train(n, x, *cxx(index));
    });
}

void faiss_Clustering_centroids(FaissClustering *clustering, float **centroids, size_t *size)
{
    std::vector<float> &found = reinterpret_cast<faiss::Clustering *>(clustering)->centroids;

    *centroids = found.data();
    *size = found.size();
}

void faiss_Clustering_free(FaissClustering *clustering)
{
    delete reinterpret_cast<faiss::Clustering *>(clustering);
}

/* ---- its bytes --------------------------------------------------------- */

int faiss_write_index(const FaissIndex *idx, FILE *f)
{
    return guarded([=] { faiss::write_index(cxx(idx), f); });
}

int faiss_read_index(FILE *f, int io_flags, FaissIndex **p_out)
{
    return guarded([=] { *p_out = c(faiss::read_index(f, io_flags)); });
}

} // extern "C"
