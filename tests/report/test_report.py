import html
import importlib.util
import re
import shutil
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay, small_config

from blob_zero.errors import BlobError, CheckpointError
from blob_zero.learning.loop import train
from blob_zero.metrics.calibration import CHANCE_BINS, calibration, chance_of_bid
from blob_zero.report import charts, drawing, page, write_report
from blob_zero.report.calibration import held_out_calibration
from blob_zero.report.captions import captioned_charts
from blob_zero.run.checkpoint import latest_checkpoint

PNG = b"\x89PNG"


def measured(iterations: int, **columns) -> pl.DataFrame:
    """Metrics of `iterations` iterations; a column is one number for all of them, or a list."""
    return pl.DataFrame(
        {name: value if isinstance(value, list) else [value] * iterations for name, value in columns.items()},
        schema_overrides={"batch_fill": pl.Float64},
    ).with_columns(pl.int_range(1, iterations + 1).alias("iteration"))


def against(name: str, difference: float) -> dict[str, float]:
    return {f"{name}_difference": difference, f"{name}_low": difference - 0.5, f"{name}_high": difference + 0.5}


def test_a_run_becomes_one_page_with_its_charts_in_it_and_beside_it(tmp_path):
    run = tmp_path / "run<1>"
    config = small_config(promotion={"enabled": True})
    train(config, run, display=SilentDisplay(), device="cpu", worker=FakeWorker(), judge=FakeJudge())
    path = write_report(run, tmp_path / "out")
    text = path.read_text()
    charts = {"strength", "losses", "promotion", "ratings", "value_calibration", "bid_calibration", "speed"}
    assert {file.stem for file in path.parent.glob("*.png")} == charts
    assert all(file.read_bytes().startswith(PNG) for file in path.parent.glob("*.png"))
    assert text.count("data:image/png;base64,") == len(charts)
    assert "Run run&lt;1&gt;" in text
    assert "3 of 3 iterations, 30 rounds" in text
    assert "<td>+1.00</td><td>+0.50 to +1.50</td><td>22</td>" in text
    assert "://" not in text  # base64 has no colon
    assert write_report(run).parent == run / "report"


def test_what_was_not_measured_has_no_chart(tmp_path):
    train(small_config(), tmp_path, display=SilentDisplay(), device="cpu", worker=FakeWorker(), judge=FakeJudge())
    assert 'id="promotion"' not in write_report(tmp_path).read_text()


