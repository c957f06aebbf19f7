"""ernie.so in a connection of Python's own sqlite3."""

import os
import sqlite3
import sys
from pathlib import Path

from ._library import Code, Error, build_tree, library_path


def extension_path():
    """Where ernie.so is: $ERNIE_EXTENSION, beside this package, in the build tree, or beside
    libernie."""
    given = os.environ.get("ERNIE_EXTENSION")
    if given:
        return given
    candidates = [Path(__file__).resolve().parent / "ernie.so"]
    tree = build_tree()
    if tree is not None:
        candidates.append(tree / ".libs" / "ernie.so")
    if os.path.isabs(library_path):
        candidates.append(Path(library_path).parent / "ernie.so")
    for path in candidates:
        if path.is_file():
            return str(path)
    return "ernie"  # SQLite adds .so, and the loader looks where it looks


def load_extension(connection):
    """Adds ernie_search, ernie_embed and the other functions and tables to a connection of
    sqlite3. Loading is allowed for this one call only."""
    if not hasattr(connection, "enable_load_extension"):
        raise Error(
            Code.EINVAL,
            f"load_extension: the sqlite3 of {sys.executable} is built without extension"
            " loading; use ernie.Database, the prompt `ernie sql`, or another Python (on"
            " Debian /usr/bin/python3; with pyenv build with"
            " PYTHON_CONFIGURE_OPTS=--enable-loadable-sqlite-extensions)",
        )
    path = extension_path()
    connection.enable_load_extension(True)
    try:
        connection.load_extension(path)
    except sqlite3.OperationalError as error:
        raise Error(
            Code.ENOTFOUND,
            f"{path}: {error}; build or install ernie, or set ERNIE_EXTENSION",
        ) from None
    finally:
        connection.enable_load_extension(False)
