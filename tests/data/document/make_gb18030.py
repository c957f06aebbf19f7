"""Prints what check_charset.c expects of GB 18030: a hash (FNV-1a, 64 bits) of all its characters.

Every sequence of two and of four bytes that Python's codec decodes, in order, as UTF-8 with a
line break behind each. Left out are the 25 sequences of two bytes and 19 of four that mean
something else since GB 18030-2005 and GB 18030-2022: Python's codec is that of the year 2000, and
puts in the private use area what Unicode has had characters for since (vertical punctuation in
row A6, ideographs in row FE, U+1E3F at A8BC). The C library knows the newer meaning.
"""

CHANGED_2 = set(
    "a6d9 a6da a6db a6dc a6dd a6de a6df a6ec a6ed a6f3 a8bc fe51 fe52 fe53 fe59 fe61 fe66 fe67"
    " fe6c fe6d fe76 fe7e fe90 fe91 fea0".split())
CHANGED_4 = set(
    "8135f437 82359037 82359038 82359039 82359130 82359131 82359132 82359133 82359134 84318236"
    " 84318237 84318238 84318239 84318330 84318331 84318332 84318333 84318334 84318335".split())


def sequences():
    for a in range(0x81, 0xFF):
        for b in range(0x40, 0xFF):
            if b != 0x7F:
                yield bytes([a, b])
    for a in range(0x81, 0xFF):
        for b in range(0x30, 0x3A):
            for c in range(0x81, 0xFF):
                for d in range(0x30, 0x3A):
                    yield bytes([a, b, c, d])


def main():
    value, n = 0xCBF29CE484222325, 0
    for sequence in sequences():
        if sequence.hex() in CHANGED_2 | CHANGED_4:
            continue
        try:
            text = sequence.decode("gb18030") + "\n"
        except UnicodeDecodeError:
            continue
        n += 1
        for byte in text.encode():
            value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    print(n, hex(value))


main()
