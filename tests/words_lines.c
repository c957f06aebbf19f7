/* Prints the words of each line of standard input, as a document's (or, with an argument,
 * as a query's): places apart by a space, words of one place by a |. For compare_words.py. */
#include <stdio.h>
#include <stdlib.h>

#include "words/words.h"

static int print_word(void *data, const char *word, size_t size, size_t start, size_t end,
                      int is_colocated)
{
    int *n = data;

    (void)start;
    (void)end;
    if ((*n)++ > 0)
        putchar(is_colocated ? '|' : ' ');
    fwrite(word, 1, size, stdout);
    return 0;
}

int main(int argc, char **argv)
{
    struct words *words;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;

    (void)argv;
    if (words_new(&words, NULL) != ERNIE_OK)
        return 2;
    while ((size = getline(&line, &capacity, stdin)) > 0) {
        int n = 0;

        if (line[size - 1] == '\n')
            size--;
        if (words_cut(words, argc > 1 ? WORDS_QUERY : WORDS_DOCUMENT, line, (size_t)size, print_word,
                      &n) != 0)
            return 2;
        putchar('\n');
    }
    free(line);
    words_free(words);
    return 0;
}
