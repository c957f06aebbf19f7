#include "model/vocab.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"

#define MAX_FILE_BYTES  (64u << 20)
#define MAX_WORDS       (2u << 20)
#define MAX_WORD_BYTES  1024
#define N_BEGINNINGS    4096 /* a power of 2 */

/* A slot of the hash table: open addressing, linear probing. The tag spares
 * nearly every look at a word that is not the one. */
struct slot {
    uint32_t tag;
    int32_t id; /* -1: empty */
};

struct vocab {
    struct file file; /* each line end made a 0 byte */
    struct hash hash;
    size_t n_words;
    uint32_t *start;   /* [n_words] offsets into the file */
    uint32_t *size;    /* [n_words] */
    struct slot *slot; /* [mask + 1], at most half of it full */
    size_t mask;
    /* The hash of nothing, and of "##". Drawn anew for each vocabulary, so that no
     * file can aim its words at one slot. */
    uint64_t begin[2];
    /* [2][N_BEGINNINGS] how long the words with these first two bytes can be; the
     * second half is for words that continue, without their "##" */
    uint16_t *longest;
};

/* The hash of a word grows byte by byte, so that one pass over a text gives the
 * hashes of all its beginnings. */
static uint64_t hash_add(uint64_t hash, unsigned char byte)
{
    return (hash ^ byte) * UINT64_C(0x9e3779b97f4a7c15);
}

/* A product's high bits depend on all of its factor's, the low ones do not. */
static uint32_t hash_tag(uint64_t hash)
{
    return (uint32_t)(hash >> 32) ^ (uint32_t)(hash >> 61);
}

static uint16_t *longest_with(const struct vocab *vocab, const char *word, int continued)
{
    size_t beginning = ((unsigned char)word[0] * 37u + (unsigned char)word[1]) % N_BEGINNINGS;

    return &vocab->longest[(continued ? N_BEGINNINGS : 0) + beginning];
}

static int is_continued(const char *word, size_t size)
{
    return size >= 2 && word[0] == '#' && word[1] == '#';
}

/* The id of the word whose hash is given, or -1. */
static int32_t look_up(const struct vocab *vocab, uint64_t hash, const char *word, size_t size,
                       int continued)
{
    uint32_t tag = hash_tag(hash);
    size_t prefix = continued ? 2 : 0;

    for (size_t i = tag & vocab->mask;; i = (i + 1) & vocab->mask) {
        const struct slot *slot = &vocab->slot[i];
        const char *candidate;

        if (slot->id < 0)
            return -1;
        if (slot->tag != tag || vocab->size[slot->id] != size + prefix)
            continue;
        candidate = (const char *)vocab->file.data + vocab->start[slot->id];
        if (memcmp(candidate + prefix, word, size) == 0 &&
            (!continued || is_continued(candidate, size + prefix)))
            return slot->id;
    }
}

static void enter(struct vocab *vocab, int32_t id)
{
    const char *word = (const char *)vocab->file.data + vocab->start[id];
    size_t size = vocab->size[id];
    uint64_t hash = vocab->begin[0];
    int32_t earlier;
    size_t i;

    for (size_t j = 0; j < size; j++)
        hash = hash_add(hash, (unsigned char)word[j]);
    earlier = look_up(vocab, hash, word, size, 0);
    for (i = hash_tag(hash) & vocab->mask; vocab->slot[i].id != earlier; i = (i + 1) & vocab->mask)
        ;
    vocab->slot[i].tag = hash_tag(hash);
    vocab->slot[i].id = id;

    for (int continued = 0; continued <= is_continued(word, size); continued++) {
        const char *rest = word + (continued ? 2 : 0);
        size_t rest_size = size - (continued ? 2 : 0);

        if (rest_size >= 2 && *longest_with(vocab, rest, continued) < rest_size)
            *longest_with(vocab, rest, continued) = (uint16_t)rest_size;
    }
}

