import sqlite3

import ernie
import pytest

can_load = hasattr(sqlite3.Connection, "enable_load_extension")


@pytest.mark.skipif(not can_load, reason="this Python's sqlite3 cannot load extensions")
def test_functions_and_tables_are_there(model):
    connection = sqlite3.connect(":memory:")
    ernie.load_extension(connection)
    (blob,) = connection.execute("SELECT ernie_embed('茶')").fetchone()
    assert len(blob) == 4 * model.dim
    rows = connection.execute("SELECT key FROM ernie_embed_each('[\"a\",\"b\"]')").fetchall()
    assert rows == [(0,), (1,)]
    with pytest.raises(sqlite3.OperationalError):  # loading is off again
        connection.execute("SELECT load_extension('x')")


@pytest.mark.skipif(not can_load, reason="this Python's sqlite3 cannot load extensions")
def test_an_extension_that_is_not_there(monkeypatch):
    monkeypatch.setenv("ERNIE_EXTENSION", "/nowhere/ernie.so")
    with pytest.raises(ernie.Error, match="ERNIE_EXTENSION"):
        ernie.load_extension(sqlite3.connect(":memory:"))


def test_a_python_that_cannot_load_is_told_what_can():
    class Connection:
        pass

    with pytest.raises(ernie.Error, match="ernie sql") as error:
        ernie.load_extension(Connection())
    assert "ernie.Database" in error.value.message
