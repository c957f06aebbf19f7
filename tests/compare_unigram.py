"""Compares our Unigram token ids with Hugging Face's, line for line, and shows where they differ.

    make unigram_lines
    python3 compare_unigram.py ./unigram_lines [--lines N] [--seed S] [--size PIECES] [--time] [--sweep]
                               [--tokenizer TOKENIZER_JSON]... FILE...

The tokenizers are trained on the lines of the files (SentencePiece's with nmt_nfkc, nmt_nfkc_cf
and without normalization but with bytes; Hugging Face's with its own forms), and then there are
those given. Compared are N lines of the files and N that are generated. --time measures both on
the files' lines, in turns, on one thread each. Needs tokenizers, sentencepiece and protobuf.
Exits with 1 when a line differs.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "unigram"))
import make_reference as reference  # noqa: E402


def large_models(lines, size):
    for rule in "nmt_nfkc", "nmt_nfkc_cf":
        vocab, unk, charsmap = reference.train_sentencepiece(lines, size, rule, coverage=0.9995)
        yield rule, reference.assemble(vocab, unk, False, reference.sequence(
            "normalizers", charsmap, reference.replace_spaces()), reference.sequence(
            "pretokenizers", {"type": "WhitespaceSplit"}, reference.metaspace("always", True)))
    vocab, unk, charsmap = reference.train_sentencepiece(lines, size, "identity", byte_fallback=True)
    yield "bytes", reference.assemble(vocab, unk, True, charsmap, reference.metaspace("always", False))
    for name, tokenizer, _ in reference.make_models(lines, size):
        yield name, tokenizer


def sweep_models(lines):
    """Every step by itself; all text is unknown and spelled in bytes, so ids show what became of it."""
    vocab = [("<unk>", 0.0)] + [("<0x%02X>" % i, 0.0) for i in range(256)]
    steps = [{"type": x} for x in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents")]
    steps.append({"type": "Strip", "strip_left": True, "strip_right": True})
    steps.append(reference.train_sentencepiece(lines, 5000, "nmt_nfkc", coverage=0.98)[2])
    steps.append(reference.train_sentencepiece(lines, 5000, None, rules=reference.RULES)[2])
    for step in steps:
        yield "sweep of " + step["type"], reference.assemble(vocab, 0, True, step, None)
    yield "sweep of WhitespaceSplit", reference.assemble(vocab, 0, True, None, {"type": "WhitespaceSplit"})


def sweep_texts():
    for c in range(0x110000):
        if not 0xD800 <= c < 0xE000:
            # Behind the last are marks that the charsmaps know: they show where clusters end.
            yield chr(c)
            yield "a%ca e\u0301%c\u0301" % (c, c)


def compare(name, tokenizer, program, path, texts):
    reference.write_model(tokenizer, path)
    data = "".join(reference.escape(x) + "\n" for x in texts).encode()
    done = subprocess.run([program, path + ".model"], input=data, stdout=subprocess.PIPE, check=True)
    ours = [[int(x) for x in line.split()] for line in done.stdout.decode().split("\n")[:-1]]
    if len(ours) != len(texts):
        sys.exit("%d lines in, %d lines out" % (len(texts), len(ours)))
    n_differ = 0
    for start in range(0, len(texts), 1000):
        part = texts[start : start + 1000]
        for i, theirs in enumerate(tokenizer.encode_batch(part, add_special_tokens=False)):
            if theirs.ids != ours[start + i]:
                n_differ += 1
                if n_differ <= 5:
                    print("%s: %r\n  theirs %r\n  ours   %r" % (name, part[i], theirs.ids, ours[start + i]))
    print("%s: %d of %d lines differ" % (name, n_differ, len(texts)), flush=True)
    return n_differ


def measure(name, tokenizer, program, path, texts):
    data = "".join(x + "\n" for x in texts).encode()
    for _ in range(3):
        start = time.perf_counter()
        n = sum(len(tokenizer.encode(x, add_special_tokens=False).ids) for x in texts)
        one = n / (time.perf_counter() - start)
        start = time.perf_counter()
        tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        batch = n / (time.perf_counter() - start)
        out = subprocess.run([program, "--time", "1", path + ".model"], input=data, stdout=subprocess.PIPE, check=True)
        print("%s: theirs %d tokens, %.0f tokens/s one by one, %.0f in a batch; ours %s"
              % (name, n, one, batch, out.stdout.decode().strip()), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--lines", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--size", type=int, default=20000)
    parser.add_argument("--sweep", action="store_true", help="every code point through every step too")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--tokenizer", action="append", default=[])
    options = parser.parse_intermixed_args()

    from tokenizers import Tokenizer

    lines = reference.read_lines(options.files)
    random.Random(options.seed).shuffle(lines)
    lines = lines[: options.lines]
    texts = lines + reference.make_texts(options.lines, options.seed)
    models = [(path, lambda path=path: Tokenizer.from_file(path)) for path in options.tokenizer]
    n_differ = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model")
        given = ((name, make()) for name, make in models)
        for name, tokenizer in (*given, *large_models(lines, options.size)):
            n_differ += compare(name, tokenizer, options.program, path, texts)
            if options.time:
                measure(name, tokenizer, options.program, path, lines)
        for name, tokenizer in sweep_models(lines) if options.sweep else ():
            n_differ += compare(name, tokenizer, options.program, path, list(sweep_texts()))
    sys.exit(n_differ > 0)


if __name__ == "__main__":
    main()
