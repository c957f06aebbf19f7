/* What documents say of themselves (who wrote them, when, in which language), brought to the
 * one form in which it is kept. Of several statements the first that can be read counts. */
#ifndef ERNIE_DOCUMENT_METADATA_H
#define ERNIE_DOCUMENT_METADATA_H

#include <stddef.h>

#include "document/extract.h"

/* A date as people and programs write it to ISO 8601, with the time and the zone where they
 * are given: "2024-1-31", "20240131", "2024年1月31日", "Wed, 31 Jan 2024 08:00:00 +0800" (RFC
 * 5322), "January 31, 2024", and what ISO 8601 itself allows. What comes behind a date is no
 * matter. 0 when the text begins with no day that there is. */
int metadata_date(const char *text, size_t size, char out[32]);

void metadata_set_date(struct extract *out, const char *text, size_t size);
/* A language tag (RFC 5646); "zh_CN" is "zh-CN", and "zh_CN.UTF-8" as well. */
void metadata_set_language(struct extract *out, const char *text, size_t size);
/* Text on one line, white space collapsed. */
void metadata_set_author(struct extract *out, const char *text, size_t size);
void metadata_set_title(struct extract *out, const char *text, size_t size);

#endif
