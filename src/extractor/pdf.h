/* PDF by Poppler: page by page, lines put together to paragraphs by where they stand, lines
 * that are on every page left out, headings where the outline has them. pdf_extract is in
 * formats.h. */
#ifndef ERNIE_EXTRACTOR_PDF_H
#define ERNIE_EXTRACTOR_PDF_H

/* Reads what Poppler wants to read once, while the process may open files. */
void pdf_prepare(void);

#endif
