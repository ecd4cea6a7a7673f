"""The programs in examples/ and the snippets of docs/researchers.md run as they stand there."""

import pathlib
import re
import runpy
import sys

import pytest
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, small_config

from blob_zero.learning.loop import train

ROOT = pathlib.Path(__file__).parents[1]
PAGE = ROOT / "docs" / "researchers.md"
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)

EXAMPLES = {
    "residual_network": (["--iterations", "1", "--rounds", "200", "--deals", "3"], "and bids"),
    "random_rounds": (["--rounds", "50"], "rounds a minute in Python"),
    "numpy_evaluator": (["--deals", "5"], "with a search against rule"),
    "own_bot": (["--deals", "5"], "difference"),
    "own_network": (["--rounds", "100", "--epochs", "1", "--deals", "5"], "the network makes"),
}


def test_every_example_is_tested():
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs(name, monkeypatch, capsys):
    arguments, printed = EXAMPLES[name]
    path = ROOT / "examples" / f"{name}.py"
    monkeypatch.setattr(sys, "argv", [str(path), *arguments])
    monkeypatch.syspath_prepend(str(path.parent))  # as `python FILE` has it
    runpy.run_path(str(path), run_name="__main__")
    assert printed in capsys.readouterr().out


def test_the_snippets_for_researchers_run_in_order(monkeypatch, tmp_path, capsys):
    for package, extra in {"pettingzoo": "pettingzoo", "pyspiel": "openspiel", "onnxscript": "onnx"}.items():
        pytest.importorskip(package, reason=f"needs {package}: pip install 'blob-zero[{extra}]'")
    monkeypatch.chdir(tmp_path)
    run = pathlib.Path("runs/quick")
    train(small_config(), run, display=SilentDisplay(), device="cpu", worker=FakeWorker(), judge=FakeJudge())
    assert len(SNIPPETS) >= 7
    names = {}
    for snippet in SNIPPETS:
        exec(compile(snippet, str(PAGE), "exec"), names)
    assert "seat_3" in capsys.readouterr().out
    assert names["own"].shape == (20, 4)


@pytest.mark.parametrize("name", re.findall(r"\]\(([\w./]+)\)", PAGE.read_text(encoding="utf-8")))
def test_links_lead_somewhere(name):
    assert (PAGE.parent / name).exists()
