"""Models: text to tokens, chunks and embeddings."""

import ctypes
import os
import threading
from ctypes import byref, c_float, c_void_p
from dataclasses import dataclass

from . import _library
from ._library import Code, Error, call, library, path_bytes, text_array, text_bytes

try:
    import numpy
except ImportError:
    numpy = None

# Texts in one call of the library, which ^C cannot stop in the middle.
_SLICE = 512


@dataclass(frozen=True)
class Tokens:
    """What a model reads of a text, as Hugging Face's tokenizers name it."""

    input_ids: list
    token_type_ids: list
    attention_mask: list
    tokens: list  # the vocabulary's words


@dataclass(frozen=True)
class Chunk:
    """A piece of a text as indexing cuts it; start and end count bytes of its UTF-8."""

    start: int
    end: int
    n_tokens: int
    text: str


class Model:
    """A model and its encoder.

    directory: a Hugging Face or sentence-transformers directory; None is the default model.
    threads: how many share the texts of one call; 0 is one a core.

    Threads may share a Model; they encode one after another.
    """

    def __init__(self, directory=None, threads=0):
        self._handle = None
        self._encoder = None
        self._lock = threading.Lock()
        self._n_users = 0  # databases that borrow it
        self._is_closed = False
        self._threads = _count("threads", threads)
        handle = c_void_p()
        call(
            "ernie_model_open",
            None if directory is None else path_bytes(directory),
            byref(handle),
        )
        self._handle = handle

    # ---- what it is

    @property
    def dim(self):
        """Numbers of an embedding."""
        return library.ernie_model_dim(self._open())

    @property
    def max_tokens(self):
        """Tokens that it reads of a text, [CLS] and [SEP] included."""
        return library.ernie_model_max_tokens(self._open())

    @property
    def directory(self):
        return os.fsdecode(library.ernie_model_directory(self._open()))

    @property
    def fingerprint(self):
        """32 hexadecimal digits: models with the same give the same embeddings."""
        return library.ernie_model_fingerprint(self._open()).decode()

    def prompt(self, name):
        """What the model wants put before a text of a kind ("query", "passage"), or None."""
        prompt = library.ernie_model_prompt(self._open(), text_bytes(name, "prompt"))
        return None if prompt is None else prompt.decode("utf-8", "replace")

    # ---- what it does

    def encode(self, texts, prompt=None, dim=None):
        """The embeddings of texts, of length 1, so that a dot product is a cosine.

        texts: one text or several. prompt: the name of a prompt of the model's to put before
        each. dim: how many numbers to keep of each, scaled to length 1 again; for models
        trained so.

        Gives a numpy array of float32, [dim] for one text and [n, dim] for several; lists of
        floats where there is no numpy.
        """
        is_one = isinstance(texts, str)
        encoded = [text_bytes(text) for text in ([texts] if is_one else texts)]
        options = _library.ernie_encode_options()
        options.dim = self.dim if dim is None else _count("dim", dim, least=1)
        if prompt is not None:
            options.prompt = library.ernie_model_prompt(self._open(), text_bytes(prompt, "prompt"))
            if options.prompt is None:
                raise Error(Code.EINVAL, f"encode: the model has no prompt {prompt!r}")
        if options.dim > self.dim:
            raise Error(Code.EINVAL, f"encode: dim is more than the model's {self.dim}")
        floats = self._encode(encoded, options)
        if numpy is not None:
            array = numpy.frombuffer(floats, numpy.float32).reshape(len(encoded), options.dim)
            return array[0] if is_one else array
        rows = [
            list(floats[i * options.dim : (i + 1) * options.dim]) for i in range(len(encoded))
        ]
        return rows[0] if is_one else rows

    def similarity(self, a, b):
        """The cosine of two texts or vectors, in any mixture."""
        a, b = (self.encode(x) if isinstance(x, str) else x for x in (a, b))
        if len(a) != len(b):
            raise Error(Code.EINVAL, f"similarity: vectors of {len(a)} and {len(b)} numbers")
        array = c_float * len(a)
        return library.ernie_cosine(len(a), array(*map(float, a)), array(*map(float, b)))

    def tokenize(self, text, pair=None, max_tokens=0):
        """The tokens of a text, and of a second one as token type 1. max_tokens 0 keeps all."""
        tokens = _library.ernie_tokens()
        handle = self._open()
        call(
            "ernie_tokenize",
            handle,
            text_bytes(text),
            None if pair is None else text_bytes(pair, "pair"),
            _count("max_tokens", max_tokens),
            byref(tokens),
        )
        try:
            ids = tokens.input_ids[: tokens.n]
            words = (library.ernie_token(handle, i) for i in ids)
            return Tokens(
                ids,
                tokens.token_type_ids[: tokens.n],
                tokens.attention_mask[: tokens.n],
                [None if word is None else word.decode("utf-8", "replace") for word in words],
            )
        finally:
            library.ernie_tokens_reset(byref(tokens))

    def chunks(self, text):
        """Where indexing cuts a plain text: a list of Chunk."""
        chunks = _library.ernie_chunks()
        call("ernie_chunk", self._open(), text_bytes(text), byref(chunks))
        try:
            whole = ctypes.string_at(chunks.text, chunks.size)
            return [
                Chunk(c.start, c.end, c.n_tokens, whole[c.start : c.end].decode())
                for c in chunks.chunk[: chunks.n]
            ]
        finally:
            library.ernie_chunks_reset(byref(chunks))

    def close(self):
        """Releases the model, once the databases that use it are closed, too."""
        with self._lock:
            self._is_closed = True
            self._release()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __del__(self):
        if getattr(self, "_handle", None) is not None and library is not None:
            self._is_closed, self._n_users = True, 0
            self._release()

    # ---- inside

    def _open(self):
        if self._is_closed:
            raise Error(Code.EINVAL, "model: it is closed")
        return self._handle

    def _borrow(self):
        with self._lock:
            handle = self._open()
            self._n_users += 1
            return handle

    def _give_back(self):
        with self._lock:
            self._n_users -= 1
            self._release()

    def _release(self):
        if not self._is_closed or self._n_users > 0:
            return
        library.ernie_encoder_free(self._encoder)
        library.ernie_model_close(self._handle)
        self._encoder = self._handle = None

    def _encode(self, texts, options):
        """The embeddings of all texts in one array of floats."""
        floats = (c_float * (len(texts) * options.dim))()
        for i in range(0, len(texts), _SLICE):
            part = texts[i : i + _SLICE]
            with self._lock:
                self._open()
                if self._encoder is None:
                    encoder = c_void_p()
                    call("ernie_encoder_new", self._handle, self._threads, byref(encoder))
                    self._encoder = encoder
                call(
                    "ernie_encode_with",
                    self._encoder,
                    len(part),
                    text_array(part),
                    byref(options),
                    ctypes.byref(floats, i * options.dim * ctypes.sizeof(c_float)),
                )
        return floats


def _count(name, value, least=0):
    """A number for a size_t, which ctypes would cut to its bits."""
    if not isinstance(value, int) or value < least or value > 2**31:
        raise Error(Code.EINVAL, f"{name}: {value!r} is not a number of {least} or more")
    return value
