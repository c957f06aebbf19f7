#!/usr/bin/env python3
"""Compares what is read from Office documents with what others read from the same files.

    make office_text
    python3 tests/compare_office.py ./office_text FOLDER [HTML...]

The pages are converted by LibreOffice into FOLDER (odt, and from it docx, rtf, epub and txt), where
files that are there already are used again. Each is then read by office_text and by another
reader: docx by python-docx, odt by odfpy, rtf by LibreOffice (its own plain text, of the RTF), epub
by lxml; xlsx and ods, made of the pages' words by openpyxl and LibreOffice, by openpyxl. A word is a
run of letters and digits or one Chinese character. Printed for each format: the share of the other's
words that we have, the share of ours that the other has (as bags), and how much of the first 4000
words comes in the same order (difflib's ratio).
"""
import collections
import datetime
import difflib
import os
import posixpath
import re
import subprocess
import sys
import zipfile

import docx
import lxml.etree
import lxml.html
import odf.opendocument
import odf.text
import openpyxl

WORD = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|[^\W_\u2e80-\u9fff\uf900-\ufaff]+")
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def convert(paths, kind, folder, infilter=None):
    wanted = [p for p in paths
              if not os.path.exists(target(p, kind.split(":")[0], folder))]
    for start in range(0, len(wanted), 20):
        subprocess.run(["soffice", "--headless", "--convert-to", kind, "--outdir", folder]
                       + (["--infilter=" + infilter] if infilter else [])
                       + wanted[start:start + 20], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    made = [target(p, kind.split(":")[0], folder) for p in paths]
    for path in made:
        if not os.path.exists(path):
            sys.exit("%s: LibreOffice made none" % path)
    return made


def target(path, kind, folder):
    return os.path.join(folder, os.path.splitext(os.path.basename(path))[0] + "." + kind)


def read_docx(path):
    document = docx.Document(path)
    lines = []
    for element in document.element.body.iter(W + "p"):
        style = element.find(W + "pPr/" + W + "pStyle")
        if style is not None and style.get(W + "val").startswith(("TOC", "Contents")):
            continue
        lines.append("".join(t.text or "" if t.tag == W + "t" else " "
                             for t in element.iter(W + "t", W + "tab", W + "br")))
    for relation in document.part.rels.values():
        if relation.reltype.endswith(("/footnotes", "/endnotes")):
            root = lxml.etree.fromstring(relation.target_part.blob)
            lines += ["".join(t.text or "" for t in p.iter(W + "t")) for p in root.iter(W + "p")]
    return "\n".join(lines)


def text_of(node):
    """A paragraph's text; odfpy's own function leaves out the spaces of text:tab and line breaks."""
    if node.nodeType == node.TEXT_NODE:
        return str(node.data)
    name = node.qname[1]
    if name in ("s", "tab", "line-break"):
        return " "
    if name in ("note-citation", "title", "desc"):
        return ""
    inner = "".join(text_of(child) for child in node.childNodes)
    return "\n" + inner + "\n" if name in ("p", "h") else inner


def read_odt(path):
    document = odf.opendocument.load(path)
    return text_of(document.text)


def read_epub(path):
    package = zipfile.ZipFile(path)
    container = lxml.etree.fromstring(package.read("META-INF/container.xml"))
    name = container.find(".//{*}rootfile").get("full-path")
    opf = lxml.etree.fromstring(package.read(name))
    items = {i.get("id"): i.get("href") for i in opf.iter("{*}item")}
    text = []
    for reference in opf.iter("{*}itemref"):
        part = posixpath.join(posixpath.dirname(name), items[reference.get("idref")])
        root = lxml.etree.fromstring(package.read(part), lxml.etree.HTMLParser(encoding="utf-8"))
        text += [" ".join(p.itertext()) if p.tag not in ("p", "h1", "h2", "h3") else
                 "".join(p.itertext()) for p in root.iter("p", "h1", "h2", "h3", "li", "pre")]
    return "\n".join(text)


def read_txt(path):
    with open(path, encoding="utf-8-sig") as file:
        text = file.read()
    # LibreOffice writes the marks of notes, and what stands before the items of a list.
    return re.sub(r"(?m)^\s+(?:[0-9a-z]{1,3}\.|[ivx]+\.)\s", " ", text)


def read_xlsx(path):
    lines = []
    for sheet in openpyxl.load_workbook(path, data_only=True):
        for row in sheet.iter_rows():
            for cell in row:
                value = cell.value
                if isinstance(value, datetime.datetime):
                    value = value.strftime("%Y-%m-%d %H:%M:%S" if value.second else "%Y-%m-%d %H:%M") \
                        if "h" in cell.number_format else value.strftime("%Y-%m-%d")
                elif isinstance(value, bool):
                    value = str(value).upper()
                elif isinstance(value, float):
                    value = "%.15g" % value
                if value is not None:
                    lines.append(str(value))
    return "\n".join(lines)


def read_ours(program, path):
    result = subprocess.run([program, os.path.splitext(path)[1][1:], path], capture_output=True)
    if result.returncode != 0:
        print(path, result.stderr.decode().strip())
        return ""
    return result.stdout.decode().split("\n\n", 1)[1]


def make_sheets(pages, folder):
    """Words, numbers and days of each page, in a sheet."""
    made = []
    for page in pages:
        path = target(page, "xlsx", folder)
        made.append(path)
        if os.path.exists(path):
            continue
        words = WORD.findall(lxml.html.parse(page).getroot().text_content())
        book = openpyxl.Workbook()
        for n in range(2):
            sheet = book.create_sheet("S%d" % n)
            for i in range(n * 900, min(len(words), n * 900 + 900), 3):
                sheet.append([words[i], " ".join(words[i:i + 3]), i / 7, i, i % 5 == 0,
                              datetime.date(2024, 1, 1) + datetime.timedelta(i),
                              datetime.datetime(1999, 12, 31, 23, 59, 5) + datetime.timedelta(i / 3)])
        book.remove(book.worksheets[0])
        book.save(path)
    return made


def compare(name, program, pairs):
    theirs_n = ours_n = common = 0
    ratios = []
    worst = (2, "")
    for path, their_text in pairs:
        theirs = WORD.findall(their_text)
        ours = WORD.findall(read_ours(program, path))
        shared = sum((collections.Counter(theirs) & collections.Counter(ours)).values())
        theirs_n += len(theirs)
        ours_n += len(ours)
        common += shared
        worst = min(worst, (shared / max(len(theirs), 1), path))
        ratios.append(difflib.SequenceMatcher(None, theirs[:4000], ours[:4000],
                                              autojunk=False).ratio())
    print("%-5s %3d files, %7d words: %.4f of theirs, %.4f of ours, order %.4f; worst %.4f %s"
          % (name, len(pairs), theirs_n, common / max(theirs_n, 1), common / max(ours_n, 1),
             sum(ratios) / max(len(ratios), 1), worst[0], os.path.basename(worst[1])), flush=True)


def main():
    program, folder, pages = sys.argv[1], sys.argv[2], sys.argv[3:]
    os.makedirs(folder, exist_ok=True)
    odt = convert(pages, "odt", folder, "HTML (StarWriter)")
    compare("odt", program, [(p, read_odt(p)) for p in odt])
    compare("docx", program, [(p, read_docx(p)) for p in convert(odt, "docx:MS Word 2007 XML", folder)])
    rtf = convert(odt, "rtf", folder)
    plain = convert(rtf, "txt:Text", folder)
    compare("rtf", program, [(p, read_txt(t)) for p, t in zip(rtf, plain)])
    compare("epub", program, [(p, read_epub(p)) for p in convert(odt, "epub", folder)])
    sheets = make_sheets(pages, folder)
    compare("xlsx", program, [(p, read_xlsx(p)) for p in sheets])
    compare("ods", program, [(p, read_xlsx(s)) for p, s in zip(convert(sheets, "ods", folder), sheets)])


main()
