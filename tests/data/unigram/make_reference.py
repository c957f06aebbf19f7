"""Trains small Unigram tokenizers and writes what Hugging Face's tokenizers makes of texts.

    python3 make_reference.py TEXT_FILE...

writes, beside itself, for each model NAME.model (see unigram_file.h for the format), its
NAME.charsmap if it has one, and NAME.ids: for each line of texts.txt the ids and, where the
normalizer keeps them true, the bytes each one covers (none written: the same as the one before). The files are lines to train on: Chinese
and English. Needs tokenizers, sentencepiece and protobuf.
"""

import base64
import io
import json
import os
import random
import sys
import unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))
SPACE = "\u2581"

# What make_reference.py trains the first model with: a small charsmap that has mappings from one
# character to several, from several to one, to nothing, and within a grapheme cluster.
RULES = (
    [(chr(c), chr(c - 0xFEE0)) for c in range(0xFF01, 0xFF5F)]
    + [("\u3000", " "), ("\t", " "), ("\n", " "), ("\r", " "), ("\u00a0", " "), ("\u00ad", "")]
    + [("\u200b", ""), ("\u200d", ""), ("\u0007", ""), ("\ufb01", "fi"), ("\u2026", "...")]
    + [("e\u0301", "\u00e9"), ("a\u0308", "\u00e4"), ("\u304b\u3099", "\u304c"), ("\u0e33", "\u0e4d\u0e32")]
    + [(chr(c), unicodedata.normalize("NFKC", chr(c))) for c in range(0xFF66, 0xFFA0)]
    + [("\uff76\uff9e", "\u30ac"), ("\u2460", "1"), ("\u337e", "\u660e\u6cbb"), ("\u1e9e", "ss")]
    + [(chr(c), chr(c + 32)) for c in range(ord("A"), ord("Z") + 1)]
)

SNIPPETS = """
Hello world  the quick brown fox jumps over the lazy dog, again and again.
\u4f60\u597d\uff0c\u4e16\u754c\uff01\u6df1\u5ea6\u5b66\u4e60\u63a8\u52a8\u4eba\u5de5\u667a\u80fd\u7684\u53d1\u5c55\u3002
\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01 \u0e17\u0e33\u0e07\u0e32\u0e19 \u0e19\u0e49\u0e33
\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0395\u03bb\u03bb\u03ac\u03b4\u03b1 \u039f\u0394\u039f\u03a3
\u0928\u092e\u0938\u094d\u0924\u0947 \u0915\u094d\u0937\u0947\u0924\u094d\u0930 \u0995\u09cb\u09a8\u09cb
\uc548\ub155\ud558\uc138\uc694 \u1112\u1161\u11ab \u3131
\u3053\u3093\u306b\u3061\u306f \u304b\u3099\u304e \uff76\uff9e\uff71\uff72\uff70 \u337e\u33a5\u2460
\uff21\uff22\uff23\uff11\uff12\uff13\u3000\uff08full width\uff09\u2026 \ufb01ne \u00bd \u2122
cafe\u0301 caf\u00e9 a\u0308\u0323 a\u0323\u0308 e\u0301\u0302 \u1e9e\u00df \u0130stanbul
\U0001f600\U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e8\U0001f1f3 \u2764\ufe0f 1\ufe0f\u20e3
\u202babc\u202c \u200bzero\u00adwidth\ufeff \u00a0 nbsp\u2028line
<unk> <s> </s> <pad> \u2581under \u2581\u2581two <0x41>
aaaaaaaaaaaaaaaaaaaaaaa abababababab zzzz xy axya xyxy \u4f60\u597d \u4f60\u597d\u4f60 xy\t
\U00020000\U0002a6d6\U0002f800 \uf900 \u3400
\ufffd \u0000\u0001\u001f\u007f\u0085
\u0627\u0644\u0633\u0644\u0627\u0645 \u0639\u0644\u064a\u0643\u0645 \u05e9\u05dc\u05d5\u05dd \ufdfa
""".strip("\n").split("\n")


