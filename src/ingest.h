/* Indexing of what is asked for, by whoever asks: ernie_index for its caller, the watcher for
 * what it saw change. */
#ifndef ERNIE_INGEST_H
#define ERNIE_INGEST_H

#include "database.h"
#include "ernie.h"
#include "scan.h"

/* As ernie_index; report and err are not NULL. The options' excludes, hidden and prune do not
 * count, the request's do. */
int ingest(struct ernie_database *database, const struct scan_request *request,
           const struct ernie_index_options *options, struct ernie_index_report *report,
           ernie_error *err);

#endif
