"""Compares our token ids and their spans with Hugging Face's, line for line, and shows where they differ.

    make tokenize_lines
    python3 compare_tokenizer.py ./tokenize_lines MODEL_DIRECTORY [--lines N] [--seed S] [--sweep] [FILE...]

Lines are generated (as in data/make_tokenizer_reference.py), then come those of the
files. The directory's tokenizer is the one that transformers makes of it. Needs
transformers. Exits with 1 when a line differs.
"""

import argparse
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "data"))
import make_tokenizer_reference as reference  # noqa: E402


def sweep_lines():
    for c in range(0x110000):
        if c != 0x0A:
            character = chr(c).encode("utf-8", "surrogatepass")
            yield character
            yield b"a" + character + b"b"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--lines", type=int, default=30000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--sweep", action="store_true", help="every code point too")
    options = parser.parse_intermixed_args()

    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(options.model)
    normalizer = tokenizer.backend_tokenizer.normalizer
    strip = normalizer.lowercase if normalizer.strip_accents is None else normalizer.strip_accents
    flags = [name for name, on in (("lower", normalizer.lowercase), ("strip", strip),
                                   ("chinese", normalizer.handle_chinese_chars)) if on]

    # The program reads a line at a time, so a line has no line break in it.
    lines = [x.replace(b"\n", b"\v") for x in reference.make_lines(options.lines, options.seed)]
    lines += [x.replace(b"\n", b"\v") for x in reference.tricky_lines()]
    if options.sweep:
        lines += sweep_lines()
    for path in options.files:
        with open(path, "rb") as file:
            lines += file.read().split(b"\n")

    vocab = os.path.join(options.model, "vocab.txt")
    done = subprocess.run([options.program, vocab, *flags], input=b"".join(x + b"\n" for x in lines),
                          stdout=subprocess.PIPE, check=True)
    ours = [[tuple(map(int, x.split(":"))) for x in line.split()]
            for line in done.stdout.decode().split("\n")[:-1]]
    if len(ours) != len(lines):
        sys.exit("%d lines in, %d lines out" % (len(lines), len(ours)))

    n_different = n_ids = 0
    for i in range(0, len(lines), 10000):
        for line, got, wanted in zip(lines[i:i + 10000], ours[i:i + 10000],
                                     reference.tokens_of(tokenizer, lines[i:i + 10000])):
            n_ids += len(wanted)
            if reference.moves(line): # their ids are compared, not their spans
                got, wanted = [x[0] for x in got], [x[0] for x in wanted]
            if got != wanted:
                n_different += 1
                if n_different <= 20:
                    print("%s\n  ours      %s\n  reference %s" % (
                        reference.escape(line)[:300], got[:60], wanted[:60]))
    print("%s: %d lines, %d ids, %d lines differ" % (" ".join(flags), len(lines), n_ids, n_different))
    sys.exit(n_different > 0)


if __name__ == "__main__":
    main()
