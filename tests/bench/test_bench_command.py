"""The files and the commands of `blob-zero bench`."""

import json
import subprocess
import sys

import polars as pl
import pytest
import torch

from blob_zero.bench import tables
from blob_zero.cli.main import main
from blob_zero.errors import ConfigError
from blob_zero.machine.facts import machine


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
def test_rows_are_written_with_what_they_share(tmp_path, suffix):
    path = tmp_path / f"rows.{suffix}"
    tables.write([{"a": 1, "b": None}, {"a": 2, "b": 0.5}], path, common={"machine.cpu": "x"})
    read = getattr(pl, f"read_{suffix}")(path)
    assert read["a"].to_list() == [1, 2]
    assert read["machine.cpu"].to_list() == ["x", "x"]


@pytest.mark.parametrize(("name", "words"), [("rows.txt", ".parquet, .csv, .json"), ("no/rows.csv", "no folder")])
def test_a_file_that_cannot_be_written_is_refused_first(tmp_path, name, words):
    with pytest.raises(ConfigError, match=words):
        tables.check_output(tmp_path / name)


def test_the_machine_is_told():
    here = machine()
    assert here["cores"] >= 1
    assert here["torch_version"] == torch.__version__.partition("+")[0] or "+" in str(here["torch_version"])
    assert here["memory_bytes"] > 1e8


def bench(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["blob-zero", "bench", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code, *capsys.readouterr()


PROMISED = {
    "rounds_per_min", "evaluations_per_s", "evaluations_per_simulation", "batch_fill_mean", "binding_limit",
    "limit_share", "peak_memory_bytes", "device", "settings",
}  # fmt: skip


def test_json_is_one_object_on_standard_output(monkeypatch, capsys, tmp_path):
    out = tmp_path / "row.parquet"
    arguments = "selfplay --evaluator null --cards 2 --search 1x4 --rounds 50 --threads 1 --batch-rows 8 --json"
    status, text, _ = bench(monkeypatch, capsys, *arguments.split(), "--out", str(out))
    assert status == 0
    row = json.loads(text)
    assert row.keys() >= PROMISED
    assert row["settings"]["cards"] == 2
    assert row["settings"]["simulations"] == 4
    written = pl.read_parquet(out).to_dicts()
    assert len(written) == 1
    assert written[0]["rounds_per_min"] == row["rounds_per_min"]
    assert written[0]["setting.cards"] == 2


def test_tables_are_for_people(monkeypatch, capsys):
    arguments = "selfplay --evaluator null --cards 2 --search 1x4 --rounds 50 --threads 1 --batch-rows 8"
    status, text, _ = bench(monkeypatch, capsys, *arguments.split())
    assert status == 0
    for words in ("rounds/min", "the limit that binds", "peak memory"):
        assert words in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("selfplay --players 9", "9 players"),
        ("selfplay --rounds 0", "rounds is 0"),
        ("selfplay --search 3-30", "such as 3x30"),
        ("selfplay --batch-rows 0", "batch_rows is 0"),
        ("selfplay --device cuda:99", "cuda:99"),
        ("selfplay --net nowhere", "nowhere"),
        ("search --threads 0", "threads is 0"),
        ("compare --level wide", "such as 3x30"),
        ("iteration --preset quik", "did you mean 'quick'?"),
        ("selfplay --evaluator null --out rows.txt", ".parquet, .csv, .json"),
    ],
)
def test_a_mistake_is_named(monkeypatch, capsys, arguments, words):
    status, _, err = bench(monkeypatch, capsys, *arguments.split())
    assert status == 2
    assert words in err


def test_without_a_network_torch_is_not_imported():
    """The memory of the core alone can be measured only so."""
    code = (
        "import sys; from blob_zero.bench.selfplay import *; from blob_zero.bench.settings import *;"
        "from blob_zero.cli.bench import app;"
        "bench_selfplay(PlaySettings(evaluator='null', rounds=20, batch_rows=8, cards=2));"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
