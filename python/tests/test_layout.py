"""The structs as ctypes has them against the compiler's, from ernie.h itself."""
import ctypes
import os
import re
import shutil
import subprocess

import pytest

from ernie import _library

CC = os.environ.get("CC", "cc").split()
STRUCTS = [
    value
    for name, value in vars(_library).items()
    if isinstance(value, type) and issubclass(value, ctypes.Structure) and name.startswith("ernie_")
]


@pytest.mark.skipif(shutil.which(CC[0]) is None, reason="no C compiler")
def test_structs_are_laid_out_as_in_ernie_h(top, tmp_path):
    lines = ['#include <stdio.h>', '#include "ernie.h"', "int main(void) {"]
    expected = []
    for struct in STRUCTS:
        # ernie_error is a typedef of its struct as well.
        tag = f"struct {struct.__name__}"
        lines.append(f'printf("{struct.__name__} %zu\\n", sizeof({tag}));')
        expected.append(f"{struct.__name__} {ctypes.sizeof(struct)}")
        for field, *_ in struct._fields_:
            lines.append(
                f'printf("{struct.__name__}.{field} %zu %zu\\n", offsetof({tag}, {field}),'
                f" sizeof((({tag} *)0)->{field}));"
            )
            descriptor = getattr(struct, field)
            expected.append(f"{struct.__name__}.{field} {descriptor.offset} {descriptor.size}")
    lines.append("}")
    source, program = tmp_path / "layout.c", tmp_path / "layout"
    source.write_text("\n".join(lines))
    subprocess.run([*CC, "-I", top / "src", "-o", program, source], check=True)
    output = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    assert output.splitlines() == expected
    assert len(STRUCTS) >= 10


def test_codes_are_those_of_ernie_h(top):
    header = (top / "src" / "ernie.h").read_text()
    block = header[header.index("ERNIE_OK = 0") :].split("}", 1)[0]
    names = re.findall(r"^ *ERNIE_(\w+)", "    " + block, re.M)
    assert names == [code.name for code in _library.Code]