@pytest.fixture(scope="module")
def without_search(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "run"
    config = small_config(
        game={"players": 3, "cards": 3},
        selfplay={"agent": "policy", "rounds": 100, "batch_rows": 64},
        network={"kind": "outcome", "width": 16, "layers": 1},
        training={"batch_size": 64, "replay_rows": 2500},
        evaluation={"every": 3, "deals": 4, "final_deals": 4, "opponents": ["rollout:1x4"]},
    )
    train(config, folder, display=SilentDisplay(), device="cpu")
    return folder


def test_the_page_of_a_run_without_search_shows_what_it_learns(without_search, tmp_path):
    path = write_report(without_search, tmp_path)
    text = path.read_text()
    shown = {"strength", "losses", "selfplay", "ratings", "value_calibration", "bid_calibration", "speed"}
    assert {file.stem for file in tmp_path.glob("*.png")} == shown
    assert "3 players, 3 cards, without search" in text
    words = re.sub('base64,[^"]*', "", text.partition("Settings of the run")[0])
    for word in ("the run's search", "visits", "x30", "playouts may judge", "policy loss"):
        assert word not in html.unescape(words)
    assert "a search with random playouts" in words
    assert "points a seat and round in self-play" in words


def test_calibration_of_chances_is_that_of_the_runs_own_metrics(without_search, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(without_search, run)
    checkpoint, _ = latest_checkpoint(run / "checkpoints")
    found = held_out_calibration(run, checkpoint)
    last = pl.read_parquet(run / "metrics.parquet").row(-1, named=True)
    assert found.rows == last["held_out_rows"] > 50
    assert found.bids.error == pytest.approx(last["held_out_bid_calibration"], abs=1e-6)

    # A damaged file costs its rounds alone.
    (run / "replay" / "000002.safetensors").write_bytes(b"")
    assert 0 < held_out_calibration(run, checkpoint).rows < found.rows
    for file in (run / "replay").iterdir():
        file.unlink()
    assert held_out_calibration(run, checkpoint) is None


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"has no metrics\.parquet"):
        write_report(tmp_path)


def test_a_missing_matplotlib_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(
        page, "find_spec", lambda name: None if name == "matplotlib" else importlib.util.find_spec(name)
    )
    with pytest.raises(BlobError, match=r"pip install 'blob-zero\[report\]'"):
        write_report(tmp_path)


def test_calibration_of_predictions_that_come_true_and_of_some_that_do_not():
    rng = np.random.default_rng(0)
    chance = rng.uniform(0, 1, 200_000)
    made = (rng.random(len(chance)) < chance).astype(float)
    assert calibration(chance, made, CHANCE_BINS).error < 0.01
    assert calibration(np.minimum(1, chance + 0.2), made, CHANCE_BINS).error > 0.15
    few = calibration(np.full(5, 0.05), np.ones(5), CHANCE_BINS)
    assert few.counts.sum() == 5
    assert np.isnan(few.predicted).all()


def test_the_chance_of_a_bid_is_its_expected_score_over_the_score_of_the_bid_made():
    features = np.zeros((3, 256), np.uint8)
    features[:, 229] = 5
    features[:, 185] = [1, 3, 3]  # bids of 0, 2 and 2
    scores = np.array([10.0, 12.0, 0.0])
    assert chance_of_bid(2 * scores / 15 - 1, features) == pytest.approx([1, 1, 0])


@pytest.mark.parametrize("iterations", [1, 8, 300])
def test_names_of_opponents_stand_apart_and_within_the_figure(iterations):
    figure = charts.strength(
        measured(iterations, **against("untrained", 1.0), **against("random", 1.01), **against("rule", 0.99))
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    names = sorted(figure.axes[0].texts, key=lambda text: text.get_window_extent().y0)
    assert [name.get_text() for name in names] == ["rule", "untrained", "random"]
    boxes = [name.get_window_extent() for name in names]
    assert all(lower.y1 <= upper.y0 for lower, upper in pairwise(boxes))
    assert all(figure.axes[0].bbox.x1 < box.x0 < box.x1 <= figure.bbox.x1 for box in boxes)


def test_names_that_are_apart_stay_where_they_are_and_others_move_as_a_group():
    assert drawing.apart(np.array([0.0, 2.0, 7.0]), 1.5) == pytest.approx([0, 2, 7])
    assert drawing.apart(np.array([1.0, 1.0, 1.0, 9.0]), 2.0) == pytest.approx([-1, 1, 3, 9])
    assert drawing.apart(np.array([0.0, 3.0, 3.0]), 2.0) == pytest.approx([0, 2, 4])


@pytest.mark.parametrize("iterations", [8, 300])
def test_a_rating_has_its_interval(iterations):
    (axes,) = charts.ratings(measured(iterations, rating=100.0, rating_sigma=50.0)).axes
    assert axes.dataLim.y0 == pytest.approx(2)
    assert axes.dataLim.y1 == pytest.approx(198)


def test_iterations_by_playouts_do_not_press_the_others_flat():
    frame = measured(
        4, rounds_per_minute=[170_000.0, 150_000.0, 20_000.0, 22_000.0], batch_fill=[None, None, 0.9, 0.95]
    )
    rounds, fill = charts.speed(frame).axes
    assert 22_000 < rounds.get_ylim()[1] < 30_000
    (playouts,) = (line for line in rounds.lines if line.get_label().startswith("playouts"))
    assert playouts.get_label() == "playouts, off the scale: up to 170,000"
    assert 22_000 < max(playouts.get_ydata()) < rounds.get_ylim()[1]
    assert list(fill.lines[0].get_xdata()) == [3, 4]
    (only, _) = charts.speed(frame.head(2)).axes
    assert only.get_ylim()[1] > 170_000


def test_the_page_names_trainings_that_were_undone():
    frame = measured(3, policy_loss=1.0, training_undone=[False, True, False])
    captions = {chart.name: chart.caption for chart in captioned_charts(frame, None, blended=0.0, has_bid_chances=True)}
    assert "Training in iteration 2 was undone" in captions["losses"]
