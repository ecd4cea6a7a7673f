from pathlib import Path

import polars as pl
import pytest

from blob_zero.errors import CheckpointError
from blob_zero.metrics.log import COLUMNS, MetricsLog, columns_markdown
from blob_zero.metrics.steps import STEP_COLUMNS


def test_the_document_defines_each_column_as_the_code_does():
    document = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    assert f"\n\n{columns_markdown(COLUMNS)}\n" in document
    assert document.endswith(f"\n\n{columns_markdown(STEP_COLUMNS)}")


def test_rows_are_appended_and_survive(tmp_path):
    path = tmp_path / "metrics.parquet"
    for iteration in (1, 2, 3):
        MetricsLog(path).append({"iteration": iteration, "policy_loss": 0.5 / iteration, "promoted": iteration > 1})
    frame = pl.read_parquet(path)
    assert frame.columns == [column.name for column in COLUMNS]
    assert frame["iteration"].to_list() == [1, 2, 3]
    assert frame["promoted"].to_list() == [False, True, True]
    assert frame["rule_low"].null_count() == 3


def test_iterations_that_were_not_committed_are_dropped(tmp_path):
    log = MetricsLog(tmp_path / "metrics.parquet")
    for iteration in (1, 2, 3):
        log.append({"iteration": iteration})
    log.keep_until(1)
    log.append({"iteration": 2, "rows": 7})
    assert pl.read_parquet(log.path)["iteration"].to_list() == [1, 2]
    assert pl.read_parquet(log.path)["rows"].to_list() == [None, 7]


def test_an_undefined_metric_is_refused(tmp_path):
    with pytest.raises(KeyError, match="mood"):
        MetricsLog(tmp_path / "metrics.parquet").append({"iteration": 1, "mood": 3})


def test_a_file_that_is_not_ours_is_named(tmp_path):
    path = tmp_path / "metrics.parquet"
    path.write_bytes(b"not parquet")
    with pytest.raises(CheckpointError, match=r"metrics\.parquet"):
        MetricsLog(path)
    pl.DataFrame({"other": [1]}).write_parquet(path)
    with pytest.raises(CheckpointError, match="other columns"):
        MetricsLog(path)


def test_a_file_of_a_version_with_fewer_columns_goes_on(tmp_path):
    log = MetricsLog(tmp_path / "metrics.parquet")
    log.append({"iteration": 1, "policy_loss": 0.5})
    log.frame.drop("ismcts_difference", "rating").write_parquet(log.path)
    again = MetricsLog(log.path)
    again.append({"iteration": 2, "ismcts_difference": 1.5})
    assert again.frame.columns == log.frame.columns
    assert again.frame["ismcts_difference"].to_list() == [None, 1.5]
    assert again.frame["policy_loss"].to_list() == [0.5, None]