static int check_word(const char *path, size_t line, const char *word, size_t size,
                      ernie_error *err)
{
    if (line > MAX_WORDS)
        return error_set(err, ERNIE_EFORMAT, "%s: line %zu: more than %u words", path, line,
                         MAX_WORDS);
    if (size > MAX_WORD_BYTES)
        return error_set(err, ERNIE_EFORMAT, "%s: line %zu: a word of %zu bytes, more than %d",
                         path, line, size, MAX_WORD_BYTES);
    if (memchr(word, '\0', size) != NULL)
        return error_set(err, ERNIE_EFORMAT, "%s: line %zu: a 0 byte", path, line);
    if (!utf8_valid(word, size))
        return error_set(err, ERNIE_EFORMAT, "%s: line %zu: not UTF-8", path, line);
    return ERNIE_OK;
}

/* How many bytes from text on belong to its line, the line's end left out. */
static size_t line_size(const char *text, size_t size)
{
    size_t i = 0;

    while (i < size && text[i] != '\n' && text[i] != '\r')
        i++;
    return i;
}

/* Checks and counts the words; once there is room for them, notes where they are. */
static int split_lines(struct vocab *vocab, const char *path, ernie_error *err)
{
    char *text = (char *)vocab->file.data;
    size_t n = 0, i = 0;

    while (i < vocab->file.size) {
        size_t size = line_size(text + i, vocab->file.size - i);
        size_t end = i + size;

        if (vocab->start == NULL) {
            int status = check_word(path, n + 1, text + i, size, err);

            if (status != ERNIE_OK)
                return status;
        } else {
            vocab->start[n] = (uint32_t)i;
            vocab->size[n] = (uint32_t)size;
        }
        n++;
        i = end + 1;
        if (end + 1 < vocab->file.size && text[end] == '\r' && text[end + 1] == '\n')
            i++;
    }
    vocab->n_words = n;
    return ERNIE_OK;
}

