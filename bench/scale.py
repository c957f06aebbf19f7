#!/usr/bin/env python3
"""Indexes a folder and says what it took: scale.py NEW.db FOLDER [THREADS]

Through the Python package in ../python (ERNIE_LIBRARY names libernie.so where it is not
installed). Of the time that was told to be left, it gives the furthest from the truth between the
first tenth and the last twentieth; in time of the processor too, since a machine that others use
as well keeps no promise.
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
    told = []  # (time, processor time, seconds left)
    began = []

    def note(now):
        if now.stage == ernie.Stage.EMBED:
            if not began:
                began.extend((time.monotonic(), time.process_time()))
            if now.seconds_left is not None:
                told.append((time.monotonic(), time.process_time(), now.seconds_left))

    with ernie.Database(path) as database:
        scanned = time.monotonic()
        report = database.index(folder, progress=note, threads=threads)
        ended = time.monotonic()
        status = database.status()
    seconds = ended - scanned
    with sqlite3.connect(path) as connection:
        (size,) = connection.execute("SELECT sum(size_bytes) FROM ernie_documents").fetchone()
    worst = [0.0, 0.0]
    for when, cpu, left in told:
        share = (when - began[0]) / (told[-1][0] - began[0])
        if not 0.1 <= share <= 0.95:
            continue
        # What was told is the time that passed times what is left to do for each byte done.
        for i, now in enumerate((when, cpu)):
            true = told[-1][i] - now
            said = left if i == 0 else left * (cpu - began[1]) / (when - began[0])
            worst[i] = max(worst[i], abs(said - true) / true)
    print(report)
    print(f"documents/s   {report.n_added / seconds:.1f}  ({seconds:.1f} s)")
    print(f"MB/s          {size / seconds / 1e6:.3f}")
    print(f"database      {status.database_bytes / size:.2f} bytes, index {status.index_bytes / size:.2f} bytes a byte of text")
    print(f"peak memory   {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, Python's with it")
    print(f"cpu           {sum(resource.getrusage(resource.RUSAGE_SELF)[:2]):.1f} s")
    print(f"time left     at most {100 * worst[0]:.1f} % from the truth after the first tenth, {100 * worst[1]:.1f} % of the processor's")


main()
