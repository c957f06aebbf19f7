"""Makes the files of tests/data/tokenizer with the real library.

    python3 make_tokenizer_reference.py MODEL_DIRECTORY

MODEL_DIRECTORY is the default model's (models/ernie-micro-zh-en). Needs
transformers and tokenizers; what is in the repository was made with transformers
5.23.0 and tokenizers 0.23.3. ingredients.txt is written by hand, the rest is
made here. See tests/data/tokenizer/README.md for what each file is.
"""

import codecs
import os
import re
import sys

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tokenizer")
N_LINES = 20480
N_BLOCK_LINES = 512
SWEEP_BLOCK = 0x2000

# (name, vocabulary, lower case, strip accents, chinese words); strip None follows lower.
SETTINGS = [
    ("model-lower", "model", True, None, True),
    ("model-cased", "model", False, None, True),
    ("small-lower", "small", True, None, True),
    ("small-cased", "small", False, False, True),
    ("small-lower-accents", "small", True, False, True),
    ("small-cased-strip", "small", False, True, True),
    ("small-lower-joined", "small", True, None, False),
]


# ---- the generator; check_tokenizer.c has the same one ----------------------

class Random:
    """Knuth's MMIX generator; the high bits of the state."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % n


def read_ingredients():
    ingredients = []
    with open(os.path.join(HERE, "ingredients.txt"), encoding="utf-8", newline="\n") as file:
        for line in file.read().split("\n"):
            if line and not line.startswith("#"):
                weight, kind, what = line.split(" ", 2)
                ingredients += [(kind, what)] * int(weight)
    return ingredients


def make_line(random, ingredients):
    line = b""
    for _ in range(1 + random.below(24)):
        kind, what = ingredients[random.below(len(ingredients))]
        if kind == "range":
            first, last = (int(x, 16) for x in what.split())
            for _ in range(1 + random.below(8)):
                c = first + random.below(last - first + 1)
                line += chr(c).encode("utf-8", "surrogatepass")
        elif kind == "text":
            line += what.encode()
        elif kind == "bytes":
            line += bytes.fromhex(what)
        elif kind == "long":
            line += what.encode() * (95 + random.below(12))
        if random.below(3) == 0:
            line += b" "
    return line


def make_lines(n=N_LINES, seed=1):
    random, ingredients = Random(seed), read_ingredients()
    return [make_line(random, ingredients) for _ in range(n)]


class Hash:
    """FNV-1a, 64 bits."""

    def __init__(self):
        self.value = 0xCBF29CE484222325

    def add(self, data):
        value = self.value
        for byte in data:
            value = (value ^ byte) * 0x100000001B3 % 2**64
        self.value = value

    def add_ids(self, ids):
        self.add(b"".join(x.to_bytes(4, "little") for x in [len(ids), *ids]))


# ---- the reference ----------------------------------------------------------

def read_vocab(path):
    from transformers.models.bert.tokenization_bert import load_vocab

    return dict(load_vocab(path))


def make_tokenizer(vocab, lower, strip, chinese):
    from transformers import BertTokenizer

    return BertTokenizer(vocab=vocab, do_lower_case=lower, strip_accents=strip,
                         tokenize_chinese_chars=chinese)


def ids_of(tokenizer, lines):
    texts = [line.decode("utf-8", "replace") for line in lines]
    return tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []


def byte_offsets(line):
    """Where each character of the line, read as tokens_of reads it, starts in bytes; the
    line's end is the last. A broken part is one character, as long as it is."""
    broken = {}

    def replace(error):
        broken[error.start] = error.end
        return "\ufffd", error.end

    codecs.register_error("broken", replace)
    offsets, at = [], 0
    for character in line.decode("utf-8", "broken"):
        offsets.append(at)
        at = broken.get(at) or at + len(character.encode())
    return offsets + [at]


# The marks that stripping accents leaves and NFD moves (normalize.c has them too). The
# reference's spans of these go wrong: it moves a mark and not where it came from, and
# accents on their way out take part.
MOVABLE = re.compile("[\u08d4-\u08e1\u1b44\u1baa\u1bf2\u1bf3\u1dfb\u302e\u302f\ua953\ua9c0"
                     "\U000111c0\U00011235\U0001134d\U00011442\U00011446\U000116b6\U00011c3f"
                     "\U0001d165\U0001d166\U0001d16d-\U0001d172\U0001e000-\U0001e006"
                     "\U0001e008-\U0001e018\U0001e01b-\U0001e021\U0001e023\U0001e024"
                     "\U0001e026-\U0001e02a\U0001e944-\U0001e94a\U0001d15e-\U0001d164"
                     "\U0001d1bb-\U0001d1c0]")


