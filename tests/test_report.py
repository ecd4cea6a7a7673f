import importlib.util

import numpy as np
import pytest
from training_fakes import FakeJudge, FakePlayer, SilentDisplay, small_config

from blob_zero.errors import BlobError, CheckpointError
from blob_zero.report import page, write_report
from blob_zero.report.calibration import CHANCE_BINS, _chance_of_bid, calibration
from blob_zero.training import train

PNG = b"\x89PNG"


def test_a_run_becomes_one_page_with_its_charts_in_it_and_beside_it(tmp_path):
    run = tmp_path / "run<1>"
    config = small_config(promotion={"enabled": True})
    train(config, run, display=SilentDisplay(), device="cpu", player=FakePlayer(), judge=FakeJudge())
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
    train(small_config(), tmp_path, display=SilentDisplay(), device="cpu", player=FakePlayer(), judge=FakeJudge())
    assert 'id="promotion"' not in write_report(tmp_path).read_text()


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"has no metrics\.parquet"):
        write_report(tmp_path)


def test_a_missing_matplotlib_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(
        page, "find_spec", lambda name: None if name == "matplotlib" else importlib.util.find_spec(name)
    )
    with pytest.raises(BlobError, match=r"pip install blob-zero\[report\]"):
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
    assert _chance_of_bid(2 * scores / 15 - 1, features) == pytest.approx([1, 1, 0])
