"""The sizes that are chosen where none are given."""

import pytest

from blob_zero import _core
from blob_zero.config.search_options import SearchOptions
from blob_zero.selfplay.sizes import auto_batch_rows, batches_in_flight


@pytest.mark.parametrize(
    ("leaves", "rows"),
    [(10**6, 2048), (10_240, 2048), (10_239, 1984), (2400, 448), (640, 128), (639, 128), (1, 128)],
)
def test_a_cpu_takes_as_many_rows_as_the_rounds_can_fill(leaves, rows):
    assert auto_batch_rows("cpu", workers=2, leaves=leaves) == rows


def test_more_threads_share_the_leaves():
    assert auto_batch_rows("cpu", workers=16, leaves=19 * 640) == 640


@pytest.mark.parametrize("leaves", [100, 10**6])
def test_a_gpu_always_takes_the_same_since_each_number_is_compiled(leaves):
    assert auto_batch_rows("cuda", workers=2, leaves=leaves) == 4096


@pytest.mark.parametrize("workers", [1, 2, 5, 16])
def test_the_core_has_the_same_rule_for_batches_in_flight(workers):
    agent = SearchOptions(worlds=4, simulations=8).spec(0)
    plan = _core.Plan(
        agents=[agent], rounds=10, seed=1, players=4, cards=5, threads=1, batch_rows=1024, evaluator_threads=workers
    )
    assert plan.rounds_in_flight == batches_in_flight(workers) * 1024 // 4
    assert plan.worker_threads == 1
