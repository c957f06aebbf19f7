"""Databases: documents in, hits out."""

from __future__ import annotations

import enum
import math
import os
import threading
from ctypes import POINTER, byref, c_char_p, c_size_t, c_void_p
from dataclasses import dataclass

from . import _library
from ._library import Code, Error, call, library, path_bytes, text_array, text_bytes
from ._model import Model, _count

_MODES = {"read": 0, "write": 1, "create": 3}
_SEARCH_MODES = {"hybrid": 0, "vector": 1, "keyword": 2}


@dataclass(frozen=True)
class Place:
    """Another passage of a hit's document."""

    chunk_id: int
    page: int | None  # as of a hit
    line: int


@dataclass(frozen=True)
class Hit:
    rank: int  # from 1
    score: float  # cosine in [-1, 1], higher is nearer; whatever the mode
    bm25: float  # how much the query's words say for it
    fused_score: float  # what hits are ordered by
    vector_rank: int | None  # by cosine, from 1; None where it was not needed
    keyword_rank: int | None  # by bm25, from 1; None when it has none of the words
    path: str  # of the file, or the name given to add_text
    title: str
    heading: str  # the headings that it stands under, "第1章 › 备份"
    format: str  # "text", "markdown", "pdf"
    author: str | None  # as the document says; so is the language: "zh-CN", "en"
    language: str | None
    date: str | None  # ISO 8601, that the document states, else that of its file
    page: int | None  # or slide or sheet, from 1
    line: int  # of the document's file, from 1
    snippet: str  # from the sentence nearest the query
    marks: tuple[tuple[int, int], ...]  # the query's words in it: [start, end) in characters
    document_id: int
    chunk_id: int
    n_more: int  # other passages of the document that fit better than the last hit
    places: tuple[Place, ...]  # the best five of these, in the document's order


class Stage(enum.IntEnum):
    SCAN = 0  # finding files
    EMBED = 1  # reading, embedding and storing them
    INDEX = 2  # building the vector index


@dataclass(frozen=True)
class Progress:
    stage: Stage
    n_files_total: int  # found so far
    n_files_done: int
    n_bytes_total: int  # of the files that need work
    n_bytes_done: int
    n_chunks: int  # embedded so far
    path: "str | None"  # the file just finished
    failure: "str | None"  # why that file was not indexed
    seconds_left: "float | None"  # until all are embedded; None while that cannot be told


@dataclass(frozen=True)
class Report:
    """What indexing did: numbers of files, and of chunks embedded."""

    n_added: int
    n_changed: int
    n_unchanged: int
    n_removed: int
    n_failed: int
    n_skipped: int
    n_moved: int
    n_kept: int
    n_chunks: int


@dataclass(frozen=True)
class Status:
    n_documents: int
    n_failed: int
    n_chunks: int
    n_roots: int
    dim: int  # numbers of each vector; 0: nothing embedded yet
    model_dim: int  # numbers the model gives, of which the first dim are kept
    model_fingerprint: str
    model_name: str
    index_kind: str
    n_index_vectors: int
    n_tail_vectors: int
    database_bytes: int
    index_bytes: int
    memory_bytes: int


def _words(value):
    return None if value is None else value.decode("utf-8", "replace")


def _fields(result, struct):
    """A dataclass of a struct with the same names."""
    values = {name: getattr(struct, name) for name in result.__dataclass_fields__}
    return result(**{k: _words(v) if isinstance(v, bytes) else v for k, v in values.items()})


