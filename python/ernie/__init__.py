"""Search documents by meaning, in Chinese and English, offline.

    with ernie.Database("notes.db") as database:
        database.index(["~/Documents"])
        for hit in database.search("人工智能"):
            print(f"{hit.score:.3f}", hit.path, hit.snippet)

    model = ernie.Model()
    vectors = model.encode(["人工智能的发展", "深度学习推动AI进步"])

The work is done by libernie, called through ctypes: there is nothing to compile. It is
looked for as $ERNIE_LIBRARY says, else beside this package, in the build tree the package
lies in, and where the system's loader looks.
"""

from ._library import Code, Error, library_path, library_version
from ._model import Chunk, Model, Tokens
from ._database import Database, Hit, Place, Progress, Report, Stage, Status
from ._sqlite import extension_path, load_extension

__version__ = library_version

__all__ = [
    "Chunk",
    "Code",
    "Database",
    "Error",
    "Hit",
    "Model",
    "Place",
    "Progress",
    "Report",
    "Stage",
    "Status",
    "Tokens",
    "extension_path",
    "library_path",
    "library_version",
    "load_extension",
]
