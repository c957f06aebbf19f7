"""Compares ids and spans with Hugging Face's where tokens were added, and where
tokenizer.json is the only tokenizer file.

    make tokenize_lines
    python3 compare_added_tokens.py ./tokenize_lines VOCAB [--lines N] [--seed S] [--many N]

VOCAB is a vocab.txt. Tokens with every combination of flags are added to a BertTokenizer
as add_tokens does, and the directory that save_pretrained writes is read in two ways: as
it is, and with vocab.txt beside it. Lines are generated from the tokens and from pieces
of them. Needs transformers. Exits with 1 when a line differs.
"""

import argparse
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "data"))
import make_tokenizer_reference as reference  # noqa: E402

WORDS = ["<a>", "<ab>", "[NEW]", "<|end|>", "Hello World", "heLLo", "中文", "深度学习模型", "AI模型",
         "café", "Ünïcode", "x", "ab", "abc", "\n\n", "tok en", "😀", "😀😀", "ﬁ", "가나", "l'été", "_", "no1",
         "é", "C++", "##ing", "ß", "İ", "ǆ"]
GLUE = ["", " ", "  ", "\t", "\u3000", "\u00a0", "\u200b", ",", "。", "_", "1", "a", "Z", "中", "\u0301", "é", "[", "<",
        "\u200d", "Ⓐ", "\u2028", "\x0b", "\x85", "-", "\u0300\u0301"]


def make_tokens(seed, flags, normalized, normalize):
    from transformers import AddedToken

    pick = random.Random(seed)
    single_word, lstrip, rstrip = flags
    words = WORDS + ["tok%d" % pick.randrange(300) for _ in range(40)]
    words += ["".join(pick.choice("abcAB中文é <>") for _ in range(pick.randrange(2, 6))).strip() or "q"
              for _ in range(60)]
    # Of tokens that are one when normalised the reference takes another in each run.
    words = {normalize(w) if normalized else w: w for w in words}.values()
    return [AddedToken(w, single_word=single_word, lstrip=lstrip, rstrip=rstrip, normalized=normalized)
            for w in words]


def make_lines(tokens, n, seed):
    pick = random.Random(seed)
    words = [str(t) for t in tokens]
    for _ in range(n):
        line = ""
        for _ in range(pick.randrange(1, 9)):
            word = pick.choice(words)
            how = pick.randrange(8)
            if how == 0:
                word = word.upper()
            elif how == 1:
                word = word.lower()
            elif how == 2:
                word = word[:pick.randrange(1, len(word) + 1)]
            elif how == 3:
                word = pick.choice(["the", "search", "语义检索", "[MASK]", "[CLS]", "a\u0301", "naïve"])
            line += word + pick.choice(GLUE)
        yield line.encode().replace(b"\n", b"\v")


def compare(program, name, tokenizer, directory, lines, flags=(), spans=True):
    """How many lines differ in their ids or, unless spans is false, in their spans alone."""
    done = subprocess.run([program, directory, *flags], input=b"".join(x + b"\n" for x in lines),
                          stdout=subprocess.PIPE, check=True)
    ours = [[tuple(map(int, x.split(":"))) for x in line.split()]
            for line in done.stdout.decode().split("\n")[:-1]]
    wanted = reference.tokens_of(tokenizer, lines)
    n_ids = n_spans = 0
    for line, got, want in zip(lines, ours, wanted, strict=True):
        same_ids = [x[0] for x in got] == [x[0] for x in want]
        n_ids += not same_ids
        n_spans += same_ids and got != want
        if got != want and n_ids + spans * n_spans <= 5 and (spans or not same_ids):
            print("%s\n  ours      %s\n  reference %s" % (reference.escape(line), got, want))
    print("%s: %d lines, %d ids, %d lines differ in ids, %d in spans alone" % (
        name, len(lines), sum(map(len, wanted)), n_ids, n_spans))
    return n_ids + n_spans if spans else n_ids


def write(directory):
    """The data of check_tokenizer: tokens of all flags mixed, and what becomes of lines."""
    tokenizer = reference.make_tokenizer(reference.read_vocab(os.path.join(reference.HERE, "vocab_small.txt")),
                                         True, None, True)
    normalize = tokenizer.backend_tokenizer.normalizer.normalize_str
    tokens = [token for i, flags in enumerate(itertools.product((False, True), repeat=4))
              for token in make_tokens(3, flags[:3], flags[3], normalize)[i::16]]
    tokenizer.add_tokens(tokens)
    tokenizer.save_pretrained(directory)
    os.remove(os.path.join(directory, "tokenizer_config.json"))
    lines = list(make_lines(tokens, 400, 3))
    with open(os.path.join(directory, "lines.txt"), "w", encoding="utf-8", newline="\n") as file:
        file.write("# text, then id:start:end of each token; separated by a tab\n")
        for line, wanted in zip(lines, reference.tokens_of(tokenizer, lines), strict=True):
            file.write(reference.escape(line) + "\t" + " ".join("%d:%d:%d" % x for x in wanted) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("vocab")
    parser.add_argument("--lines", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--many", type=int, default=0, help="so many tokens more")
    parser.add_argument("--write", metavar="FOLDER", help="only make tests/data/tokenizer/added again")
    options = parser.parse_args()

    from transformers import AutoTokenizer

    vocab = reference.read_vocab(options.vocab)
    if options.write:
        write(options.write)
        return
    n_different = 0
    for lower, flags, normalized in itertools.product(
            (True, False), itertools.product((False, True), repeat=3), (True, False)):
        name = "%s %s %s" % ("lower" if lower else "cased", "".join(map(str, map(int, flags))),
                             "normalized" if normalized else "raw")
        tokenizer = reference.make_tokenizer(vocab, lower, None, True)
        tokens = make_tokens(options.seed, flags, normalized,
                             tokenizer.backend_tokenizer.normalizer.normalize_str)
        tokens += ["many%d" % i for i in range(options.many)]
        tokenizer.add_tokens(tokens)
        lines = list(make_lines(tokens, options.lines, options.seed))
        with tempfile.TemporaryDirectory() as directory:
            tokenizer.save_pretrained(directory)
            again = AutoTokenizer.from_pretrained(directory)
            n_different += compare(options.program, name, again, directory, lines)
            shutil.copy(options.vocab, os.path.join(directory, "vocab.txt"))
            n_different += compare(options.program, name + ", vocab.txt", again, directory, lines,
                                   ("lower", "strip", "chinese") if lower else ("chinese",))
    sys.exit(n_different > 0)


if __name__ == "__main__":
    main()
