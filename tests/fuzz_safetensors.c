/* Any bytes as a safetensors file: refused, or its header is JSON to others too, and its
 * tensors fill the data one after the other and are found by their names. For libFuzzer,
 * built on request like fuzz_tokenizer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json.h"
#include "model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(holds)                                             \
    do {                                                        \
        if (!(holds)) {                                         \
            fprintf(stderr, "does not hold: %s\n", #holds);     \
            abort();                                            \
        }                                                       \
    } while (0)

static int compare_starts(const void *a, const void *b)
{
    const struct tensor *x = *(const struct tensor *const *)a, *y = *(const struct tensor *const *)b;
    uint64_t i = x->start, j = y->start;

    if (i == j)
        i = x->size_bytes, j = y->size_bytes;
    return (i > j) - (i < j);
}

static void check_tensors(const struct safetensors *file, uint64_t data_start, size_t size)
{
    const size_t n = safetensors_count(file);
    const struct tensor **tensors = calloc(n + 1, sizeof *tensors);
    uint64_t end = data_start;

    must(tensors != NULL);
    for (size_t i = 0; i < n; i++) {
        const struct tensor *tensor = tensors[i] = safetensors_at(file, i);
        uint8_t byte;

        must(safetensors_find(file, tensor->name) == tensor);
        must(tensor->n_dimensions <= TENSOR_MAX_DIMENSIONS);
        must(safetensors_read(file, tensor, tensor->size_bytes, 1, &byte, NULL) == ERNIE_EINVAL);
        if (tensor->size_bytes > 0)
            must(safetensors_read(file, tensor, tensor->size_bytes - 1, 1, &byte, NULL) ==
                 ERNIE_OK);
    }
    qsort(tensors, n, sizeof *tensors, compare_starts);
    for (size_t i = 0; i < n; i++) {
        size_t n_numbers = 1;

        must(tensors[i]->start == end);
        end += tensors[i]->size_bytes;
        for (size_t j = 0; j < tensors[i]->n_dimensions; j++)
            n_numbers *= tensors[i]->shape[j];
        if (tensors[i]->type != TENSOR_OTHER)
            must(tensors[i]->size_bytes == n_numbers * tensor_type_size(tensors[i]->type));
    }
    must(end == size);
    free(tensors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct safetensors *file = NULL;
    char path[64];
    ernie_error err;
    int fd = memfd_create("model.safetensors", 0);

    must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (safetensors_open(path, &file, &err) == ERNIE_OK) {
        json *header = NULL;
        uint64_t length = 0;

        must(size >= 8);
        for (int i = 7; i >= 0; i--)
            length = length << 8 | data[i];
        must(length <= size - 8);
        must(json_parse("header", (const char *)data + 8, (size_t)length, &header, &err) ==
             ERNIE_OK);
        must(json_count(header) - (json_member(header, "__metadata__") != NULL) ==
             safetensors_count(file));
        json_free(header);
        check_tensors(file, 8 + length, size);
    } else {
        must(strncmp(err.message, path, strlen(path)) == 0);
        must(strpbrk(err.message, "\r\n") == NULL);
    }
    safetensors_close(file);
    close(fd);
    return 0;
}
