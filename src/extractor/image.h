/* Words in images by Tesseract, in simplified Chinese and English as far as their data is
 * installed. image_extract is in formats.h. */
#ifndef ERNIE_EXTRACTOR_IMAGE_H
#define ERNIE_EXTRACTOR_IMAGE_H

/* Reads the data of the languages, while the process may open files. */
void image_prepare(void);

#endif
