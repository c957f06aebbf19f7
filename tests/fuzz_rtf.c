/* Any bytes as RTF: text that comes out is UTF-8 without zeros. For libFuzzer, built on request:
 *
 *     ./configure CC=clang CFLAGS='-g -O1 -fsanitize=fuzzer-no-link,address,undefined' LIBS=-lgomp
 *     make fuzz_rtf && ./fuzz_rtf -max_len=8000 CORPUS
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "extractor/formats.h"
#include "fuzz_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char start[] = "{\\rtf1";
    struct extract out = { 0 };
    struct writer writer = { .out = &out, .line = 1 };
    uint8_t *bytes = malloc(size + sizeof start - 1);

    must(bytes != NULL);
    memcpy(bytes, start, sizeof start - 1);
    if (size > 0)
        memcpy(bytes + sizeof start - 1, data, size);
    if (rtf_extract(&writer, bytes, size + sizeof start - 1, NULL) == ERNIE_OK)
        check_extract(&out);
    extract_reset(&out);
    free(bytes);
    return 0;
}
