/* An index as a file beside the database: a cache that may be lost at any time. It says
 * which rows it was made from, and it is sealed with a key that no database brings along
 * (mac.h): bytes that nobody vouches for never reach FAISS's reader, which believes its
 * input. Numbers are in the machine's own byte order: the file stays where its key is. */
#ifndef ERNIE_INDEX_INDEX_FILE_H
#define ERNIE_INDEX_INDEX_FILE_H

#include <stdint.h>

#include "base/error.h"
#include "base/mac.h"
#include "index/index.h"

/* Which rows an index holds. It fits a database when uuid and fingerprint are the
 * database's and the log has the entry seq with this mark. */
struct index_stamp {
    uint8_t database_uuid[16];
    uint8_t model_fingerprint[16];
    uint64_t seq;      /* the last entry of the log that is in it */
    uint64_t mark;     /* that entry's own random mark */
    uint64_t base_seq; /* the log's last entry when it was built: vectors that were gone by
                          then are not in it */
    uint64_t n_recent; /* vectors after the base */
};

/* Writes the index, of what came after its base the first stamp->n_recent vectors, in one
 * atomic replacement of path. */
int index_file_save(const struct index *index, const struct index_stamp *stamp,
                    const struct mac_key *key, const char *path, ernie_error *err);

/* Reads what index_file_save wrote. ERNIE_ENOTFOUND: no file; ERNIE_EFORMAT: not one of
 * ours, damaged, or sealed with another key; the caller builds a new one. */
int index_file_load(const char *path, const struct mac_key *key, struct index **out,
                    struct index_stamp *stamp, ernie_error *err);

#endif
