#!/usr/bin/env python3
"""Texts of known lengths, one a line, cut from any text on standard input:

    make_texts.py TOKENIZER.json MIN MAX N <text >texts

Each has MIN to MAX tokens, [CLS] and [SEP] included, each length as likely as another;
the same input gives the same texts. Needs tokenizers.
"""
import random
import sys

from tokenizers import Tokenizer

CHARACTERS = 1 << 20  # of the input: more would only take time


def main():
    tokenizer = Tokenizer.from_file(sys.argv[1])
    shortest, longest, n = map(int, sys.argv[2:5])
    tokenizer.no_padding()
    tokenizer.no_truncation()
    text = " ".join(sys.stdin.read(CHARACTERS).split())
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    lengths = random.Random(1)
    at = made = 0
    while made < n:
        size = lengths.randint(shortest, longest) - 2
        if at + size > len(offsets):
            if at == 0:
                sys.exit("make_texts.py: the input is shorter than a text")
            at = 0  # from the start again: other lengths, other texts
            continue
        cut = text[offsets[at][0]:offsets[at + size - 1][1]]
        at += size
        # What is cut inside a word may be other tokens than it was.
        if len(tokenizer.encode(cut).ids) == size + 2:
            print(cut)
            made += 1


main()
