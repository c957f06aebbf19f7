/* The relationships of Office Open XML (ECMA-376, part 2, section 9.3): which part another part
 * means by the name "rId1", and what for. */
#ifndef ERNIE_EXTRACTOR_RELATIONS_H
#define ERNIE_EXTRACTOR_RELATIONS_H

#include <stddef.h>

#include "document/extract.h"
#include "extractor/package.h"

struct relation {
    char id[64];     /* "rId1" */
    char type[48];   /* the last piece of its URI: "styles", "slide" */
    char target[256]; /* the part's name in the package */
};

struct relations {
    struct relation *relations; /* [n], in the order of the part */
    size_t n;
};

/* Those of a part, or of the whole package for "". None when it has no such part. relations, all
 * zero before, is released by relations_reset also after a failure. */
int relations_read(struct relations *relations, const struct package *package, const char *part,
                   ernie_error *err);
void relations_reset(struct relations *relations);

/* The part of an id, or the first of a type; NULL when there is none, or the part is missing. */
const struct part *relations_by_id(const struct relations *relations,
                                   const struct package *package, const char *id);
const struct part *relations_by_type(const struct relations *relations,
                                     const struct package *package, const char *type);

/* Opens an Office document: its XML parts, its properties into out, and in main_part the part
 * that is the document itself, usually called so. */
int office_open(struct package *package, const uint8_t *bytes, size_t size, const char *usually,
                const struct part **main_part, struct extract *out, ernie_error *err);

#endif
