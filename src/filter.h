/* Which documents a search is limited to: by format, by date, by place. */
#ifndef ERNIE_FILTER_H
#define ERNIE_FILTER_H

#include "base/id_set.h"
#include "database.h"
#include "ernie.h"

struct filter {
    int is_on;               /* else every document will do */
    struct id_set documents; /* that will do */
};

/* Fills filter (all zero before) from the options, within the caller's snapshot.
 * filter_reset releases it, also after a failure. ERNIE_EFORMAT: a format that there is none
 * of, or no date. */
int filter_init(struct filter *filter, struct ernie_database *database,
                const struct ernie_search_options *options, ernie_error *err);
int filter_has(const struct filter *filter, int64_t document_id);
void filter_reset(struct filter *filter);

#endif
