import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.training_fakes import FakeRows, random_rows

from blob_zero.errors import CheckpointError, ConfigError
from blob_zero.learning.replay import ReplayRing, check_columns, columns_of

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
        ring.append(columns_of(numbered(start, count)))
        start += count
    assert len(ring) == min(start, capacity)
    held = sorted(n for batch in batches(ring, 0, 1) for n in batch)
    assert held == list(range(max(0, start - capacity), start))


def test_rows_stay_whole():
    rows, ring = numbered(0, 50), ReplayRing(50)
    ring.append(columns_of(rows))
    ring.append(columns_of(numbered(50, 20)))
    columns = ring.columns()
    for slot in range(20, 50):
        for name in NAMES:
            np.testing.assert_array_equal(columns[name][slot], getattr(rows, name)[int(columns["values"][slot, 0])])


def test_an_epoch_is_equal_batches_in_an_order_of_the_generators():
    ring = ReplayRing(100)
    ring.append(columns_of(numbered(0, 100)))

    epoch = batches(ring, 1, 30)
    assert [len(batch) for batch in epoch] == [30, 30, 30]
    assert len({n for batch in epoch for n in batch}) == 90
    assert batches(ring, 1, 30) == epoch
    assert batches(ring, 2, 30) != epoch


def test_a_ring_smaller_than_a_batch_has_batches_of_few_sizes_while_it_fills():
    ring = ReplayRing(100)
    sizes = []
    for start in range(29):
        ring.append(columns_of(numbered(start, 1)))
        assert len({len(batch) for batch in batches(ring, 0, 30)}) == 1
        sizes.append(len(batches(ring, 0, 30)[0]))
    assert sorted(set(sizes)) == [1, 2, 4, 8, 16]
    ring.append(columns_of(numbered(29, 1)))
    assert [len(batch) for batch in batches(ring, 0, 30)] == [30]


def test_an_empty_ring_gives_nothing():
    ring = ReplayRing(5)
    assert batches(ring, 0, 2) == []


def test_minibatches_depend_on_the_rows_and_their_order_alone():
    wrapped, fresh = ReplayRing(20), ReplayRing(20)
    for start in (0, 15, 30):
        wrapped.append(columns_of(numbered(start, 15)))
    fresh.append(columns_of(numbered(25, 20)))
    assert batches(wrapped, 3, 4) == batches(fresh, 3, 4)


def test_held_out_rounds_are_in_no_minibatch():
    rows = random_rows(np.random.default_rng(0), 800, first_round=0)
    rows.values[:, 0] = np.arange(800)
    ring = ReplayRing(700)
    ring.append(columns_of(rows))
    trained = {n for batch in batches(ring, 0, 1) for n in batch}
    held_out = [int(n) for n in ring.columns()["values"][ring.held_out(most=100), 0]]
    # Rounds 19, 39, 59 and 79 of ten rows each, one in 20, whichever iteration plays them; the first 100 rows are gone.
    assert held_out == [n for n in range(100, 800) if n // 10 % 20 == 19]
    assert trained == set(range(100, 800)) - set(held_out)
    assert [int(n) for n in ring.columns()["values"][ring.held_out(most=5), 0]] == held_out[-5:]


def test_columns_of_another_form_are_refused():
    rows = columns_of(numbered(0, 10))
    check_columns(rows, source="file")
    with pytest.raises(CheckpointError, match="file lacks the column policy"):
        check_columns({name: column for name, column in rows.items() if name != "policy"}, source="file")
    for wrong in (rows["legal"][:5], rows["legal"][:, :5], rows["legal"].astype(np.uint8)):
        with pytest.raises(CheckpointError, match=r"legal is .*; should be bool\[10, 52\]"):
            check_columns({**rows, "legal": wrong}, source="file")


def test_a_ring_needs_room():
    with pytest.raises(ConfigError, match="capacity 0"):
        ReplayRing(0)


def test_values_can_be_a_mixture_with_what_the_search_expected():
    rows = random_rows(np.random.default_rng(0), 10)
    for weight, expected in ((0.0, rows.values), (1.0, rows.root_values), (0.25, 0.875 * rows.values)):
        ring = ReplayRing(20)
        ring.append(columns_of(rows, root_value_weight=weight))
        np.testing.assert_allclose(ring.columns()["values"][:10], expected, atol=1e-6)
