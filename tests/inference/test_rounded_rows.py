"""Few sizes of batch: each new one costs a CPU a kernel."""

import numpy as np
import pytest

import blob_zero as bz
from blob_zero.inference.compilation import rounded_rows
from blob_zero.inference.inference import Inference


def test_rows_are_rounded_up_by_little_and_to_few_sizes():
    rounded = np.array([rounded_rows(rows) for rows in range(1, 20_000)])
    rows = np.arange(1, 20_000)
    assert (rounded >= rows).all()
    assert (rounded[127:] <= 1.125 * rows[127:]).all()
    assert len(set(rounded.tolist())) < 80
    assert [rounded_rows(rows) for rows in (1, 16, 17, 900, 1024, 3900)] == [16, 16, 32, 960, 1024, 4096]


@pytest.mark.parametrize("rows", [1, 5, 130])
def test_a_call_answers_its_rows_and_no_others(rows):
    evaluate = Inference(bz.load_network(), device="cpu", dtype="fp32")
    observations = [bz.Round(players=4, cards=5, seed=seed).observe() for seed in range(rows)]
    features = np.stack([observation.encode() for observation in observations])
    legal = np.zeros((rows, 52), np.bool_)
    legal[:, :6] = True
    policy, values = evaluate(features, legal)
    assert (policy.shape, values.shape) == ((rows, 52), (rows, 8))
    np.testing.assert_allclose(policy.sum(axis=1), 1, rtol=1e-5)
    raw = np.rint(features / bz.feature_scale()).astype(np.uint8)
    for found, expected in zip((policy, values), evaluate.evaluate_batch(raw, legal), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