/* Room for the words counted, and nothing entered yet. */
static int make_tables(struct vocab *vocab, const char *path, size_t max_words, ernie_error *err)
{
    size_t n_slots = 16;
    int status;

    if (vocab->n_words == 0)
        return error_set(err, ERNIE_EFORMAT, "%s: no words", path);
    if (vocab->n_words > max_words)
        return error_set(err, ERNIE_EFORMAT, "%s: %zu words, but the model has vectors for %zu",
                         path, vocab->n_words, max_words);
    while (n_slots < vocab->n_words * 2)
        n_slots *= 2;
    vocab->mask = n_slots - 1;
    vocab->start = memory_new(vocab->n_words, sizeof *vocab->start);
    vocab->size = memory_new(vocab->n_words, sizeof *vocab->size);
    vocab->slot = memory_new(n_slots, sizeof *vocab->slot);
    vocab->longest = memory_new(2 * N_BEGINNINGS, sizeof *vocab->longest);
    if (vocab->start == NULL || vocab->size == NULL || vocab->slot == NULL ||
        vocab->longest == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    status = random_bytes(&vocab->begin[0], sizeof vocab->begin[0], err);
    if (status != ERNIE_OK)
        return status;
    vocab->begin[1] = hash_add(hash_add(vocab->begin[0], '#'), '#');
    for (size_t i = 0; i < n_slots; i++)
        vocab->slot[i].id = -1;
    return ERNIE_OK;
}

static int build(struct vocab *vocab, const char *path, size_t max_words, ernie_error *err)
{
    int status = split_lines(vocab, path, err);

    if (status == ERNIE_OK)
        status = make_tables(vocab, path, max_words, err);
    if (status == ERNIE_OK)
        status = split_lines(vocab, path, err);
    if (status != ERNIE_OK)
        return status;
    for (size_t id = 0; id < vocab->n_words; id++) {
        vocab->file.data[vocab->start[id] + vocab->size[id]] = '\0';
        enter(vocab, (int32_t)id);
    }
    return ERNIE_OK;
}

int vocab_open_for(const char *path, size_t max_words, struct vocab **out, ernie_error *err)
{
    int status;
    struct vocab *vocab = memory_new(1, sizeof *vocab);

    if (vocab == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    status = file_read(path, MAX_FILE_BYTES, &vocab->file, err);
    if (status != ERNIE_OK)
        goto done;
    vocab->hash = hash_of(vocab->file.data, vocab->file.size);
    status = build(vocab, path, max_words, err);
    if (status != ERNIE_OK)
        goto done;

    *out = vocab;
    vocab = NULL; /* the caller owns it now */
done:
    vocab_close(vocab);
    return status;
}

int vocab_open(const char *path, struct vocab **out, ernie_error *err)
{
    return vocab_open_for(path, MAX_WORDS, out, err);
}

int vocab_new(const char *name, size_t n, const char *const *words, const size_t *sizes,
              struct vocab **out, ernie_error *err)
{
    struct vocab *vocab = memory_new(1, sizeof *vocab);
    size_t total = 0;
    int status = ERNIE_OK;

    if (vocab == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", name);
    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        status = check_word(name, i + 1, words[i], sizes[i], err);
        total += sizes[i] + 1;
        if (status == ERNIE_OK && total > MAX_FILE_BYTES)
            status = error_set(err, ERNIE_EFORMAT, "%s: more than %u bytes", name, MAX_FILE_BYTES);
    }
    vocab->n_words = n;
    if (status == ERNIE_OK)
        status = make_tables(vocab, name, MAX_WORDS, err);
    if (status != ERNIE_OK)
        goto done;
    vocab->file.data = memory_new_aligned(total, 1);
    if (vocab->file.data == NULL) {
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", name);
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        vocab->start[i] = (uint32_t)vocab->file.size;
        vocab->size[i] = (uint32_t)sizes[i];
        memcpy(vocab->file.data + vocab->file.size, words[i], sizes[i]);
        vocab->file.size += sizes[i];
        vocab->file.data[vocab->file.size++] = '\0';
        enter(vocab, (int32_t)i);
    }
    vocab->hash = hash_of(vocab->file.data, vocab->file.size);

    *out = vocab;
    vocab = NULL; /* the caller owns it now */
done:
    vocab_close(vocab);
    return status;
}

void vocab_close(struct vocab *vocab)
{
    if (vocab == NULL)
        return;
    file_reset(&vocab->file);
    memory_free(vocab->start);
    memory_free(vocab->size);
    memory_free(vocab->slot);
    memory_free(vocab->longest);
    memory_free(vocab);
}

size_t vocab_size(const struct vocab *vocab)
{
    return vocab->n_words;
}

int32_t vocab_find(const struct vocab *vocab, const char *word, size_t size, int continued)
{
    uint64_t hash = vocab->begin[continued != 0];

    if (size > MAX_WORD_BYTES)
        return -1;
    for (size_t i = 0; i < size; i++)
        hash = hash_add(hash, (unsigned char)word[i]);
    return look_up(vocab, hash, word, size, continued);
}

int32_t vocab_find_longest(const struct vocab *vocab, const char *text, size_t size, int continued,
                           size_t *n_bytes)
{
    uint64_t hash[MAX_WORD_BYTES + 1];
    size_t longest = 1; /* words of one byte are in no table of beginnings */

    if (size == 0)
        return -1;
    if (size >= 2 && *longest_with(vocab, text, continued) > longest)
        longest = *longest_with(vocab, text, continued);
    if (longest > size)
        longest = size;
    hash[0] = vocab->begin[continued != 0];
    for (size_t i = 0; i < longest; i++)
        hash[i + 1] = hash_add(hash[i], (unsigned char)text[i]);
    for (size_t n = longest; n > 0; n--) {
        int32_t id = look_up(vocab, hash[n], text, n, continued);

        if (id >= 0) {
            *n_bytes = n;
            return id;
        }
    }
    return -1;
}

const char *vocab_word(const struct vocab *vocab, int32_t id)
{
    if (id < 0 || (size_t)id >= vocab->n_words)
        return NULL;
    return (const char *)vocab->file.data + vocab->start[id];
}

struct hash vocab_hash(const struct vocab *vocab)
{
    return vocab->hash;
}
