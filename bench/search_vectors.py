#!/usr/bin/env python3
"""Searching vectors in SQLite, ours beside others, in one run:

    search_vectors.py ERNIE.so VECTORS.f32 DIM N [ENGINE...]

VECTORS is float32 [N + 200][DIM] at least, as `ernie embed --format f32` writes them; the
last 200 are the queries. Every engine runs in a process of its own with one thread, builds
once, and then all take turns: a round is all queries through each of them. Prints medians
of the rounds' p50 and p95 by the clock, of p50 in processor time too (which is what counts
on a machine that others use), recall@10 against brute force in double precision, build time,
what one insert with its commit costs in the full table and in one of 1,000 vectors, bytes a
vector on disk and in memory, and the time from nothing to the first answer in a new
process. Needs numpy, and faiss-cpu, hnswlib, usearch, sqlite-vec and vectorlite-py for the
peers; a Python whose sqlite3 can load extensions. Peers that are missing are left out.
"""
import gc
import os
import pickle
import resource
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
import numpy as np  # noqa: E402

K = 10
N_QUERIES = 200
ROUNDS = 5


def rss():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


# ---- engines -----------------------------------------------------------


class Sqlite:
    """What is common to those inside of SQLite: one file, one connection."""

    opens = True  # can be opened again from its file

    def __init__(self, folder, dim, extension):
        self.path = os.path.join(folder, "vectors.db")
        self.dim = dim
        self.extension = extension

    def connect(self):
        self.connection = sqlite3.connect(self.path, isolation_level=None)
        self.connection.enable_load_extension(True)
        self.load()
        self.connection.execute("PRAGMA journal_mode = WAL")

    def build(self, vectors):
        self.connect()
        self.create(len(vectors))
        self.connection.execute("BEGIN")
        self.connection.executemany(
            self.insert_sql(), ((i + 1, v.tobytes()) for i, v in enumerate(vectors)))
        self.connection.execute("COMMIT")
        self.finish()

    def finish(self):
        pass

    def insert(self, i, vector):
        self.connection.execute(self.insert_sql(), (i, vector.tobytes()))

    def reopen(self):
        self.connect()

    def disk(self):
        folder = os.path.dirname(self.path)
        return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))

    def query(self, vector):
        return [row[0] - 1 for row in self.connection.execute(self.query_sql(),
                                                              (vector.tobytes(), ))]


class Ernie(Sqlite):
    def __init__(self, folder, dim, extension, kind):
        super().__init__(folder, dim, extension)
        self.kind = kind

    def load(self):
        self.connection.load_extension(self.extension)

    def create(self, _n):
        self.connection.execute(f"CREATE VIRTUAL TABLE v USING "
                                f"ernie(embedding float[{self.dim}], index='{self.kind}')")

    def insert_sql(self):
        return "INSERT INTO v(rowid, embedding) VALUES (?, ?)"

    def finish(self):
        self.connection.execute("INSERT INTO v(v) VALUES ('optimize')")

    def query_sql(self):
        return f"SELECT rowid FROM v WHERE embedding MATCH ? ORDER BY rank LIMIT {K}"

    def version(self):
        return self.connection.execute("SELECT ernie_version()").fetchone()[0]


class SqliteVec(Sqlite):
    def load(self):
        import sqlite_vec
        sqlite_vec.load(self.connection)

    def create(self, _n):
        self.connection.execute("CREATE VIRTUAL TABLE v USING "
                                f"vec0(embedding float[{self.dim}] distance_metric=cosine)")

    def insert_sql(self):
        return "INSERT INTO v(rowid, embedding) VALUES (?, ?)"

    def query_sql(self):
        return f"SELECT rowid FROM v WHERE embedding MATCH ? AND k = {K} ORDER BY distance"

    def version(self):
        return self.connection.execute("SELECT vec_version()").fetchone()[0]


class Vectorlite(Sqlite):
    opens = False  # its index is written when the connection closes
    EF = 100

    def load(self):
        import vectorlite_py
        self.connection.load_extension(vectorlite_py.vectorlite_path())

    def create(self, n):
        self.connection.execute(
            f"CREATE VIRTUAL TABLE v USING vectorlite(e float32[{self.dim}] cosine, "
            f"hnsw(max_elements={n + 1000}, M=16, ef_construction=200))")

    def insert_sql(self):
        return "INSERT INTO v(rowid, e) VALUES (?, ?)"

    def query_sql(self):
        return (f"SELECT rowid FROM v WHERE knn_search(e, knn_param(?, {K}, {self.EF})) "
                "ORDER BY distance")

    def version(self):
        import importlib.metadata
        return importlib.metadata.version("vectorlite-py")


