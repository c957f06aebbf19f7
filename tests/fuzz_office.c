/* Any bytes as an Office document or a book: text that comes out is UTF-8 without zeros. The first
 * byte says which format, and whether the rest is the zip file itself or, so that more than its
 * inflating is tried, the parts to make one of: each begins with a line "@word/document.xml". For
 * libFuzzer, built on request:
 *
 *     ./configure CC=clang CFLAGS='-g -O1 -fsanitize=fuzzer-no-link,address,undefined' LIBS=-lgomp
 *     make fuzz_office && ./fuzz_office -max_len=8000 CORPUS
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "extractor/formats.h"
#include "fuzz_text.h"
#include "zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct zip zip;

/* Where the line of the next part begins. */
static size_t find_part(const uint8_t *data, size_t size, size_t at)
{
    while (at < size && !(data[at] == '@' && (at == 0 || data[at - 1] == '\n')))
        at++;
    return at;
}

static void make_zip(const uint8_t *data, size_t size)
{
    char name[64];

    memset(&zip, 0, sizeof zip);
    for (size_t at = find_part(data, size, 0), end; at < size; at = end) {
        const uint8_t *line_end = memchr(data + at, '\n', size - at);
        size_t n = line_end != NULL ? (size_t)(line_end - data) - at - 1 : 0, start = at + n + 2;

        end = find_part(data, size, at + 1);
        if (line_end == NULL || n >= sizeof name || zip.n >= 64)
            continue;
        memcpy(name, data + at + 1, n);
        name[n] = '\0';
        zip_add(&zip, name, data + start, end > start ? end - start : 0);
    }
    zip_finish(&zip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int (*const formats[])(struct writer *, const uint8_t *, size_t, ernie_error *) = {
        docx_extract, pptx_extract, xlsx_extract, odt_extract, epub_extract,
    };
    struct extract out = { 0 };
    struct writer writer = { .out = &out, .line = 1 };
    uint8_t *bytes;
    int n;

    if (size == 0 || size > 1 << 18)
        return 0;
    n = data[0] % 16;
    data++, size--;
    if (n < 8) {
        make_zip(data, size);
        data = zip.bytes;
        size = zip.size;
    }
    bytes = malloc(size > 0 ? size : 1); /* of its own, so that reading past the end is seen */
    must(bytes != NULL);
    memcpy(bytes, data, size);
    if (formats[n % 8 % 5](&writer, bytes, size, NULL) == ERNIE_OK)
        check_extract(&out);
    extract_reset(&out);
    free(bytes);
    return 0;
}
