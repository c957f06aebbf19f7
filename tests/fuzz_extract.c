/* Any bytes as a document of any kind: what comes out is UTF-8 without zeros, with line
 * marks and sections in order. For libFuzzer, built on request:
 *
 *     ./configure CC=clang CFLAGS='-g -O1 -fsanitize=fuzzer-no-link,address,undefined' LIBS=-lgomp
 *     make fuzz_extract && ./fuzz_extract -max_len=4000
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "document/extract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(condition) must_hold(condition, #condition)

static void must_hold(int holds, const char *condition)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", condition);
        abort();
    }
}

static void check_text(const char *text, size_t size)
{
    size_t n;

    must(size == 0 || memchr(text, 0, size) == NULL);
    for (size_t i = 0; i < size; i += n) {
        int valid = 1;

        utf8_decode(text + i, size - i, &n, &valid);
        must(valid);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "a.txt", "a.md",  "a.html", "a",     "a.csv", "a.json",
                                         "a.xml", "a.srt", "a.ass",  "a.lrc", "a.c",   "a.java",
                                         "a.ts",  "a.py",  "a.sh",   "a.sql", "a.org", "a.adoc",
                                         "a.tex" };
    struct extract out = { 0 };
    const char *name;
    uint8_t *bytes;

    if (size == 0)
        return 0;
    name = names[data[0] % (sizeof names / sizeof names[0])];
    bytes = malloc(--size); /* of its own, so that reading past the end is seen */
    must(bytes != NULL || size == 0);
    if (size > 0)
        memcpy(bytes, data + 1, size);
    document_format(name, bytes, size);
    if (extract(name, bytes, size, &out, NULL) == ERNIE_OK) {
        check_text(out.text.data, out.text.size);
        check_text(out.title.data, out.title.size);
        must(out.n_marks == 0 || out.marks[0].offset == 0);
        for (size_t i = 1; i < out.n_marks; i++)
            must(out.marks[i].offset >= out.marks[i - 1].offset &&
                 out.marks[i].line >= out.marks[i - 1].line);
        for (size_t i = 0; i < out.n_sections; i++) {
            const char *heading = extract_heading(&out, &out.sections[i]);

            must(out.sections[i].offset <= out.text.size);
            must(i == 0 || out.sections[i].offset > out.sections[i - 1].offset);
            check_text(heading, strlen(heading));
        }
        check_text(out.author.data, out.author.size);
        if (out.text.size > 0)
            must(extract_line(&out, out.text.size - 1) >= 1);
    }
    extract_reset(&out);
    free(bytes);
    return 0;
}
