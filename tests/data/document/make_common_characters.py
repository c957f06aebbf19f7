#!/usr/bin/env python3
"""Writes src/document/common_characters.h to standard output: the 500 characters
most used in Chinese and their traditional forms.

Counted over the words of jieba 0.42.1's dict.txt (MIT licence), each weighted by
its frequency there; made traditional by opencc-python-reimplemented 0.1.7
(Apache-2.0). Both come from PyPI:

    pip install jieba==0.42.1 opencc-python-reimplemented==0.1.7
"""
import collections
import os
import sys

import jieba
import opencc

count = collections.Counter()
path = os.path.join(os.path.dirname(jieba.__file__), "dict.txt")
for line in open(path, encoding="utf-8"):
    word, frequency = line.split()[:2]
    for character in word:
        if "\u4e00" <= character <= "\u9fff":
            count[character] += int(frequency)
simplified = [character for character, _ in count.most_common(500)]
traditional = opencc.OpenCC("s2t").convert("".join(simplified))
share = sum(count[c] for c in simplified) / sum(count.values())
table = sorted(map(ord, set(simplified) | set(traditional)))
print(f"""\
/* The {len(simplified)} characters most used in Chinese ({share:.0%} of running text) and their
 * traditional forms, in order. Made by tests/data/document/make_common_characters.py
 * from the word frequencies of jieba 0.42.1. */
#ifndef ERNIE_DOCUMENT_COMMON_CHARACTERS_H
#define ERNIE_DOCUMENT_COMMON_CHARACTERS_H

#include <stdint.h>

static const uint16_t common_characters[{len(table)}] = {{""")
for i in range(0, len(table), 11):
    print("    " + " ".join(f"0x{c:04x}," for c in table[i:i + 11]))
print("""\
};

#endif""")
