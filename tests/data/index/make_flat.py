#!/usr/bin/env python3
"""Writes flat-3x4.ann: an index file put together by hand, to show that the
layout index/ann_file.c describes is what it reads.

The FAISS part is what IndexFlatIP(4) of FAISS 1.7.3 writes. The checksums come
from xxhsum (package xxhash), not from our code.
"""
import struct
import subprocess
import sys


def xxh128(data):
    out = subprocess.run(["xxhsum", "-H128", "-"], input=data, capture_output=True, check=True)
    return bytes.fromhex(out.stdout.split()[0].decode())


vectors = [1, 0, 0, 0, 0, 1, 0, 0, 0.6, 0.8, 0, 0]
ids = [7, 300, 2**40]
faiss = b"IxFI" + struct.pack("<iqqqBi", 4, 3, 1 << 20, 1 << 20, 1, 0)
faiss += struct.pack("<Q", len(vectors)) + struct.pack("<12f", *vectors)
payload = struct.pack("<3q", *ids) + faiss
header = b"ERNIEANN" + struct.pack("<II", 1, 1)
header += bytes(range(16)) + bytes(range(100, 116))
header += struct.pack("<QQQQQQ", 4, 0x1122334455667788, 99, 3, len(payload), 0)
header += xxh128(payload)
header += xxh128(header)
assert len(header) == 128
open(sys.argv[1], "wb").write(header + payload)