def moves(line):
    return MOVABLE.search(line.decode("utf-8", "replace")) is not None


def tokens_of(tokenizer, lines):
    """(id, start, end) of each token, in bytes."""
    if not lines:
        return []
    texts = [line.decode("utf-8", "replace") for line in lines]
    done = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
    tokens = []
    for line, ids, spans in zip(lines, done["input_ids"], done["offset_mapping"]):
        at = byte_offsets(line)
        tokens.append([(i, at[start], at[end]) for i, (start, end) in zip(ids, spans)])
    return tokens


# ---- the files --------------------------------------------------------------

def small_vocab_words():
    """Single characters of many scripts, so that no line is all [UNK] and what
    becomes of each character shows."""
    characters = set()
    for first, last in [
        (0x21, 0x7E), (0xA1, 0x17F), (0x300, 0x314), (0x391, 0x3C9), (0x410, 0x45F),
        (0x5B0, 0x5EA), (0x621, 0x652), (0x8D4, 0x8E1), (0x901, 0x963), (0xE01, 0xE4E),
        (0x1100, 0x1112), (0x1161, 0x1175), (0x11A8, 0x11C2), (0x1BF2, 0x1BF3),
        (0x2010, 0x2027), (0x302E, 0x302F), (0x3041, 0x309A), (0x30A1, 0x30FF),
        (0x4E00, 0x4E40), (0xFF01, 0xFF9F), (0x11442, 0x11446), (0x1D165, 0x1D172),
        (0x1E000, 0x1E02A), (0x1E944, 0x1E94A), (0x1F600, 0x1F64F), (0x1F466, 0x1F469),
        # Marks that are newer than the reference's NFD and must stay where they are.
        (0x7FD, 0x7FD), (0x898, 0x89F), (0x8CA, 0x8D3), (0x9FE, 0x9FE), (0xC3C, 0xC3C),
        (0xD3B, 0xD3C), (0xEBA, 0xEBA), (0x1715, 0x1715), (0x1ABF, 0x1ACE), (0x1DF6, 0x1DFB),
        (0xA82C, 0xA82C), (0x10D24, 0x10D27), (0x10EAB, 0x10EAC), (0x10EFD, 0x10EFF),
        (0x10F46, 0x10F50), (0x10F82, 0x10F85), (0x11070, 0x11070), (0x1133B, 0x1133B),
        (0x1145E, 0x1145E), (0x11839, 0x1183A), (0x1193D, 0x1193E), (0x11943, 0x11943),
        (0x119E0, 0x119E0), (0x11A34, 0x11A34), (0x11A47, 0x11A47), (0x11A99, 0x11A99),
        (0x11D42, 0x11D45), (0x11D97, 0x11D97), (0x11F41, 0x11F42), (0x16FF0, 0x16FF1),
        (0x1E08F, 0x1E08F), (0x1E130, 0x1E136), (0x1E2AE, 0x1E2AE), (0x1E2EC, 0x1E2EF),
        (0x1E4EC, 0x1E4EF),
    ]:
        characters.update(chr(c) for c in range(first, last + 1))
    characters.update("\u1b44\u1baa\ua953\ua9c0\u034f\u0344\u200d\ufe0f豈更車󠁧"
                      "\U000111c0\U00011235\U0001134d\U000116b6\U00011c3f"
                      "각가あ。「」、《》の中文智能学𠀀\U0002b820\U0002b920\U00030000"
                      "\u212a\u2126\u00c5\u1e9e\ufb01\u0130\u0131")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words += sorted(characters)
    words += ["##" + c for c in sorted(characters)]
    words += ["the", "search", "un", "##aff", "##able", "data", "##base", "aa", "##aa", "##aaaa",
              "don", "caf\u00e9", "cafe", "stra", "##\u00dfe", "im", "##port", "人工", "##智能"]
    return words