def random_character(rng):
    kind = rng.randrange(10)
    if kind < 2:
        return chr(rng.randrange(0x20, 0x7F))
    if kind < 4:
        return chr(rng.randrange(0x4E00, 0x9FFF))
    if kind == 4:
        return rng.choice(" \u3000\t\r\n\u2581\u200d\u00ad\ufe0f\u0301\u0308\u3099\u0e33\u094d")
    if kind == 5:
        return chr(rng.choice((rng.randrange(0x300, 0x370), rng.randrange(0xFF00, 0xFFF0),
                               rng.randrange(0x900, 0x1200), rng.randrange(0x2000, 0x2E00))))
    if kind == 6:
        return chr(rng.randrange(0x3000, 0x3400))
    if kind == 7:
        return chr(rng.randrange(0xA0, 0x600))
    if kind == 8:
        return chr(rng.randrange(0x1F000, 0x1FB00))
    while True:
        c = rng.randrange(0x110000)
        if not 0xD800 <= c < 0xE000 and unicodedata.category(chr(c)) != "Cn":
            return chr(c)


def make_texts(n, seed):
    """Lines of everything: pieces of the snippets, of each other, random characters."""
    rng = random.Random(seed)
    texts = list(SNIPPETS[: max(0, n)])
    while len(texts) < n:
        parts = []
        for _ in range(rng.randrange(1, 6)):
            if rng.random() < 0.5:
                snippet = rng.choice(SNIPPETS)
                start = rng.randrange(len(snippet))
                parts.append(snippet[start : start + rng.randrange(1, 12)])
            else:
                parts.append("".join(random_character(rng) for _ in range(rng.randrange(1, 6))))
        texts.append(rng.choice(("", "", " ", "  ")).join(parts))
    return texts


def escape(text):
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\0", "\\0")


def steps_of(node):
    if node is None:
        return []
    return [y for x in node["normalizers"] for y in steps_of(x)] if node["type"] == "Sequence" else [node]


def write_model(tokenizer, path):
    """Writes a tokenizers.Tokenizer as unigram_file.h reads it."""
    spec = json.loads(tokenizer.to_str())
    lines = []
    for step in steps_of(spec["normalizer"]):
        kind = step["type"]
        if kind == "Precompiled":
            with open(path + ".charsmap", "wb") as file:
                file.write(base64.b64decode(step["precompiled_charsmap"]))
            lines.append("normalize precompiled")
        elif kind in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"):
            lines.append("normalize " + kind.lower())
        elif kind == "Strip":
            lines.append("normalize strip %d %d" % (step["strip_left"], step["strip_right"]))
        elif kind == "Prepend":
            lines.append("normalize prepend\t" + escape(step["prepend"]))
        elif kind == "Replace" and "String" in step["pattern"]:
            lines.append("normalize replace\t%s\t%s" % (escape(step["pattern"]["String"]), escape(step["content"])))
        elif kind == "Replace" and step["pattern"] == {"Regex": " {2,}"}:
            lines.append("normalize spaces 2\t" + escape(step["content"]))
        else:
            sys.exit("no such normalizer: %r" % step)
    node = spec["pre_tokenizer"]
    for step in [] if node is None else node.get("pretokenizers", [node]):
        if step["type"] == "WhitespaceSplit":
            lines.append("whitespace")
        elif step["type"] == "Metaspace":
            lines.append("metaspace %s %d\t%s" % (step["prepend_scheme"], step["split"], step["replacement"]))
        else:
            sys.exit("no such pre-tokenizer: %r" % step)
    model = spec["model"]
    lines.append("pieces %d %d %d" % (len(model["vocab"]), model["unk_id"], model.get("byte_fallback", False)))
    lines += ["%r\t%s" % (score, escape(piece)) for piece, score in model["vocab"]]
    with open(path + ".model", "w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(lines) + "\n")


def assemble(vocab, unk_id, byte_fallback, normalizer, pre_tokenizer):
    spec = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
        "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": None, "decoder": None,
        "model": {"type": "Unigram", "unk_id": unk_id, "vocab": vocab, "byte_fallback": byte_fallback},
    }
    from tokenizers import Tokenizer

    return Tokenizer.from_str(json.dumps(spec))


def train_sentencepiece(lines, size, rule, rules=None, byte_fallback=False, coverage=0.98):
    """-> vocab, unk_id, the Precompiled normalizer or None"""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    out = io.BytesIO()
    options = {"normalization_rule_name": rule}
    if rules is not None:
        path = os.path.join(HERE, "rules.tsv")
        with open(path, "w", encoding="ascii") as file:
            for before, after in rules:
                file.write(" ".join("%X" % ord(c) for c in before) + "\t" + " ".join("%X" % ord(c) for c in after) + "\n")
        options = {"normalization_rule_tsv": path}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=out, model_type="unigram", vocab_size=size,
        byte_fallback=byte_fallback, character_coverage=coverage, hard_vocab_limit=False, num_threads=2, minloglevel=2, **options)
    if rules is not None:
        os.remove(path)
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(out.getvalue())
    vocab = [(piece.piece, piece.score) for piece in model.pieces]
    blob = model.normalizer_spec.precompiled_charsmap
    normalizer = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(blob).decode()} if blob else None
    return vocab, model.trainer_spec.unk_id, normalizer


