"""A run that learns from play without search: bit-exact however it is cut and threaded, and it learns."""

from dataclasses import asdict, replace

import polars as pl
import pytest
from support.run_equality import assert_same_end
from support.stopping_worker import StoppingWorker
from support.training_fakes import SilentDisplay

from blob_zero.config.load import parse_config
from blob_zero.errors import ConfigError
from blob_zero.learning.loop import train
from blob_zero.run.checkpoint import latest_checkpoint, save_checkpoint
from blob_zero.run.replay_files import read_replay_file, replay_files, write_replay_file

SETTINGS = {
    "run": {"iterations": 4, "keep_checkpoints": 2, "torch_threads": 1},
    "game": {"shapes": [{"players": [3, 4], "cards": [2, 3]}], "players": 3, "cards": 3},
    "selfplay": {"agent": "policy", "rounds": 120, "batch_rows": 64, "carry_over": 40, "rounds_in_flight": 60},
    "network": {"kind": "outcome", "width": 32, "layers": 2},
    "training": {"batch_size": 64, "replay_rows": 3000, "learning_rate": 5e-3},
    "evaluation": {"every": 4, "deals": 10, "final_deals": 10, "opponents": ["random"]},
    "promotion": {"enabled": False},
}


def settings(**sections):
    return parse_config({**SETTINGS, **{k: {**SETTINGS[k], **v} for k, v in sections.items()}}, source="test")


def run(folder, *, worker=None, **sections):
    return train(settings(**sections), folder, display=SilentDisplay(), device="cpu", worker=worker)


def test_a_run_that_was_stopped_ends_with_the_same_bytes(tmp_path):
    run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", worker=StoppingWorker(settings(), calls=2))
    run(tmp_path / "stopped")
    assert_same_end(tmp_path / "whole", tmp_path / "stopped")


@pytest.mark.parametrize("damage", ["missing", "changed", "no rounds"])
def test_rounds_that_are_damaged_are_named_and_cost_nothing_else(tmp_path, damage):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, worker=StoppingWorker(settings(), calls=2))
    path = tmp_path / "replay" / "000001.safetensors"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "changed":
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    else:
        # Whole by its hash, and not to be played: as another version might write it.
        checkpoint, _ = latest_checkpoint(tmp_path / "checkpoints")
        columns = read_replay_file(tmp_path, replay_files(checkpoint)[0])
        columns["hands"][0] = 0
        path.unlink()
        file = write_replay_file(tmp_path, 1, columns, rows=checkpoint.state["replay"][0]["rows"])
        named = [asdict(file), *checkpoint.state["replay"][1:]]
        save_checkpoint(tmp_path / "checkpoints", replace(checkpoint, state={**checkpoint.state, "replay": named}))
    display = SilentDisplay()
    train(settings(), tmp_path, display=display, device="cpu")
    frame = pl.read_parquet(tmp_path / "metrics.parquet")
    (line,) = [line for line in display.messages if "000001.safetensors" in line]
    assert f"going on without its {frame['rows'][0]:,} rows" in line
    assert frame["replay_rows"][1] == frame["rows"][0] + frame["rows"][1]
    assert frame["replay_rows"][2] == frame["rows"][1] + frame["rows"][2]
    assert frame["training_undone"].to_list() == [False] * 4


@pytest.mark.parametrize("threads", [1, 8])
def test_threads_change_no_byte(tmp_path, threads):
    run(tmp_path / "a", selfplay={"threads": 2})
    run(tmp_path / "b", selfplay={"threads": threads, "rounds_in_flight": 100})
    a, b = (pl.read_parquet(tmp_path / name / "metrics.parquet") for name in "ab")
    for column in ("make_loss", "tricks_loss", "held_out_make_loss", "selfplay_points", "random_difference", "rows"):
        assert a[column].to_list() == b[column].to_list(), column
    replay = [sorted((tmp_path / name / "replay").iterdir()) for name in "ab"]
    assert [path.read_bytes() for path in replay[0]] == [path.read_bytes() for path in replay[1]]


def test_it_learns_to_make_its_bids(tmp_path):
    (against_random,) = run(
        tmp_path,
        run={"iterations": 8},
        selfplay={"rounds": 400},
        training={"epochs": 4, "replay_rows": 20_000},  # a thousand held-out decisions
        evaluation={"final_deals": 100},
    )
    frame = pl.read_parquet(tmp_path / "metrics.parquet")
    assert frame["selfplay_points"][-1] > frame["selfplay_points"][0] + 0.5
    assert frame["held_out_bid_explained"][-1] > 0.05
    assert frame["held_out_bid_calibration"][-1] < 0.15
    assert against_random.match.low > 0
    assert frame["policy_loss"].is_null().all()
    assert frame["policy_entropy"][-1] < frame["policy_entropy"][0]


def test_agent_and_network_belong_together():
    with pytest.raises(ConfigError, match=r"network\.kind is blobnet"):
        settings(network={"kind": "blobnet", "width": 32})
    with pytest.raises(ConfigError, match=r"selfplay\.agent = search learns with blobnet"):
        settings(selfplay={"agent": "search"})
    with pytest.raises(ConfigError, match="width and layers alone"):
        settings(network={"heads": 2})
    with pytest.raises(ConfigError, match="playout_iterations"):
        settings(selfplay={"playout_iterations": 1})
    with pytest.raises(ConfigError, match=r"selfplay\.temperature is 0\.5"):
        settings(selfplay={"temperature": 0.5})
