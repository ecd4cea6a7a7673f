import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.training_fakes import FakeRows, random_rows

from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.learning.replay import ReplayRing

NAMES = ("features", "legal", "policy", "values")


def numbered(start: int, count: int) -> FakeRows:
    """Rows that can be told apart: their number stands in the first value."""
    rows = random_rows(np.random.default_rng(start), count)
    rows.values[:, 0] = np.arange(start, start + count)
    return rows


def batches(ring, seed, size) -> list[list[int]]:
    """Numbers of the rows in each minibatch of an epoch."""
    values = ring.columns()["values"]
    return [[int(x) for x in values[slots, 0]] for slots in ring.epoch(np.random.default_rng(seed), size)]


@given(st.integers(1, 20), st.lists(st.integers(0, 30), max_size=8))
def test_keeps_the_newest_rows(capacity, counts):
    ring, start = ReplayRing(capacity), 0
    for count in counts:
        ring.append(numbered(start, count))
        start += count
    assert len(ring) == min(start, capacity)
    held = sorted(n for batch in batches(ring, 0, 1) for n in batch)
    assert held == list(range(max(0, start - capacity), start))


def test_rows_stay_whole():
    rows, ring = numbered(0, 50), ReplayRing(50)
    ring.append(rows)
    ring.append(numbered(50, 20))
    columns = ring.columns()
    for slot in range(20, 50):
        for name in NAMES:
            np.testing.assert_array_equal(columns[name][slot], getattr(rows, name)[int(columns["values"][slot, 0])])


def test_an_epoch_is_equal_batches_in_an_order_of_the_generators():
    ring = ReplayRing(100)
    ring.append(numbered(0, 100))

    epoch = batches(ring, 1, 30)
    assert [len(batch) for batch in epoch] == [30, 30, 30]
    assert len({n for batch in epoch for n in batch}) == 90
    assert batches(ring, 1, 30) == epoch
    assert batches(ring, 2, 30) != epoch


def test_fewer_rows_than_a_batch_are_one_smaller_batch():
    ring = ReplayRing(100)
    ring.append(numbered(0, 7))
    assert [len(batch) for batch in batches(ring, 0, 30)] == [7]


def test_an_empty_ring_gives_nothing():
    ring = ReplayRing(5)
    assert batches(ring, 0, 2) == []


@pytest.mark.parametrize("appended", [3, 14])
def test_a_restored_ring_goes_on_alike(appended):
    ring, other = ReplayRing(10), ReplayRing(10)
    ring.append(numbered(0, appended))
    other.load_state({name: column.copy() for name, column in ring.state().items()})
    for each in (ring, other):
        each.append(numbered(100, 4))
    for name, column in ring.state().items():
        np.testing.assert_array_equal(other.state()[name], column)


def test_a_state_that_does_not_fit_is_refused():
    ring = ReplayRing(10)
    ring.append(numbered(0, 10))
    state = ring.state()
    with pytest.raises(CheckpointError, match="up to 9"):
        ReplayRing(9).load_state(state)
    with pytest.raises(CheckpointError, match="lacks policy"):
        ReplayRing(10).load_state({name: column for name, column in state.items() if name != "policy"})
    with pytest.raises(CheckpointError, match="legal"):
        ReplayRing(10).load_state(state | {"legal": state["legal"][:5]})


def test_a_ring_needs_room():
    with pytest.raises(ConfigError, match="capacity 0"):
        ReplayRing(0)


def test_values_can_be_a_mixture_with_what_the_search_expected():
    rows = random_rows(np.random.default_rng(0), 10)
    for weight, expected in ((0.0, rows.values), (1.0, rows.root_values), (0.25, 0.875 * rows.values)):
        ring = ReplayRing(20)
        ring.append(rows, root_value_weight=weight)
        np.testing.assert_allclose(ring.state()["values"], expected, atol=1e-6)