class InMemory:
    opens = False

    def __init__(self, _folder, dim, _extension):
        self.dim = dim

    def disk(self):
        return 0

    def insert(self, i, vector):
        self.add(vector[None], np.array([i]))

    def build(self, vectors):
        self.create(len(vectors))
        self.add(vectors, np.arange(len(vectors)))


class FaissFlat(InMemory):
    def create(self, _n):
        import faiss
        faiss.omp_set_num_threads(1)
        self.index = faiss.IndexFlatIP(self.dim)

    def add(self, vectors, _ids):
        self.index.add(vectors)

    def query(self, vector):
        return self.index.search(vector[None], K)[1][0].tolist()

    def version(self):
        import faiss
        return faiss.__version__


class FaissHnsw(FaissFlat):
    def create(self, _n):
        import faiss
        faiss.omp_set_num_threads(1)
        self.index = faiss.IndexHNSWFlat(self.dim, 32, faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = 100
        self.index.hnsw.efSearch = 100


class Hnswlib(InMemory):
    def create(self, n):
        import hnswlib
        self.index = hnswlib.Index("ip", self.dim)
        self.index.init_index(n + 1000, M=16, ef_construction=200)
        self.index.set_num_threads(1)
        self.index.set_ef(100)

    def add(self, vectors, ids):
        self.index.add_items(vectors, ids, num_threads=1)

    def query(self, vector):
        return self.index.knn_query(vector[None], K, num_threads=1)[0][0].tolist()

    def version(self):
        import importlib.metadata
        return importlib.metadata.version("hnswlib")


class Usearch(InMemory):
    def create(self, _n):
        from usearch.index import Index
        self.index = Index(ndim=self.dim, metric="ip", dtype="f32", expansion_search=100)

    def add(self, vectors, ids):
        self.index.add(ids, vectors, threads=1)

    def query(self, vector):
        return self.index.search(vector, K, threads=1).keys.tolist()

    def version(self):
        import usearch
        return usearch.__version__


ENGINES = {
    "ernie flat": lambda *a: Ernie(*a, "flat"),
    "ernie ivf": lambda *a: Ernie(*a, "ivf"),
    "ernie hnsw": lambda *a: Ernie(*a, "hnsw"),
    "sqlite-vec": SqliteVec,
    "faiss flat": FaissFlat,
    "faiss hnsw": FaissHnsw,
    "hnswlib": Hnswlib,
    "usearch": Usearch,
    "vectorlite": Vectorlite,
}


# ---- a process of one engine -------------------------------------------


def read_vectors(path, dim, n):
    vectors = np.memmap(path, np.float32, "r", shape=(n + N_QUERIES, dim))
    return vectors[:n], np.array(vectors[n:])


def send(value):
    data = pickle.dumps(value)
    sys.stdout.buffer.write(struct.pack("<Q", len(data)) + data)
    sys.stdout.buffer.flush()


def receive(stream):
    head = stream.read(8)
    if len(head) < 8:
        return None
    return pickle.loads(stream.read(struct.unpack("<Q", head)[0]))


def time_inserts(engine, vectors, first):
    seconds = []
    for i, vector in enumerate(vectors[:50]):
        start = time.perf_counter()
        engine.insert(first + i, vector)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds) * 1e3


def serve(name, extension, path, dim, n, folder):
    vectors, queries = read_vectors(path, dim, n)
    small = os.path.join(folder, "small")
    os.mkdir(small)
    engine = ENGINES[name](small, dim, extension)
    engine.build(vectors[:1000])
    small_insert = time_inserts(engine, queries, 1001)
    large = os.path.join(folder, "large")
    os.mkdir(large)
    engine = ENGINES[name](large, dim, extension)
    gc.collect()
    before = rss()
    start = time.perf_counter()
    engine.build(vectors)
    built = time.perf_counter() - start
    found = [engine.query(q) for q in queries]
    send(dict(build=built, memory=rss() - before, disk=engine.disk(), found=found,
              version=engine.version(), small_insert=small_insert, opens=engine.opens))
    for line in sys.stdin:
        if line.strip() == "insert":
            send(time_inserts(engine, queries, n + 1))
        else:
            seconds, processor = [], []
            for q in queries:
                start, start_processor = time.perf_counter(), time.thread_time()
                engine.query(q)
                processor.append(time.thread_time() - start_processor)
                seconds.append(time.perf_counter() - start)
            send((seconds, processor))


