/* Any bytes as a mail, a folder of mail or a saved page, by the first byte, and what is attached as
 * a mail again: text that comes out is UTF-8 without zeros, and so are the members' names. For
 * libFuzzer, built on request:
 *
 *     ./configure CC=clang CFLAGS='-g -O1 -fsanitize=fuzzer-no-link,address,undefined' LIBS=-lgomp
 *     make fuzz_mail && ./fuzz_mail -max_len=8000 CORPUS
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "extractor/formats.h"
#include "fuzz_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_member(void *data, const char *name, const uint8_t *bytes, size_t size,
                       ernie_error *err)
{
    struct extract out = { 0 };
    struct writer writer = { .out = &out, .line = 1 };
    unsigned depth = *(unsigned *)data + 1;

    must(utf8_valid(name, strlen(name)));
    if (depth < 3 && mail_extract(&writer, bytes, size, read_member, &depth, err) == ERNIE_OK)
        check_extract(&out);
    extract_reset(&out);
    return ERNIE_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct extract out = { 0 };
    struct writer writer = { .out = &out, .line = 1 };
    unsigned depth = 0;
    uint8_t *bytes;
    int status, n;

    if (size == 0)
        return 0;
    n = data[0] % 3;
    bytes = malloc(size); /* of its own, so that reading past the end is seen */
    must(bytes != NULL);
    memcpy(bytes, data + 1, --size);
    if (n == 0)
        status = mail_extract(&writer, bytes, size, read_member, &depth, NULL);
    else if (n == 1)
        status = mbox_extract(bytes, size, read_member, &depth, NULL);
    else
        status = mhtml_extract(&writer, bytes, size, NULL);
    if (status == ERNIE_OK)
        check_extract(&out);
    extract_reset(&out);
    free(bytes);
    return 0;
}