def write(name, text):
    with open(os.path.join(HERE, name), "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def write_blocks(tokenizers):
    lines = make_lines()
    columns = []
    for tokenizer in tokenizers:
        ids, column = ids_of(tokenizer, lines), []
        for i in range(0, N_LINES, N_BLOCK_LINES):
            block = Hash()
            for x in ids[i:i + N_BLOCK_LINES]:
                block.add_ids(x)
            column.append("%016x" % block.value)
        columns.append(column)
    text = "# first-line " + " ".join(s[0] for s in SETTINGS) + "\n"
    for i, row in enumerate(zip(*columns)):
        text += "%d %s\n" % (i * N_BLOCK_LINES, " ".join(row))
    write("blocks.txt", text)


def write_spans(tokenizers):
    """As blocks.txt, of start and end of every token; a last row of the tricky lines."""
    lines = make_lines() + tricky_lines()
    columns = []
    for tokenizer in tokenizers:
        tokens, column = tokens_of(tokenizer, lines), []
        for i in [*range(0, N_LINES, N_BLOCK_LINES), N_LINES]:
            block = Hash()
            last = i + N_BLOCK_LINES if i < N_LINES else len(lines)
            for line, x in zip(lines[i:last], tokens[i:last]):
                if not moves(line):
                    block.add_ids([n for _, start, end in x for n in (start, end)])
            column.append("%016x" % block.value)
        columns.append(column)
    text = "# first-line " + " ".join(s[0] for s in SETTINGS) + "\n"
    for i, row in enumerate(zip(*columns)):
        text += "%d %s\n" % (i * N_BLOCK_LINES, " ".join(row))
    write("spans.txt", text)


def write_order(tokenizers, words):
    """Every word of the small vocabulary between two marks of low and high class."""
    marks = ["\u1b44", "\U0001d165", "\u302f", "\u034f"]
    text = "# setting and the hash of all ids of: a, mark, word, mark\n"
    for (name, *_), tokenizer in zip(SETTINGS, tokenizers):
        if name.startswith("small"):
            lines = [("a" + p + w + q).encode() for w in words for p in marks for q in marks]
            block = Hash()
            for x in ids_of(tokenizer, lines):
                block.add_ids(x)
            text += "%s %016x\n" % (name, block.value)
    write("order.txt", text)


def write_sweep():
    from tokenizers import normalizers, pre_tokenizers

    rules = [(False, False, False), (True, True, True), (True, False, True), (False, True, False)]
    normal = [normalizers.BertNormalizer(clean_text=True, lowercase=lower, strip_accents=strip,
                                         handle_chinese_chars=chinese)
              for lower, strip, chinese in rules]
    split = pre_tokenizers.BertPreTokenizer()
    text = "# first-code-point then lower,strip,chinese = " + " ".join(
        "%d%d%d" % r for r in rules) + "\n"
    for first in range(0, 0x110000, SWEEP_BLOCK):
        blocks = [Hash() for _ in rules]
        for c in range(first, first + SWEEP_BLOCK):
            if 0xD800 <= c <= 0xDFFF:
                continue
            for block, normalizer in zip(blocks, normal):
                for sample in (chr(c), "a" + chr(c) + "b"):
                    words = split.pre_tokenize_str(normalizer.normalize_str(sample))
                    block.add("\n".join(w for w, _ in words).encode() + b"\0")
        text += "%06x %s\n" % (first, " ".join("%016x" % b.value for b in blocks))
    write("sweep.txt", text)


def escape(data):
    """Printable UTF-8 as it is, any other byte and the backslash as \\xHH."""
    out, i = "", 0
    while i < len(data):
        for size in (1, 2, 3, 4):
            try:
                c = data[i:i + size].decode("utf-8")
            except UnicodeDecodeError:
                continue
            break
        else:
            c, size = "", 1
        if c and len(c) == 1 and c != "\\" and (c == " " or (c.isprintable() and not c.isspace())):
            out += c
        else:
            out += "".join("\\x%02x" % b for b in data[i:i + size])
        i += size
    return out


def tricky_lines():
    lines = []

    def add(*texts):
        for text in texts:
            lines.append(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))

    add("", " ", "a", "中", "。", "\n", "\u3000", "\ufeff", "\u200b", "\ufffd")
    add("深度学习推动AI进步", "人工智能的发展", "机器学习（Machine Learning）是AI的分支。", "2024年3月15日",
        "Hello, World!", "It's 5 o'clock; don't panic.", "e.g. i.e. U.S.A.", "naïve café",
        "unaffable", "antidisestablishmentarianism", "C++/C#/F#", "a_b__c", "$100 + 50% = £75",
        "x=y^2~z|w`q", "https://example.org/a?b=c&d=%20#e", "user@example.com", "第3.1节", "Ａ１",
        "iPhone15手机", "GitHub备份脚本", "重跑gen-itgc后", "繁體中文與简体中文", "汉字kanji漢字",
        "①②③", "㎏㍿㏂", "½¼", "x²y³", "Ⅷ", "™®©", "→←↑", "♥️", "…——“”‘’《》【】")
    # Special tokens, as the model writes them and nearly so.
    for special in ("[MASK]", "[CLS]", "[SEP]", "[PAD]", "[UNK]"):
        add(special, "a" + special + "b", "中" + special + "文", " " + special + " ",
            "[" + special + "]", special + special, special.lower(), special[:-1], special[1:],
            special[:3] + " " + special[3:], "\u0301" + special + "\u0301", special + "ing",
            "e\u0301" + special, special.encode() + b"\x80", b"[" + special.encode()[1:3] + b"\xff")
    add("[[CLS]", "[MASK][MASK", "[CLS][SEP][PAD][UNK][MASK]", "\uff3bMASK\uff3d", "[MA\u200bSK]",
        "[MASK\u0301]", "[M\u00c1SK]", "[UNUSED1]", "[unused1]", "<s></s><pad>", "##a", "## a", "##", "#")
    # Words around the limit of 100 characters: bytes, marks and pieces do not count.
    for n in (99, 100, 101, 102, 200, 1000):
        add("a" * n, "中" * n, "é" * n, "e\u0301" * n, "x" + "\u0301" * n, "a" * n + " b",
            "a" * n + "中" + "a" * (n // 2), "각" * (n // 3), "Ⅷ" * n, "!" * n, "a\u200b" * n)
    # Each space, control and format character, alone and inside a word.
    for c in list(range(0x00, 0x21)) + [0x7F, 0x80, 0x85, 0x9F, 0xA0, 0xAD, 0x61C, 0x1680, 0x180E,
             *range(0x2000, 0x2010), *range(0x2028, 0x2030), 0x205F, 0x2060, 0x2064, 0x2065, 0x206F,
             0x3000, 0xFEFF, 0xFFF9, 0xFFFC, 0xFFFD, 0xFFFE, 0xFFFF, 0xE000, 0xF8FF, 0xE0001, 0xE0041,
             0xF0000, 0x10FFFD, 0x10FFFF, 0x34F, 0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800]:
        add("a" + chr(c) + "b")
    # The edges of what counts as Chinese.
    for first, last in [(0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF),
                        (0x2A700, 0x2B81F), (0x2B820, 0x2B91F), (0x2B920, 0x2CEAF),
                        (0x2F800, 0x2FA1F), (0x30000, 0x323AF), (0x2E80, 0x2FDF), (0x3041, 0x30FF)]:
        for c in (first - 1, first, last, last + 1):
            add("a" + chr(c) + "b")
    # Case and accents.
    add("STRASSE Straße ẞ", "İstanbul", "ıI iİ", "ΑΣ Σ ΟΔΥΣΣΕΥΣ", "ςσ", "ǅ ǆ Ǆ", "ﬁ ﬂ ﬃ", "Ǆ",
        "ÀÁÂÃÄÅ", "A\u030a", "\u212b", "\u2126", "\u212a", "ổ ộ", "Việt Nam", "Đđ", "Øø", "Łł",
        "Æ æ Œ", "ñ N\u0303", "\u0344", "\u0390", "\u1fb7", "\u1fed", "\u1ffd", "\u037e", "\u0387",
        "\u2260", "<\u0338", "=\u0338", "\u226e", "\u0149", "ŉ", "ﬅ", "\u1e9b\u0323", "Ё ё Й", "Ї",
        "が か\u3099 カ\u3099", "ｶﾞ", "각", "\u1100\u1161\u11a8", "힣", "ㄱㅏ", "क़ ड़", "\u0958",
        "\u09dc", "ำ", "نّ", "لا ﻻ", "שׁ \ufb2a", "\u0f43", "\u0fb9", "\u1026", "\u1b06", "\ufb1d",
        "\U0001d15e", "\U0001d1bb", "\U000110ab", "\U0001112e", "\U00011938", "\U0002f800", "\uf900")
    # Marks that are kept and change places.
    add("a\u302e\u302f", "a\u302f\u302e", "a\u302e\u034f\u302f", "a\u302e\u0301\u302f",
        "a\u302e\u200b\u302f", "a\u302eb\u302f", "a \u302f\u302e", "中\u302f\u302e", "=\u302e\u1baa",
        "a\U0001d165\u1b44", "a\u302e\U0001d165\u1b44\u1baa", "\u1b44\u302e\u1b44", "a\U0001d16d\U0001d165",
        "a\u08d4\u302e", "a\U0001e000\U0001d165", "\u302f" * 50 + "\u1b44" * 50, "\u302f" * 60 + "\u1b44" * 60)
    # Emoji and what joins them; flags, skin tones, keycaps.
    add("👍", "👍🏽", "👩‍👩‍👧‍👦", "🇨🇳", "❤️", "1️⃣", "🏴\U000e0067\U000e0062\U000e007f", "a👍b", "中👍文",
        "😀😀", "🀄", "🈚", "𝔘𝔫𝔦", "𝒜", "𐐀𐐨", "𐊧", "\U0001fae8")
    # Bytes that are not UTF-8.
    add(b"\x80", b"\xff\xfe", b"a\xffb", b"\xc0\xaf", b"\xc3", b"\xc3(", b"\xe4\xb8", b"\xe4\xb8\xadx",
        b"\xe4\xb8a", b"\xf0\x9f\x98", b"\xf0\x9f\x98\x80", b"\xf4\x90\x80\x80", b"\xed\xa0\x80",
        b"\xed\xa0\xbd\xed\xb8\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x88\x80\x80\x80",
        b"\xfc\x84\x80\x80\x80\x80", b"a\x00b", b"\xef\xbf\xbd", b"\xef\xbf", b"\xe4\xb8\xe4\xb8\xad",
        b"\xd6\xd0\xce\xc4", b"x\xcc", b"x\xcc\x81", b"\xccx\x81")
    return lines


def write_tricky(tokenizers):
    lines = tricky_lines()
    columns = [ids_of(tokenizer, lines) for tokenizer in tokenizers]
    text = "# text, ids of model-lower, model-cased, small-lower; separated by tabs\n"
    for line, *ids in zip(lines, *columns):
        text += "\t".join([escape(line)] + [" ".join(map(str, x)) for x in ids]) + "\n"
    write("tricky.txt", text)
    return len(lines)


def write_truncation(tokenizer):
    """How many tokens of two texts of n1 and n2 words stay, for each limit."""
    text = "# words-of-text words-of-pair max-tokens kept-of-text kept-of-pair; pair -1: none\n"
    word = "中"
    for n1 in range(0, 8):
        for n2 in range(-1, 8):
            for limit in range(2 if n2 < 0 else 3, 16):
                # transformers takes "" for no pair, so an empty pair is a space.
                pair = None if n2 < 0 else word * n2 or " "
                got = tokenizer(word * n1, pair, truncation=True, max_length=limit)
                types = got["token_type_ids"]
                kept = types.count(1) - 1 if n2 >= 0 else -1
                text += "%d %d %d %d %d\n" % (n1, n2, limit, types.count(0) - 2, kept)
    write("truncation.txt", text)


def write_odd_vocab():
    path = os.path.join(HERE, "vocab_odd.txt")
    with open(path, "wb") as file:
        file.write("[PAD]\r\n[UNK]\n[CLS]\r[SEP]\n\n中\n中文\n\n##文\na \n\ta\na\n中\r\n##\n\ufeffb\nlast"
                   .encode())
    text = "# word and id, tab between\n"
    for word, index in sorted(read_vocab(path).items(), key=lambda x: x[1]):
        text += "%s\t%d\n" % (escape(word.encode()), index)
    write("vocab_odd_ids.txt", text)


def main():
    model = read_vocab(os.path.join(sys.argv[1], "vocab.txt"))
    words = small_vocab_words()
    write("vocab_small.txt", "".join(w + "\n" for w in words))
    small = read_vocab(os.path.join(HERE, "vocab_small.txt"))
    vocabs = {"model": model, "small": small}
    tokenizers = [make_tokenizer(vocabs[v], lower, strip, chinese)
                  for _, v, lower, strip, chinese in SETTINGS]
    print(write_tricky(tokenizers[:3]), "tricky lines")
    write_truncation(tokenizers[0])
    write_odd_vocab()
    write_order(tokenizers, words)
    write_blocks(tokenizers)
    write_spans(tokenizers)
    write_sweep()


if __name__ == "__main__":
    main()
