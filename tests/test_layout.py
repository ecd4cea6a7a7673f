"""The folders of the package: each imports only those before it, so that a reader can follow the data one way."""

import ast
from pathlib import Path

import pytest

import blob_zero

PACKAGE = Path(blob_zero.__file__).parent

ORDER = (
    ("_core", "_startup", "errors", "machine", "seeds"),
    ("config", "model"),
    ("inference", "run"),
    ("selfplay", "metrics"),
    ("arena",),
    ("learning",),
    ("report", "doctor", "bench"),
    ("cli",),
)
"""Modules and folders of the package; each imports only what stands in a line above its own."""

LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}


def imported(path: Path) -> set[str]:
    """The modules and folders of the package that a file imports, wherever in the file that is."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            wholes = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "blob_zero" else []
            names |= {name.split(".")[1] for name in wholes or [node.module] if name.startswith("blob_zero.")}
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("blob_zero.")}
    return names


@pytest.mark.parametrize("folder", [name for names in ORDER[1:] for name in names])
def test_a_folder_imports_only_folders_before_it(folder):
    files = list((PACKAGE / folder).rglob("*.py"))
    assert files
    for path in files:
        wrong = sorted(name for name in imported(path) if name != folder and LEVEL[name] >= LEVEL[folder])
        assert not wrong, f"{path.relative_to(PACKAGE)} imports {', '.join(wrong)}"


def test_every_folder_has_its_place():
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} <= set(LEVEL)
