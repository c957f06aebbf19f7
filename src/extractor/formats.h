/* The complex formats, one function each: the bytes of a file, all of them in memory, to
 * what a writer writes. They run in a helper program that is confined before it sees a
 * byte, so a fault of a parser costs the one file. What is not of the format is
 * ERNIE_EFORMAT, with a message of one line for the file's row; what was written until then
 * is thrown away. Metadata (title, author, language, date) goes to writer->out. */
#ifndef ERNIE_EXTRACTOR_FORMATS_H
#define ERNIE_EXTRACTOR_FORMATS_H

#include <stddef.h>
#include <stdint.h>

#include "document/writer.h"

int docx_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err);
int pptx_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err);
int xlsx_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err);
int odt_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err);
int odp_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err);
int ods_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err);
int epub_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err);
int rtf_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err);
/* A saved web page: its HTML. */
int mhtml_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err);
int image_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err);
int pdf_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err);

/* Called for each file in a container: its name, which is whatever the container says, as
 * UTF-8, and its bytes. The callee decides what becomes of a member, also of one that is a
 * container again; anything but ERNIE_OK ends the container. */
typedef int (*member_fn)(void *data, const char *name, const uint8_t *bytes, size_t size,
                         ernie_error *err);

/* One mail: headers and body are written, what is attached goes to fn. */
int mail_extract(struct writer *writer, const uint8_t *bytes, size_t size, member_fn fn,
                 void *data, ernie_error *err);
/* A folder of mail in one file: each mail goes to fn, named by its number and subject and
 * ending in ".eml". */
int mbox_extract(const uint8_t *bytes, size_t size, member_fn fn, void *data, ernie_error *err);
/* zip, tar, 7z, and single files in gzip, bzip2, xz or Zstandard. name: of the file, from
 * which that of a single one within it is told. */
int archive_extract(const char *name, const uint8_t *bytes, size_t size, member_fn fn,
                    void *data, ernie_error *err);

#endif