def train_tokenizers(lines, size):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(lines, trainers.UnigramTrainer(
        vocab_size=size, unk_token="<unk>", special_tokens=["<s>", "<pad>", "</s>", "<unk>"], show_progress=False))
    model = json.loads(tokenizer.to_str())["model"]
    return [tuple(x) for x in model["vocab"]], model["unk_id"]


def metaspace(scheme, split):
    return {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": split}


def sequence(kind, *steps):
    return {"type": "Sequence", kind: [x for x in steps if x is not None]}


def replace_spaces(content=" "):
    return {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": content}


# Ties, scores above 0, a piece twice, the unknown written out, pieces that only begin.
ODD = [("", 0.0), ("<unk>", 0.0), (SPACE, -1.0), ("a", -2.0), ("aa", -4.0), ("aaa", -6.0), ("b", -1.5), ("ab", -3.5),
       ("ba", -3.5), ("bab", -5.0), ("\u4f60", 20.0), ("\u597d\u4e16\u754c", 25.0), ("\u4e16\u754c", 30.0),
       ("\u5929\u5730", 19.0), ("ab", -3.25), (SPACE + "a", -2.5), ("aaaaaaaaaaaaaaaaaaaaaaaa", -47.0), ("z", 17.0), ("zz", 34.0)]

# All scores so high that unknown characters are better than the piece they make together.
HIGH = [("<unk>", 40.0), ("xy", 35.0), ("a", 36.0), (SPACE, 36.0), ("\u4f60\u597d", 37.0)] + [
    ("<0x%02X>" % c, 35.0) for c in range(0x20, 0x100)]


def make_models(lines, size):
    """-> name, tokenizer, whether its spans are those of the text"""
    vocab, unk, charsmap = train_sentencepiece(lines, size, None, rules=RULES)
    yield "rules", assemble(vocab, unk, False, sequence("normalizers", charsmap, replace_spaces()), sequence(
        "pretokenizers", {"type": "WhitespaceSplit"}, metaspace("always", True))), False
    vocab, unk, charsmap = train_sentencepiece(lines, size, "identity", byte_fallback=True)
    yield "bytes", assemble(vocab, unk, True, charsmap, metaspace("always", False)), True
    vocab, unk = train_tokenizers(lines, size)
    yield "form", assemble(vocab, unk, False, sequence(
        "normalizers", {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "NFKC"},
        {"type": "Lowercase"}, {"type": "Replace", "pattern": {"String": "``"}, "content": "\""}),
        metaspace("first", True)), False
    yield "accents", assemble(vocab, unk, False, sequence(
        "normalizers", {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, {"type": "NFC"},
        {"type": "Prepend", "prepend": "- "}), metaspace("never", True)), False
    yield "odd", assemble(ODD, 1, False, None, metaspace("never", False)), True
    yield "high", assemble(HIGH, 0, True, None, metaspace("never", True)), True


def byte_spans(text, offsets):
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    return [(at[start], at[end]) for start, end in offsets]


def read_lines(paths):
    lines = []
    for path in paths:
        with open(path, encoding="utf-8", errors="ignore") as file:
            lines += [x for x in file.read().split("\n") if x]
    return lines


def main():
    lines = read_lines(sys.argv[1:]) + SNIPPETS
    texts = make_texts(300, 1)
    with open(os.path.join(HERE, "texts.txt"), "w", encoding="utf-8", newline="\n") as file:
        file.writelines(escape(x) + "\n" for x in texts)
    for name, tokenizer, has_spans in make_models(lines, 1400):
        write_model(tokenizer, os.path.join(HERE, name))
        with open(os.path.join(HERE, name + ".ids"), "w", encoding="ascii") as file:
            for text in texts:
                encoding = tokenizer.encode(text, add_special_tokens=False)
                if has_spans:
                    spans = byte_spans(text, encoding.offsets)
                    words = []
                    for i, id in enumerate(encoding.ids):
                        same = i > 0 and spans[i] == spans[i - 1]
                        words.append("%d" % id if same else "%d:%d-%d" % (id, *spans[i]))
                    file.write(" ".join(words) + "\n")
                else:
                    file.write(" ".join(map(str, encoding.ids)) + "\n")


if __name__ == "__main__":
    main()
