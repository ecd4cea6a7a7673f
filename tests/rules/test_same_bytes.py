"""Same seed, same bytes, on every machine: what the built library takes from the system."""

import pathlib
import re

import pytest
from support.dynamic_symbols import imported_symbols

from blob_zero import _core

# Functions of the C mathematics library whose last bits differ between systems. `sqrt`, `fma` and `floor` are exact.
INEXACT = re.compile(
    r"(exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|cbrt|hypot|sin|cos|tan|sincos|asin|acos|atan|atan2|sinh|cosh|tanh"
    r"|asinh|acosh|atanh|erf|erfc|tgamma|lgamma|lgamma_r)[fl]?"
)


def test_the_library_computes_without_the_systems_mathematics():
    library = pathlib.Path(_core.__file__)
    if library.read_bytes()[:4] != b"\x7fELF":
        pytest.skip(f"{library.name} is no ELF library; its imports are read on Linux")
    imported = imported_symbols(library)
    assert "PyErr_CheckSignals" in imported, "the symbols were read"
    assert [name for name in sorted(imported) if INEXACT.fullmatch(name)] == []
