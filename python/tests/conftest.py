import os
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
# The package of this tree, not one that is installed.
sys.path.insert(0, str(TOP / "python"))
os.environ["ERNIE_MODEL"] = str(TOP / "models" / "ernie-micro-zh-en")


@pytest.fixture(scope="session")
def top():
    return TOP


@pytest.fixture(scope="session")
def program():
    """The command line of the same build."""
    return os.environ.get("ERNIE_PROGRAM", str(TOP / "ernie"))


@pytest.fixture(scope="session")
def model():
    import ernie

    with ernie.Model(threads=2) as model:
        yield model
