"""libernie: where it is, its structs and functions, its errors."""

import ctypes
import ctypes.util
import enum
import os
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint,
    c_uint64,
    c_void_p,
)
from pathlib import Path

# The version of ernie.h whose structs are declared below. Nothing in a library says how its
# structs are laid out, so that another version is refused rather than misread.
VERSION = "0.1.0"


class Code(enum.IntEnum):
    """The codes of ernie.h."""

    OK = 0
    ENOMEM = 1
    EINVAL = 2
    EIO = 3
    EFORMAT = 4
    ENOTFOUND = 5
    EMISMATCH = 6
    EBUSY = 7
    ECANCELED = 8
    ECORRUPT = 9


class Error(Exception):
    """What went wrong: `code`, one of Code, and `message`, one line of "what: why"."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = Code(code)
        self.message = message

    def __reduce__(self):
        return Error, (self.code, self.message)


# ---- structs, in the order of ernie.h; tests/test_layout.py compares them with the compiler's


class ernie_error(Structure):
    _fields_ = [("code", c_int), ("message", c_char * 508)]


class ernie_tokens(Structure):
    _fields_ = [
        ("n", c_size_t),
        ("input_ids", POINTER(c_int32)),
        ("token_type_ids", POINTER(c_int32)),
        ("attention_mask", POINTER(c_int32)),
        ("start", POINTER(c_size_t)),
        ("end", POINTER(c_size_t)),
    ]


class ernie_chunk(Structure):
    _fields_ = [("start", c_size_t), ("end", c_size_t), ("n_tokens", c_size_t)]


class ernie_chunks(Structure):
    _fields_ = [
        ("n", c_size_t),
        ("chunk", POINTER(ernie_chunk)),
        ("text", c_void_p),
        ("size", c_size_t),
    ]


class ernie_encode_options(Structure):
    _fields_ = [
        ("prompt", c_char_p),
        ("dim", c_size_t),
        ("pairs", POINTER(c_char_p)),
        ("task_type", c_int32),
    ]


class ernie_progress(Structure):
    _fields_ = [
        ("stage", c_int),
        ("n_files_total", c_size_t),
        ("n_files_done", c_size_t),
        ("n_bytes_total", c_uint64),
        ("n_bytes_done", c_uint64),
        ("n_chunks", c_size_t),
        ("path", c_char_p),
        ("failure", c_char_p),
        ("seconds_left", c_double),
    ]


progress_fn = CFUNCTYPE(c_int, c_void_p, POINTER(ernie_progress))


class ernie_index_options(Structure):
    _fields_ = [
        ("n_threads", c_size_t),
        ("n_excludes", c_size_t),
        ("excludes", POINTER(c_char_p)),
        ("hidden", c_int),
        ("ocr", c_int),
        ("unconfined", c_int),
        ("prune", c_int),
        ("progress", progress_fn),
        ("progress_data", c_void_p),
    ]


class ernie_index_report(Structure):
    _fields_ = [
        ("n_added", c_size_t),
        ("n_changed", c_size_t),
        ("n_unchanged", c_size_t),
        ("n_removed", c_size_t),
        ("n_failed", c_size_t),
        ("n_skipped", c_size_t),
        ("n_moved", c_size_t),
        ("n_kept", c_size_t),
        ("n_chunks", c_size_t),
    ]


class ernie_search_options(Structure):
    _fields_ = [
        ("k", c_size_t),
        ("mode", c_int),
        ("all_chunks", c_int),
        ("no_snippets", c_int),
        ("reranker", c_void_p),
        ("n_formats", c_size_t),
        ("formats", POINTER(c_char_p)),
        ("after", c_char_p),
        ("before", c_char_p),
        ("path", c_char_p),
    ]


class ernie_mark(Structure):
    _fields_ = [("start", c_size_t), ("end", c_size_t)]


class ernie_place(Structure):
    _fields_ = [("chunk_id", c_int64), ("page", c_size_t), ("line", c_size_t)]


class ernie_hit(Structure):
    _fields_ = [
        ("rank", c_size_t),
        ("score", c_double),
        ("bm25", c_double),
        ("fused_score", c_double),
        ("vector_rank", c_size_t),
        ("keyword_rank", c_size_t),
        ("rerank_score", c_double),
        ("document_id", c_int64),
        ("chunk_id", c_int64),
        ("page", c_size_t),
        ("line", c_size_t),
        ("path", c_char_p),
        ("title", c_char_p),
        ("heading", c_char_p),
        ("format", c_char_p),
        ("author", c_char_p),
        ("language", c_char_p),
        ("date", c_char_p),
        ("snippet", c_char_p),
        ("n_marks", c_size_t),
        ("marks", POINTER(ernie_mark)),
        ("n_more", c_size_t),
        ("n_places", c_size_t),
        ("places", POINTER(ernie_place)),
    ]


class ernie_hits(Structure):
    _fields_ = [("n", c_size_t), ("hit", POINTER(ernie_hit))]


class ernie_status(Structure):
    _fields_ = [
        ("n_documents", c_size_t),
        ("n_failed", c_size_t),
        ("n_chunks", c_size_t),
        ("n_roots", c_size_t),
        ("dim", c_size_t),
        ("model_dim", c_size_t),
        ("model_fingerprint", c_char * 33),
        ("model_name", c_char * 128),
        ("index_kind", c_char * 64),
        ("n_index_vectors", c_size_t),
        ("n_tail_vectors", c_size_t),
        ("database_bytes", c_uint64),
        ("index_bytes", c_uint64),
        ("memory_bytes", c_uint64),
    ]


finding_fn = CFUNCTYPE(None, c_void_p, c_char_p)
error_p = POINTER(ernie_error)

# name: (result, arguments)
_FUNCTIONS = {
    "ernie_version": (c_char_p, []),
    "ernie_model_open": (c_int, [c_char_p, POINTER(c_void_p), error_p]),
    "ernie_model_close": (None, [c_void_p]),
    "ernie_model_dim": (c_size_t, [c_void_p]),
    "ernie_model_max_tokens": (c_size_t, [c_void_p]),
    "ernie_model_directory": (c_char_p, [c_void_p]),
    "ernie_model_prompt": (c_char_p, [c_void_p, c_char_p]),
    "ernie_model_fingerprint": (c_char_p, [c_void_p]),
    "ernie_tokenize": (
        c_int,
        [c_void_p, c_char_p, c_char_p, c_size_t, POINTER(ernie_tokens), error_p],
    ),
    "ernie_tokens_reset": (None, [POINTER(ernie_tokens)]),
    "ernie_token": (c_char_p, [c_void_p, c_int32]),
    "ernie_chunk": (c_int, [c_void_p, c_char_p, POINTER(ernie_chunks), error_p]),
    "ernie_chunks_reset": (None, [POINTER(ernie_chunks)]),
    "ernie_encoder_new": (c_int, [c_void_p, c_size_t, POINTER(c_void_p), error_p]),
    "ernie_encoder_free": (None, [c_void_p]),
    "ernie_encode_with": (
        c_int,
        [
            c_void_p,
            c_size_t,
            POINTER(c_char_p),
            POINTER(ernie_encode_options),
            c_void_p,
            error_p,
        ],
    ),
    "ernie_cosine": (c_double, [c_size_t, POINTER(c_float), POINTER(c_float)]),
    "ernie_open": (c_int, [c_char_p, c_uint, c_void_p, POINTER(c_void_p), error_p]),
    "ernie_close": (None, [c_void_p]),
    "ernie_index": (
        c_int,
        [
            c_void_p,
            c_size_t,
            POINTER(c_char_p),
            POINTER(ernie_index_options),
            POINTER(ernie_index_report),
            error_p,
        ],
    ),
    "ernie_add_text": (c_int, [c_void_p, c_char_p, c_char_p, c_char_p, error_p]),
    "ernie_remove": (c_int, [c_void_p, c_char_p, POINTER(c_size_t), error_p]),
    "ernie_search": (
        c_int,
        [
            c_void_p,
            c_char_p,
            POINTER(ernie_search_options),
            POINTER(POINTER(ernie_hits)),
            error_p,
        ],
    ),
    "ernie_hits_free": (None, [POINTER(ernie_hits)]),
    "ernie_status": (c_int, [c_void_p, POINTER(ernie_status), error_p]),
    "ernie_verify": (c_int, [c_void_p, finding_fn, c_void_p, error_p]),
}


# ---- finding and loading it


def build_tree():
    """The build tree that this package lies in, or None."""
    top = Path(__file__).resolve().parents[2]
    return top if (top / "src" / "ernie.h").is_file() else None


def _candidates():
    here = Path(__file__).resolve().parent
    for name in ("libernie.so", "libernie.so.0"):
        yield here / name
    tree = build_tree()
    if tree is not None:
        yield tree / ".libs" / "libernie.so"


def _find():
    """What to give the loader."""
    given = os.environ.get("ERNIE_LIBRARY")
    if given:
        return given
    for path in _candidates():
        if path.is_file():
            return str(path)
    return ctypes.util.find_library("ernie") or "libernie.so.0"


def _load(path):
    try:
        library = ctypes.CDLL(path)
        library.ernie_version.restype = c_char_p
        version = library.ernie_version().decode()
    except (OSError, AttributeError) as error:
        raise ImportError(
            f"libernie cannot be loaded: {error}. Build ernie here, install it, or set"
            " ERNIE_LIBRARY to the path of libernie.so"
        ) from None
    if version != VERSION:
        raise ImportError(
            f"{path}: this is ernie {version}, and the Python package is for {VERSION}:"
            " install the package of the same version, or set ERNIE_LIBRARY"
        )
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name, None)
        if function is None:
            raise ImportError(f"{path}: has no {name}: not a whole ernie {VERSION}")
        function.restype = result
        function.argtypes = arguments
    return library


library_path = _find()
library = _load(library_path)
library_version = VERSION


def call(name, *arguments):
    """Calls a function whose last argument is the error; raises what it says."""
    error = ernie_error()
    code = getattr(library, name)(*arguments, ctypes.byref(error))
    if code != Code.OK:
        raise Error(code, error.message.decode("utf-8", "replace"))


def text_bytes(text, what="text"):
    """A text for the library. In C a text ends at a 0 byte, so that none may be in it."""
    if not isinstance(text, str):
        raise TypeError(f"{what}: a str, not {type(text).__name__}")
    if "\0" in text:
        raise Error(Code.EINVAL, f"{what}: holds a 0 character")
    # A lone surrogate becomes bytes that are not UTF-8, and the library reads U+FFFD.
    return text.encode("utf-8", "surrogatepass")


def path_bytes(path):
    path = os.fsencode(path)
    if b"\0" in path:
        raise Error(Code.EINVAL, "path: holds a 0 byte")
    return path


def text_array(texts):
    return (c_char_p * len(texts))(*texts)
