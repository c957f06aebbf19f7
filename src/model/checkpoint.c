#include "model/checkpoint.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/directory.h"

#define MAX_INDEX_BYTES  (4u << 20)
#define MAX_INDEX_DEPTH  8
#define MAX_INDEX_VALUES 40000 /* names and files of as many tensors as a file may have */
#define MAX_SHARDS       256   /* each keeps a descriptor while weights are read */

/* The files that an index names. */
struct shards {
    const char *directory, *index; /* paths */
    size_t n;
    const char *name[MAX_SHARDS];
    struct safetensors *file[MAX_SHARDS];
};

int checkpoint_refuse_other(const char *directory, int status, ernie_error *err)
{
    char *other = directory_other_weights(directory);

    if (other == NULL)
        return status;
    status = error_set(err, ERNIE_EFORMAT,
                       "%s: only model.safetensors is read; convert it once in Python: "
                       "AutoModel.from_pretrained(DIR).save_pretrained(DIR), "
                       "where DIR is a checkpoint of PyTorch",
                       other);
    memory_free(other);
    return status;
}

/* The name of a file in the same directory, and nothing else: the index may come from
 * anywhere. */
static int is_plain_name(const char *name, size_t size)
{
    static const char ending[] = ".safetensors";
    const size_t n = sizeof ending - 1;

    return size > n && size < 256 && name[0] != '.' && strlen(name) == size &&
           strchr(name, '/') == NULL && strcmp(name + size - n, ending) == 0;
}

static int open_shard(struct shards *shards, const char *name, ernie_error *err)
{
    char *path = path_join(shards->directory, name);
    int status = path == NULL
                     ? error_set(err, ERNIE_ENOMEM, "%s: out of memory", shards->index)
                     : safetensors_open(path, &shards->file[shards->n], err);

    memory_free(path);
    if (status == ERNIE_ENOTFOUND)
        return error_set(err, ERNIE_EFORMAT, "%s: %s: missing", shards->index, name);
    if (status == ERNIE_OK)
        shards->name[shards->n++] = name;
    return status;
}

/* One member of weight_map: "encoder....weight": "model-00001-of-00002.safetensors". */
static int read_place(void *data, const char *tensor, const json *value, ernie_error *err)
{
    struct shards *shards = data;
    size_t size = 0, i = 0;
    const char *name = json_to_text(value, &size);
    int status = ERNIE_OK;

    if (name == NULL || !is_plain_name(name, size))
        return error_set(err, ERNIE_EFORMAT,
                         "%s: weight_map: %.120s: not the name of a .safetensors file beside it",
                         shards->index, tensor);
    while (i < shards->n && strcmp(shards->name[i], name) != 0)
        i++;
    if (i == MAX_SHARDS)
        return error_set(err, ERNIE_EFORMAT, "%s: weight_map: more than %d files", shards->index,
                         MAX_SHARDS);
    if (i == shards->n)
        status = open_shard(shards, name, err);
    if (status == ERNIE_OK && safetensors_find(shards->file[i], tensor) == NULL)
        status = error_set(err, ERNIE_EFORMAT, "%s: weight_map: %.120s: not in %s", shards->index,
                           tensor, name);
    return status;
}

static int parse_index(const char *path, json **document, ernie_error *err)
{
    struct file file = { 0 };
    const char *text;
    int status = file_read(path, MAX_INDEX_BYTES, &file, err);

    text = (const char *)file.data;
    if (status == ERNIE_OK)
        status = json_check_size(path, text, file.size, MAX_INDEX_DEPTH, MAX_INDEX_VALUES, err);
    if (status == ERNIE_OK)
        status = json_parse(path, text, file.size, document, err);
    file_reset(&file);
    return status;
}

static int open_index(const char *directory, const char *path, struct safetensors **out,
                      ernie_error *err)
{
    struct shards *shards = memory_new(1, sizeof *shards);
    json *document = NULL;
    const json *map = NULL;
    int status;

    if (shards == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    shards->directory = directory;
    shards->index = path;
    status = parse_index(path, &document, err);
    if (status == ERNIE_OK) {
        map = json_member(document, "weight_map");
        if (map == NULL || json_kind(map) != JSON_KIND_OBJECT || json_count(map) == 0)
            status = error_set(err, ERNIE_EFORMAT, "%s: weight_map: not an object with members",
                               path);
    }
    if (status == ERNIE_OK)
        status = json_each_member(map, read_place, shards, err);
    if (status == ERNIE_OK)
        status = safetensors_join(path, shards->n, shards->file, out, err);
    else
        for (size_t i = 0; i < shards->n; i++)
            safetensors_close(shards->file[i]);
    json_free(document);
    memory_free(shards);
    return status;
}

int checkpoint_open(const char *directory, struct safetensors **out, ernie_error *err)
{
    char *path = path_join(directory, "model.safetensors");
    char *index = path_join(directory, "model.safetensors.index.json");
    ernie_error why;
    int status;

    if (path == NULL || index == NULL) {
        status = error_set(err, ERNIE_ENOMEM, "model: out of memory");
    } else if ((status = safetensors_open(path, out, err)) == ERNIE_ENOTFOUND) {
        const int of_index = open_index(directory, index, out, &why);

        /* Where neither is there, the one file is told to be missing. */
        if (of_index == ERNIE_ENOTFOUND)
            status = checkpoint_refuse_other(directory, status, err);
        else if ((status = of_index) != ERNIE_OK && err != NULL)
            *err = why;
    }
    memory_free(path);
    memory_free(index);
    return status;
}