class Database:
    """A database file and a connection to it.

    model: a Model, the directory of one, or None for the default one.
    mode: "create" makes the file when there is none, "write" changes an existing one, and
    "read" only searches, in a file that may be read-only.

    Threads may share a Database; their calls wait for each other. Search in parallel with one
    Database a thread.
    """

    def __init__(self, path, model=None, mode="create"):
        self._handle = None
        self._lock = threading.RLock()
        self._in_call = False
        if mode not in _MODES:
            raise Error(Code.EINVAL, f"database: no such mode as {mode!r}")
        self._own_model = not isinstance(model, Model)
        self._model = Model(model) if self._own_model else model
        handle = c_void_p()
        borrowed = self._model._borrow()
        try:
            call("ernie_open", path_bytes(path), _MODES[mode], borrowed, byref(handle))
        except BaseException:
            self._model._give_back()
            if self._own_model:
                self._model.close()
            raise
        self._handle = handle

    @property
    def model(self):
        return self._model

    def index(self, paths, progress=None, exclude=(), hidden=False, prune=False, threads=0):
        """Brings the database up to date with files and folders; gives a Report.

        progress is called with a Progress now and then; when it gives something true, or
        raises, indexing stops, and what was indexed stays. exclude: patterns as in
        .gitignore. hidden: take names that start with a dot, too. prune:
        remove what is indexed of a path that is missing or empty.
        """
        if isinstance(paths, (str, bytes, os.PathLike)):
            paths = [paths]
        if isinstance(exclude, str):
            exclude = [exclude]
        paths = [path_bytes(os.path.expanduser(path)) for path in paths]
        excludes = [text_bytes(pattern, "exclude") for pattern in exclude]
        raised = []

        def report(_, now):
            # An exception cannot pass through C: it is kept, and raised after.
            try:
                return 1 if progress(_progress(now.contents)) else 0
            except BaseException as exception:
                raised.append(exception)
                return 1

        options = _library.ernie_index_options()
        options.n_threads = _count("threads", threads)
        options.n_excludes = len(excludes)
        options.excludes = text_array(excludes)
        options.hidden = bool(hidden)
        options.prune = bool(prune)
        if progress is not None:
            options.progress = _library.progress_fn(report)
        result = _library.ernie_index_report()
        try:
            self._call("ernie_index", len(paths), text_array(paths), byref(options), byref(result))
        except Error:
            if raised:
                raise raised[0]
            raise
        return _fields(Report, result)

    def add_text(self, name, text, title=None):
        """Stores a text of your own under a name, replacing what the name held."""
        self._call(
            "ernie_add_text",
            text_bytes(name, "name"),
            None if title is None else text_bytes(title, "title"),
            text_bytes(text),
        )

    def remove(self, name):
        """Removes what add_text stored under a name, or what was indexed of a file or folder.

        Gives the number of documents removed.
        """
        n = c_size_t()
        try:
            self._call("ernie_remove", path_bytes(name), byref(n))
        except Error as error:
            path = os.path.abspath(os.path.expanduser(os.fsdecode(name)))
            if error.code != Code.ENOTFOUND or path == os.fsdecode(name):
                raise
            self._call("ernie_remove", path_bytes(path), byref(n))
        return n.value

    def search(
        self,
        query,
        k=10,
        all_chunks=False,
        mode="hybrid",
        formats=(),
        after=None,
        before=None,
        path=None,
    ):
        """The best k hits, a list of Hit; all_chunks: not only the best of each document.

        mode: "hybrid" finds by meaning and by words, "vector" and "keyword" by one of them.

        Only documents of the formats ("pdf", "markdown"), of the day after ("2024-01-31", "2024")
        or later, of before the day before, at or below path.
        """
        if mode not in _SEARCH_MODES:
            raise ValueError(f"mode: {mode!r} is not one of {', '.join(_SEARCH_MODES)}")
        options = _library.ernie_search_options(
            _count("k", k, least=1), _SEARCH_MODES[mode], bool(all_chunks)
        )
        names = [text_bytes(name, "format") for name in formats]
        options.n_formats = len(names)
        options.formats = (c_char_p * len(names))(*names)
        options.after = None if after is None else text_bytes(after, "after")
        options.before = None if before is None else text_bytes(before, "before")
        options.path = None if path is None else path_bytes(path)
        hits = POINTER(_library.ernie_hits)()
        self._call("ernie_search", text_bytes(query, "query"), byref(options), byref(hits))
        try:
            return [_hit(hits.contents.hit[i]) for i in range(hits.contents.n)]
        finally:
            library.ernie_hits_free(hits)

    def status(self):
        """What the database holds."""
        status = _library.ernie_status()
        self._call("ernie_status", byref(status))
        return _fields(Status, status)

    def verify(self):
        """Compares rows, vectors and index with each other: a list of findings, empty when
        all is well."""
        findings = []
        report = _library.finding_fn(lambda _, finding: findings.append(_words(finding)))
        try:
            self._call("ernie_verify", report, None)
        except Error as error:
            if error.code != Code.ECORRUPT or not findings:
                raise
        return findings

    def close(self):
        with self._lock:
            self._check_idle()
            if self._handle is None:
                return
            library.ernie_close(self._handle)
            self._handle = None
            self._model._give_back()
            if self._own_model:
                self._model.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __del__(self):
        if getattr(self, "_handle", None) is not None and library is not None:
            self.close()

    def _check_idle(self):
        if self._in_call:
            raise Error(Code.EINVAL, "database: it is indexing, and calls this itself")

    def _call(self, name, *arguments):
        with self._lock:
            self._check_idle()
            if self._handle is None:
                raise Error(Code.EINVAL, "database: it is closed")
            self._in_call = True
            try:
                call(name, self._handle, *arguments)
            finally:
                self._in_call = False


def _progress(now):
    return Progress(
        Stage(now.stage),
        now.n_files_total,
        now.n_files_done,
        now.n_bytes_total,
        now.n_bytes_done,
        now.n_chunks,
        _words(now.path),
        _words(now.failure),
        None if math.isnan(now.seconds_left) else now.seconds_left,
    )


def _marks(hit):
    """The marks, which count bytes, in characters of the snippet."""

    def character(offset):
        return len(hit.snippet[:offset].decode())

    marks = (hit.marks[i] for i in range(hit.n_marks))
    return tuple((character(mark.start), character(mark.end)) for mark in marks)


def _hit(hit):
    return Hit(
        hit.rank,
        hit.score,
        hit.bm25,
        hit.fused_score,
        hit.vector_rank or None,
        hit.keyword_rank or None,
        os.fsdecode(hit.path),
        _words(hit.title),
        _words(hit.heading),
        _words(hit.format),
        _words(hit.author) or None,
        _words(hit.language) or None,
        _words(hit.date) or None,
        hit.page or None,
        hit.line,
        _words(hit.snippet),
        _marks(hit),
        hit.document_id,
        hit.chunk_id,
        hit.n_more,
        tuple(Place(p.chunk_id, p.page or None, p.line) for p in hit.places[: hit.n_places]),
    )
