#!/usr/bin/env python3
"""Many small files of real text, for `ernie index`: make_pages.py OUT N [FOLDER...]

Cuts manual pages, HTML, reStructuredText and plain text below the folders (else the Debian
packages manpages, manpages-dev, manpages-zh, debian-reference-zh-cn, debian-handbook and linux-doc,
where they are installed) by paragraph into pieces of 200 to 2,000 bytes, and writes N of them,
spread evenly over all there are, as OUT/<where from>/<page>/<number>.txt.
"""
import gzip
import html.parser
import os
import re
import sys

PLACES = [
    "/usr/share/man/man", "/usr/share/man/zh_CN", "/usr/share/man/zh_TW",
    "/usr/share/debian-reference", "/usr/share/doc/debian-handbook", "/usr/share/doc/linux-doc",
]


class Text(html.parser.HTMLParser):
    """The text of HTML, a blank line between blocks."""

    BLOCKS = {"p", "div", "li", "h1", "h2", "h3", "h4", "pre", "td", "dt", "dd", "tr", "table", "br"}

    def __init__(self):
        super().__init__()
        self.parts = []
        self.skips = 0

    def handle_starttag(self, tag, attrs):
        self.skips += tag in ("script", "style")
        if tag in self.BLOCKS:
            self.parts.append("\n\n" if tag != "br" else "\n")

    def handle_endtag(self, tag):
        self.skips -= tag in ("script", "style")
        if tag in self.BLOCKS:
            self.parts.append("\n\n")

    def handle_data(self, data):
        if self.skips <= 0:
            self.parts.append(data)


def text_of_roff(text):
    """What a manual page says, without its macros; near enough."""
    lines = []
    for line in text.split("\n"):
        if line.startswith((".\\\"", "'\\\"", ".de", ".ie", ".el", ".if", ".ds", ".nr", "..")):
            continue
        macro = re.match(r"[.']\s*([A-Za-z]+)\s*(.*)", line)
        if macro:
            name, line = macro.groups()
            line = line.replace('"', "")
            if name in ("SH", "SS", "PP", "P", "LP", "TP", "IP", "Sh", "Ss", "Pp", "It", "sp"):
                lines.append("")
            elif name in ("so", "TH", "Dd", "Dt", "Os"):
                continue
        line = re.sub(r"\\f(\[[^]]*\]|\(..|.)|\\s[-+]?\d|\\[&/|^,%:]", "", line)
        line = re.sub(r"\\\((em|en|bu|aq|lq|rq|co)|\\\*\(..", " ", line)
        lines.append(line.replace("\\-", "-").replace("\\e", "\\").replace("\\ ", " "))
    return "\n".join(lines)


def read(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        text = file.read().decode("utf-8", "replace")
    name = path[:-3] if path.endswith(".gz") else path
    if re.search(r"\.[1-9][a-z]*$", name):
        return text_of_roff(text)
    if name.endswith((".html", ".htm")):
        parser = Text()
        parser.feed(text)
        return "".join(parser.parts)
    return text


def pieces(text):
    """Paragraphs, joined until there are 200 bytes and cut after 2,000."""
    piece = ""
    for paragraph in re.split(r"\n\s*\n", text):
        paragraph = re.sub(r"[ \t]+", " ", paragraph).strip()
        while len(paragraph.encode()) > 1800:
            cut = paragraph[:600]
            cut = cut[: max(cut.rfind(" "), cut.rfind("。") + 1, 300)]
            yield cut
            paragraph = paragraph[len(cut):].strip()
        if piece and len((piece + paragraph).encode()) > 1800:
            yield piece
            piece = ""
        piece = f"{piece}\n\n{paragraph}".strip()
        if len(piece.encode()) >= 200:
            yield piece
            piece = ""


def pages(places):
    for place in places:
        for folder, folders, names in os.walk(place):
            folders.sort()
            for name in sorted(names):
                if re.search(r"(\.[1-9][a-z]*|\.html?|\.txt|\.rst)(\.gz)?$", name):
                    yield place, os.path.join(folder, name)


def main():
    out, n = sys.argv[1], int(sys.argv[2])
    places = sys.argv[3:]
    if not places:
        places = [p + d for p in PLACES for d in (map(str, range(1, 9)) if p.endswith("man") else [""])]
    found = []  # (folder to write to, number, piece)
    seen = set()
    for place, path in pages(places):
        try:
            text = read(path)
        except (OSError, EOFError):
            continue
        where = os.path.join(os.path.basename(place), os.path.relpath(path, place)).replace("/", "_")
        for i, piece in enumerate(pieces(text)):
            if 200 <= len(piece.encode()) <= 2000 and piece not in seen:
                seen.add(piece)
                found.append((os.path.join(os.path.basename(place), where), i, piece))
    if len(found) < n:
        sys.exit(f"only {len(found)} pieces of text: name more folders")
    size = 0
    for k in range(n):
        folder, i, piece = found[k * len(found) // n]
        folder = os.path.join(out, folder)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{i:04d}.txt"), "w", encoding="utf-8") as file:
            file.write(piece + "\n")
        size += len(piece.encode()) + 1
    print(f"{n} files, {size} bytes, of {len(found)} pieces")


main()
