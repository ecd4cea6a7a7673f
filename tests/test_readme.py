"""The Python of the README runs as it stands there."""

import pathlib
import re

import pytest
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, small_config

from blob_zero.learning.loop import train

README = pathlib.Path(__file__).parents[1] / "README.md"
SNIPPETS = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_snippets_run_in_order(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = pathlib.Path("runs/quick")
    train(small_config(), run, display=SilentDisplay(), device="cpu", worker=FakeWorker(), judge=FakeJudge())
    assert len(SNIPPETS) >= 4
    names = {}
    for snippet in SNIPPETS:
        exec(compile(snippet, str(README), "exec"), names)
    printed = capsys.readouterr().out
    assert "rule_difference" in printed
    assert "12 AS" in printed
    assert "[0, 1, 2, 3, 4, 5]" in printed


@pytest.mark.parametrize("name", re.findall(r"\]\(([\w./]+)\)", README.read_text(encoding="utf-8")))
def test_links_lead_somewhere(name):
    assert (README.parent / name).exists()
