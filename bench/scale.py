#!/usr/bin/env python3
"""Indexes a folder and says what it took: scale.py NEW.db FOLDER [THREADS]

Through the Python package in ../python (ERNIE_LIBRARY names libernie.so where it is not
installed). Of the time that was told to be left, it gives the furthest from the truth between the
first tenth and the last twentieth.
"""
import os
import resource
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))
import ernie  # noqa: E402


def main():
    path, folder = sys.argv[1], sys.argv[2]
    threads = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    told = []  # (when, what part is done, seconds left)
    began = []

    def note(now):
        if now.stage == ernie.Stage.EMBED:
            began.append(time.monotonic()) if not began else None
            if now.seconds_left is not None:
                told.append((time.monotonic(), now.seconds_left))

    with ernie.Database(path) as database:
        scanned = time.monotonic()
        report = database.index(folder, progress=note, threads=threads)
        ended = time.monotonic()
        embedded = told[-1][0] if told else ended
        status = database.status()
    seconds = ended - scanned
    with sqlite3.connect(path) as connection:
        (size,) = connection.execute("SELECT sum(size_bytes) FROM ernie_documents").fetchone()
    worst = 0.0
    for when, left in told:
        true = embedded - when
        if began[0] + (embedded - began[0]) / 10 <= when and true > (embedded - began[0]) / 20:
            worst = max(worst, abs(left - true) / true)
    print(report)
    print(f"documents/s   {report.n_added / seconds:.1f}  ({seconds:.1f} s, {began[0] - scanned:.1f} s until the first batch)")
    print(f"MB/s          {size / seconds / 1e6:.3f}")
    print(f"database      {status.database_bytes / size:.2f} bytes, index {status.index_bytes / size:.2f} bytes a byte of text")
    print(f"peak memory   {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, Python's with it")
    print(f"cpu           {sum(resource.getrusage(resource.RUSAGE_SELF)[:2]):.1f} s")
    print(f"time left     at most {100 * worst:.1f} % from the truth after the first tenth")


main()
