/* What a person types into a search box, as an expression for FTS5's MATCH over a table
 * with the tokenizer of words.h.
 *
 *     备份脚本 rsync      any of the words; bm25 says who has more of them, and rarer ones
 *     "exact phrase"     must be there, in this order; “…” too, with space around the marks
 *                        and no ， or 。 between them, which people's speech has
 *     -word  -"phrase"   must not be there
 *     prefix*            a word that starts so
 *
 * All else is text: whatever is typed, the expression is one that FTS5 can read, and
 * nothing in it is an operator or a column of FTS5's.
 *
 * A word without spaces may be several (`GitHub备份脚本`): it is asked for as a phrase and,
 * for whoever has not all of it, in its parts. Of Chinese a run of up to three characters
 * is asked for as it stands; a longer one also by its pairs, for nobody writes a question
 * just as the answer has it, and bm25 gives the pairs that mean something their weight. A
 * compound is asked for as the phrase of its parts, or joined. */
#ifndef ERNIE_WORDS_MATCH_H
#define ERNIE_WORDS_MATCH_H

#include <stddef.h>

#include "base/buffer.h"

/* What is asked for at most: phrases and words, and the length of one phrase. What a query
 * has more of is left out, from its end. */
#define MATCH_MAX_TERMS 256
#define MATCH_MAX_PHRASE 64

/* One thing asked for: bytes [start, end) of the query, without the quotes, the minus and
 * the asterisk around them. */
struct match_item {
    size_t start, end;
    int is_phrase, is_unwanted, is_prefix;
};

/* The item at *at or after it, and in *at the offset behind it; 0 when there is none. */
int match_item_next(const char *query, size_t size, size_t *at, struct match_item *out);

/* Appends the expression; "" in quotes, which finds nothing, when the query has no word to
 * look for. Failures are the buffer's. */
void match_append(struct buffer *out, const char *query, size_t size);

/* What a query says of texts that are found otherwise, by their meaning. */
enum match_filter {
    MATCH_ALL,   /* nothing */
    MATCH_ONLY,  /* those that the expression finds, and no others: it has a phrase */
    MATCH_EXCEPT /* all but those that the expression finds: it has only a -word */
};

/* Appends the expression, if there is one. */
enum match_filter match_filter_append(struct buffer *out, const char *query, size_t size);

/* Appends what the query asks for, as a text: without what must not be there, and without the
 * signs that say how to look. The query itself where there are none, or nothing else. */
void match_plain_append(struct buffer *out, const char *query, size_t size);

#endif
