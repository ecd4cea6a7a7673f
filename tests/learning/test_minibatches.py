import numpy as np
import pytest
import torch
from support.training_fakes import random_rows, ring_of

import blob_zero as bz
from blob_zero.learning.loss import batch_losses
from blob_zero.learning.minibatches import DeviceRows
from blob_zero.learning.replay import columns_of

CPU = torch.device("cpu")


@pytest.fixture
def ring():
    rows = random_rows(np.random.default_rng(0), 40)
    rows.features[:, 228] = np.random.default_rng(1).integers(3, 9, 40)
    return ring_of(rows, capacity=50)


def assert_rows_of(batch, ring, slots):
    columns = ring.columns()
    target = columns["policy"][slots].astype(np.float32)
    np.testing.assert_array_equal(batch.features, columns["features"][slots] * bz.feature_scale())
    np.testing.assert_array_equal(batch.legal, columns["legal"][slots])
    np.testing.assert_allclose(batch.policy, target / target.sum(axis=1, keepdims=True), rtol=1e-6)
    np.testing.assert_array_equal(batch.values, columns["values"][slots])
    np.testing.assert_array_equal(batch.players, columns["features"][slots, 228])


def test_a_batch_has_the_rows_of_its_slots_scaled(ring):
    rows, slots = DeviceRows(ring, device=CPU), np.array([7, 39, 0, 7])
    assert_rows_of(rows.batch(rows.upload(slots)), ring, slots)


def test_rows_that_do_not_fit_on_the_device_stay_where_they_are(ring, monkeypatch):
    def full(_column, _device):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("blob_zero.learning.minibatches._reserve", full)
    told = []
    rows, slots = DeviceRows(ring, device=CPU, notice=told.append), np.arange(5, 25)
    assert told == ["the replay rows, 0 MB, do not fit on cpu and stay in this computer's memory"]
    assert_rows_of(rows.batch(rows.upload(slots)), ring, slots)


def test_only_new_rows_are_uploaded(ring, monkeypatch):
    # As on a GPU: memory of its own.
    monkeypatch.setattr("blob_zero.learning.minibatches._reserve", lambda column, _: torch.zeros_like(column))
    rows = DeviceRows(ring, device=CPU)
    slots = np.arange(40)
    assert_rows_of(rows.batch(rows.upload(slots)), ring, slots)
    assert rows.update() == 0
    ring.append(columns_of(random_rows(np.random.default_rng(2), 25)))  # 15 of them in the place of the oldest
    assert rows.update() == 25
    slots = np.arange(50)
    assert_rows_of(rows.batch(rows.upload(slots)), ring, slots)
    ring.append(columns_of(random_rows(np.random.default_rng(3), 70)))
    assert rows.update() == 50
    assert_rows_of(rows.batch(rows.upload(slots)), ring, slots)


@pytest.mark.parametrize(("parts", "sizes"), [(1, [40]), (2, [20, 20]), (3, [14, 14, 12]), (64, [1] * 40)])
def test_the_losses_of_parts_add_up_to_those_of_the_whole(ring, parts, sizes):
    whole = DeviceRows(ring, device=CPU).batch(torch.arange(40))
    logits, values = torch.randn(40, 52), torch.rand(40, 8)
    pieces = whole.split(parts)
    assert [piece.rows for piece in pieces] == sizes
    summed = torch.zeros(2)
    for piece, *outputs in zip(pieces, logits.split(sizes), values.split(sizes), strict=True):
        losses = batch_losses(*outputs, piece)
        summed += torch.stack([losses.policy, losses.value]) * piece.rows / whole.rows
    expected = batch_losses(logits, values, whole)
    torch.testing.assert_close(summed, torch.stack([expected.policy, expected.value]))
