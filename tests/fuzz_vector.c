/* Any text as a vector in JSON: refused, or what is read of it comes back from JSON as it
 * was. For libFuzzer, built on request like fuzz_tokenizer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ernie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *json;
    float *vector, *again;
    size_t dim, dim_again;

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (ernie_vector_from_json(text, &dim, &vector, NULL) == ERNIE_OK) {
        if (dim == 0 || ernie_vector_to_json(dim, vector, &json, NULL) != ERNIE_OK ||
            ernie_vector_from_json(json, &dim_again, &again, NULL) != ERNIE_OK ||
            dim_again != dim || memcmp(vector, again, dim * sizeof *vector) != 0)
            abort();
        ernie_free(again);
        ernie_free(json);
        ernie_free(vector);
    }
    free(text);
    return 0;
}
