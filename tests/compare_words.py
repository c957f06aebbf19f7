#!/usr/bin/env python3
"""Compares how words are folded and stemmed with those who define it: OpenCC's command
line for traditional characters, Python's unicodedata for case and accents, and the
snowballstemmer package (2.2.0, the version of Debian's libstemmer) for English stems.

    make words_lines && tests/compare_words.py ./words_lines [TEXT_FILE...]

The words to stem are those of the files. Prints what differs; exit status 1 then.
"""
import re
import subprocess
import sys
import unicodedata

import snowballstemmer


def run(command, lines):
    out = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True,
                         encoding="utf-8", check=True).stdout
    return out.split("\n")[:len(lines)]


program = sys.argv[1]
n_different = 0


def compare(what, inputs, ours, theirs):
    global n_different
    different = [(i, o, t) for i, o, t in zip(inputs, ours, theirs) if o != t]
    print(f"{what}: {len(inputs)} compared, {len(different)} differ")
    for row in different[:20]:
        print("   ", *row)
    n_different += len(different)


# A single character is not in a phrase, so that OpenCC's is the dictionary's answer. Ours
# goes on where OpenCC's answer has a simplified form of its own, and knows the standard
# forms of Taiwan and Hong Kong and, of characters that OpenCC leaves to its phrases, the
# form the phrases have.
han = [chr(c) for first, last in ((0x3400, 0x4dbf), (0x4e00, 0x9fff), (0x20000, 0x2a6df),
                                  (0x2a700, 0x2ebe0), (0x30000, 0x3134a))
       for c in range(first, last + 1)]
ours = run([program], han)
simplified = run(["opencc", "-c", "t2s.json"], han)
again = run(["opencc", "-c", "t2s.json"], simplified)
local = {}
for config in "tw2s.json", "hk2s.json":
    for c, form in zip(han, run(["opencc", "-c", config], han)):
        if form != c:
            local.setdefault(c, form)
by_phrase = dict(zip("覆藉衹瞭牴彷", "复借只了抵仿"))
targets = set(s for c, s in zip(han, simplified) if s != c)
expected = []
for c, s in zip(han, again):
    if s == c and c in by_phrase:
        s = by_phrase[c]
    elif s == c and c not in targets:
        s = local.get(c, c)
    expected.append(s)
compare("simplified", han, ours, expected)

letters = []
for c in range(0x80, 0x2e80):
    if unicodedata.category(chr(c)) in ("Lu", "Ll", "Lt", "Lo", "Nd", "No", "Nl") and not \
            (0xe00 <= c <= 0x109f or 0x1100 <= c <= 0x11ff or 0x1780 <= c <= 0x17ff):
        letters.append(chr(c))


def fold(character):
    parts = character
    while True:
        folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", parts).casefold())
        if folded == parts:
            break
        parts = folded
    return "".join(p for p in parts if not 0x300 <= ord(p) <= 0x36f)


compare("folded", letters, run([program, "query"], letters), [fold(c) for c in letters])

english = set()
for name in sys.argv[2:]:
    english.update(re.findall(r"(?<![^\W_])[a-z]+(?:'[a-z]+)*(?![\w'’])", open(name, encoding="utf-8").read()))
english = sorted(word for word in english if len(word) <= 128)
compare("stemmed", english, run([program, "query"], english),
        snowballstemmer.stemmer("english").stemWords(english))
sys.exit(n_different > 0)
