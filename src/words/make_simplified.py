#!/usr/bin/env python3
"""Writes src/words/simplified.h to standard output: the simplified form of each
traditional or variant Chinese character that has one.

The facts are OpenCC's (https://github.com/BYVoid/OpenCC, Apache-2.0, version 1.1.6
of Debian's opencc and libopencc-data), read with its own opencc_dict:

    python3 src/words/make_simplified.py > src/words/simplified.h

A character becomes what TSCharacters names first. One that it leaves alone becomes
what the phrases of TSPhrases make of it most often, where TSCharacters lists it; and
one that is a standard of Taiwan or Hong Kong (TWVariantsRev, HKVariantsRev) becomes
what its OpenCC standard form does, unless it is a simplified form itself.
"""
import collections
import subprocess
import sys
import tempfile


def dictionary(name):
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as out:
        subprocess.run(["opencc_dict", "-i", f"/usr/share/opencc/{name}.ocd2", "-f", "ocd2",
                        "-t", "text", "-o", out.name], check=True)
        pairs = (line.rstrip("\n").split("\t") for line in out)
        return {key: values.split(" ")[0] for key, values in pairs}


characters = dictionary("TSCharacters")
phrases = collections.defaultdict(collections.Counter)
for key, value in dictionary("TSPhrases").items():
    if len(key) == len(value):
        for a, b in zip(key, value):
            if a != b:
                phrases[a][b] += 1

simplified = dict(characters)
for character, form in characters.items():
    if character == form and phrases[character]:
        simplified[character] = phrases[character].most_common(1)[0][0]
forms = set(characters.values())
for name in "TWVariantsRev", "HKVariantsRev":
    for character, standard in dictionary(name).items():
        if character not in characters and character not in forms:
            simplified.setdefault(character, characters.get(standard, standard))


def last(character):
    """Where a chain of forms ends, so that folding twice is folding once."""
    while simplified.get(character, character) != character:
        character = simplified[character]
    return character


table = sorted((c, last(c)) for c in simplified if last(c) != c)
assert all(len(pair[0]) == len(pair[1]) == 1 for pair in table)
narrow = ["".join(pair) for pair in table if max(pair) <= "\uffff"]
wide = ["".join(pair) for pair in table if max(pair) > "\uffff"]


def literal(prefix, pairs):
    rows = range(0, len(pairs), 20)
    return "\n".join(f'    {prefix}"{"".join(pairs[i:i + 20])}"' for i in rows)


sys.stdout.reconfigure(encoding="utf-8")
print(f"""\
/* Traditional and variant Chinese characters, each followed by its simplified form, in
 * the order of Unicode. Made by src/words/make_simplified.py from the dictionaries of
 * OpenCC 1.1.6 (https://github.com/BYVoid/OpenCC, Apache-2.0). */
#ifndef ERNIE_WORDS_SIMPLIFIED_H
#define ERNIE_WORDS_SIMPLIFIED_H

#include <uchar.h>

#define N_SIMPLIFIED {len(narrow)}
static const char16_t simplified[2 * N_SIMPLIFIED + 1] =
{literal("u", narrow)};

/* The pairs of which one is past U+FFFF. */
#define N_SIMPLIFIED_WIDE {len(wide)}
static const char32_t simplified_wide[2 * N_SIMPLIFIED_WIDE + 1] =
{literal("U", wide)};

#endif""")
