"""The map for newcomers names every folder and paths that exist, and its order is the order of imports."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "python" / "blob_zero"
MAP = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Map")[2].partition("## Rules")[0]
LAYOUT = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Layout")[2]


def names(text: str) -> list[str]:
    """Paths in backquotes, without code such as `make test`."""
    return [name for name in re.findall(r"`([\w./]+)`", text) if "/" in name or (PACKAGE / name).exists()]


@pytest.mark.parametrize("name", sorted(set(names(MAP) + names(LAYOUT))))
def test_paths_exist(name):
    assert (ROOT / name).exists() or (PACKAGE / name).exists()


def test_every_folder_of_the_package_has_a_line():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders <= set(re.findall(r"`(\w+)`", MAP))


def test_folders_of_the_search_crate_use_only_those_above_them_in_the_map():
    sources = ROOT / "crates" / "blob_mcts" / "src"
    order = re.findall(r"`crates/blob_mcts/src/(\w+)`", MAP)
    assert set(order) == {path.name for path in sources.iterdir() if path.is_dir()}
    backward = [
        f"{path.relative_to(sources)} uses {name}"
        for path in sorted(sources.glob("*/*.rs"))
        for name in re.findall(r"\bcrate::(\w+)::", path.read_text(encoding="utf-8"))
        if name in order and order.index(name) > order.index(path.parent.name)
    ]
    assert backward == []


def test_folders_import_only_from_those_above_them_in_the_map():
    order = [name for line in MAP.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line)]
    place = {name: index for index, name in enumerate(order)}
    backward = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in sorted(PACKAGE.glob("*/*.py"))
        for name in re.findall(r"from blob_zero\.(\w+)", path.read_text(encoding="utf-8"))
        if place.get(name, -1) > place[path.parent.name]
    ]
    assert backward == []