def open_cold(name, extension, path, dim, n, folder):
    """From a new process to the first answer; Python's own start and numpy are left out."""
    _, queries = read_vectors(path, dim, n)
    before = rss()
    start = time.perf_counter()
    engine = ENGINES[name](os.path.join(folder, "large"), dim, extension)
    engine.reopen()
    engine.query(queries[0])
    send((time.perf_counter() - start, rss() - before))


# ---- all of them -------------------------------------------------------


def brute_force(vectors, queries):
    queries = queries.astype(np.float64)
    scores = np.empty((len(queries), 0))
    ids = np.empty((len(queries), 0), np.int64)
    for start in range(0, len(vectors), 50000):
        block = vectors[start:start + 50000].astype(np.float64)
        scores = np.concatenate([scores, queries @ block.T], axis=1)
        ids = np.concatenate([ids, np.tile(np.arange(start, start + len(block)),
                                           (len(queries), 1))], axis=1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        scores = np.take_along_axis(scores, best, axis=1)
        ids = np.take_along_axis(ids, best, axis=1)
    return ids.tolist()


def percentile(seconds, part):
    return sorted(seconds)[int(len(seconds) * part)] * 1e3


def main():
    extension, path, dim, n = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    names = sys.argv[5:] or list(ENGINES)
    truth = brute_force(*read_vectors(path, dim, n))
    processes = {}
    with tempfile.TemporaryDirectory() as top:
        for name in names:
            folder = os.path.join(top, name.replace(" ", "-"))
            os.mkdir(folder)
            command = [sys.executable, __file__, "--engine", name, extension, path, str(dim),
                       str(n), folder]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            facts = receive(process.stdout)
            if facts is None:
                print(f"{name}: left out")
                continue
            cold = None
            if facts["opens"]:
                one = subprocess.run(command + ["--open"], capture_output=True, check=False)
                if len(one.stdout) > 8:
                    cold = pickle.loads(one.stdout[8:])
            processes[name] = (process, facts, [], cold)
            print(f"built {name} in {facts['build']:.1f} s", file=sys.stderr)
        for _ in range(ROUNDS):
            for process, _, rounds, _ in processes.values():
                process.stdin.write(b"query\n")
                process.stdin.flush()
                rounds.append(receive(process.stdout))
        print(f"{n} x {dim}, one thread, k = {K}, SQLite {sqlite3.sqlite_version}; "
              f"{ROUNDS} rounds of {N_QUERIES} queries")
        print(f"{'':12} {'version':10} {'p50 ms':>8} {'of cpu':>7} {'p95 ms':>8} {'recall':>7} {'build s':>8} "
              f"{'insert ms':>10} {'of 1,000':>9} {'disk B':>7} {'mem B':>6} {'cold':>14}")
        for name, (process, facts, rounds, cold) in processes.items():
            process.stdin.write(b"insert\n")
            process.stdin.flush()
            insert = receive(process.stdout)
            recall = np.mean([len(set(f) & set(t)) / K for f, t in zip(facts["found"], truth)])
            print(f"{name:12} {facts['version'][:10]:10} "
                  f"{statistics.median(percentile(r, .5) for r, _ in rounds):8.3f} "
                  f"{statistics.median(percentile(p, .5) for _, p in rounds):7.3f} "
                  f"{statistics.median(percentile(r, .95) for r, _ in rounds):8.3f} {recall:7.4f} "
                  f"{facts['build']:8.1f} {insert:10.3f} {facts['small_insert']:9.3f} "
                  f"{facts['disk'] / n:7.0f} {facts['memory'] / n:6.0f} "
                  + (f"{cold[0]:6.2f} s {cold[1] / 2**20:4.0f} M" if cold else f"{'-':>14}"))
            process.stdin.close()
            process.wait()


if sys.argv[1:2] == ["--engine"]:
    arguments = (sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]), int(sys.argv[6]),
                 sys.argv[7])
    open_cold(*arguments) if sys.argv[8:] else serve(*arguments)
else:
    main()
