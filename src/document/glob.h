/* Patterns as gitignore(5) has them. */
#ifndef ERNIE_DOCUMENT_GLOB_H
#define ERNIE_DOCUMENT_GLOB_H

#include <stddef.h>

/* Whether a path below the root ("a/b.txt") is left out. The last pattern that
 * matches decides; one that begins with "!" takes back in. What is below a folder
 * that is left out is not asked about: the walk does not go there. */
int glob_excludes(size_t n, const char *const *patterns, const char *path, int is_folder);

#endif
