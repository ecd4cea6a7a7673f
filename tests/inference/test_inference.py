import numpy as np
import pytest
import torch
from support.networks import by_hand, network, varied_rows
from support.training_fakes import SMALL

import blob_zero as bz
from blob_zero.errors import ConfigError, DeviceError, EvaluatorError
from blob_zero.inference.devices import auto_dtype, cpu_has_bf16, resolve_device
from blob_zero.inference.inference import Inference
from blob_zero.inference.packing import packing_obstacle
from blob_zero.model.blobnet import BlobNet


@pytest.fixture(scope="module")
def full():
    return network()


@pytest.fixture(scope="module")
def rows():
    return varied_rows(64)


@pytest.mark.parametrize("fold", [True, False])
def test_fp32_is_the_plain_network(full, rows, fold):
    policy, values = Inference(full, dtype="fp32", fold=fold).evaluate_batch(rows.features, rows.legal)
    expected_policy, expected_values = by_hand(full, rows.features, rows.legal)
    assert policy.dtype == values.dtype == np.float32
    np.testing.assert_allclose(policy, expected_policy, atol=1e-5)
    np.testing.assert_allclose(values, expected_values, atol=1e-5)


@pytest.mark.parametrize("fold", [True, False])
def test_bf16_stays_near_fp32(full, rows, fold):
    policy, values = Inference(full, dtype="bf16", fold=fold).evaluate_batch(rows.features, rows.legal)
    expected_policy, expected_values = by_hand(full, rows.features, rows.legal)
    np.testing.assert_allclose(policy, expected_policy, atol=0.01)
    assert np.quantile(np.abs(values - expected_values), 0.99) < 0.01
    assert np.abs(values - expected_values).max() < 0.02
    # It is bf16 indeed, and not fp32 under another name.
    assert np.abs(values - expected_values).max() > 1e-5


def test_scaled_rows_and_raw_rows_get_the_same_answer(full, rows):
    inference = Inference(full, dtype="fp32")
    raw = inference.evaluate_batch(rows.features, rows.legal)
    scaled = inference((rows.features * bz.feature_scale()).astype(np.float32), rows.legal)
    for mine, other in zip(raw, scaled, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-6)


def test_policy_is_a_distribution_over_the_legal_actions(rows):
    policy, _ = Inference(network(**SMALL)).evaluate_batch(rows.features, rows.legal)
    np.testing.assert_allclose(policy.sum(axis=1), 1, atol=1e-5)
    assert (policy[~rows.legal] == 0).all()


def test_a_row_without_a_legal_action_is_zero_and_harms_no_other(rows):
    inference = Inference(network(**SMALL))
    policy, values = inference.evaluate_batch(rows.features, rows.legal)
    legal = rows.legal.copy()
    legal[5] = False
    stale_policy, stale_values = inference.evaluate_batch(rows.features, legal)
    assert (stale_policy[5] == 0).all()
    assert np.isfinite(stale_values).all()
    others = np.arange(64) != 5
    np.testing.assert_array_equal(stale_policy[others], policy[others])
    np.testing.assert_array_equal(stale_values, values)


def test_answers_outlive_the_next_batch(rows):
    inference = Inference(network(**SMALL))
    policy, values = inference.evaluate_batch(rows.features, rows.legal)
    kept = policy.copy(), values.copy()
    inference.evaluate_batch(rows.features[::-1], rows.legal[::-1])
    np.testing.assert_array_equal(policy, kept[0])
    np.testing.assert_array_equal(values, kept[1])


def test_read_only_buffers_are_taken(rows):
    features, legal = rows.features.copy(), rows.legal.copy()
    features.flags.writeable = legal.flags.writeable = False
    inference = Inference(network(**SMALL))
    raw = inference.evaluate_batch(features, legal)
    scaled = (features * bz.feature_scale()).astype(np.float32)
    scaled.flags.writeable = False
    np.testing.assert_allclose(inference(scaled, legal)[0], raw[0], atol=0.01)


@pytest.mark.parametrize("fold", [True, False])
def test_load_brings_new_weights_and_training_does_not(rows, fold):
    first, second = network(seed=1, **SMALL), network(seed=2, **SMALL)
    inference = Inference(first, dtype="fp32", fold=fold)
    before = inference.evaluate_batch(rows.features, rows.legal)[0]
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(inference.evaluate_batch(rows.features, rows.legal)[0], before)
    inference.load(second)
    after = inference.evaluate_batch(rows.features, rows.legal)[0]
    np.testing.assert_allclose(after, by_hand(second, rows.features, rows.legal)[0], atol=1e-5)
    assert np.abs(after - before).max() > 1e-3


def test_load_refuses_another_shape():
    inference = Inference(network(**SMALL))
    with pytest.raises(ConfigError, match="layers=2"):
        inference.load(network(**SMALL | {"layers": 2}))


def test_a_network_without_a_value_for_each_seat_is_refused():
    with pytest.raises(ConfigError, match="values = 1"):
        Inference(BlobNet(1, **SMALL))


def test_an_unknown_dtype_is_refused():
    with pytest.raises(ConfigError, match=r"'int8'.*auto, fp32, bf16, fp16"):
        Inference(BlobNet(**SMALL), dtype="int8")


@pytest.mark.parametrize("name", ["cuda:99", "cuda:x", "tpu", "cpu:0"])
def test_a_device_that_is_not_there_is_an_error_that_names_what_is(name):
    with pytest.raises(DeviceError, match=f"{name}.*cpu"):
        Inference(BlobNet(**SMALL), device=name)


def test_auto_is_what_the_device_is_fast_in():
    if torch.cuda.is_available():
        assert resolve_device("auto").type == "cuda"
    else:
        assert resolve_device("auto") == torch.device("cpu")
    assert auto_dtype(torch.device("cpu")) == ("bf16" if cpu_has_bf16() else "fp32")
    assert auto_dtype(torch.device("cuda", 0)) == "fp16"


needs_packing = pytest.mark.skipif(
    packing_obstacle(torch.device("cpu"), torch.float32) is not None, reason="needs oneDNN's packed layers"
)


@needs_packing
@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 1e-5), ("bf16", 0.02)])
def test_packed_is_the_plain_network_before_and_after_a_load(full, rows, dtype, tolerance):
    if packing_obstacle(torch.device("cpu"), {"fp32": torch.float32, "bf16": torch.bfloat16}[dtype]):
        pytest.skip(f"oneDNN has no {dtype} on this CPU")
    inference = Inference(network(seed=8), dtype=dtype, pack=True)
    assert "packed" in inference.form
    inference.load(full)
    policy, values = inference.evaluate_batch(rows.features, rows.legal)
    expected_policy, expected_values = by_hand(full, rows.features, rows.legal)
    np.testing.assert_allclose(policy, expected_policy, atol=min(tolerance, 0.01))
    np.testing.assert_allclose(values, expected_values, atol=tolerance)
    assert np.quantile(np.abs(values - expected_values), 0.99) < 0.01


@needs_packing
def test_auto_packs_on_a_cpu_what_is_folded_and_not_compiled():
    net = network(**SMALL)
    assert Inference(net, dtype="fp32").form == "folded, packed, torch.float32"
    assert Inference(net, dtype="fp32", pack=False).form == "folded, torch.float32"
    assert Inference(net, dtype="fp32", fold=False).form == "plain, torch.float32"
    assert Inference(net, dtype="fp32", compile=True).form == "folded, compiled, torch.float32"


@pytest.mark.parametrize("other", [{"compile": True}, {"fold": False}])
def test_packing_what_cannot_be_packed_is_refused(other):
    with pytest.raises(ConfigError, match=r"pack = true and .* exclude each other"):
        Inference(network(**SMALL), pack=True, **other)


@pytest.mark.parametrize("pack", ["auto", False])
def test_outputs_that_are_not_finite_never_leave(rows, pack):
    net = network(**SMALL)
    inference = Inference(net, pack=pack)
    with torch.no_grad():
        net.policy_head[2].bias[7] = torch.nan
    inference.load(net)
    # What is not legal is masked before it can do harm.
    wrong = np.flatnonzero(rows.legal[:, 7])
    with pytest.raises(EvaluatorError, match=f"not finite in {len(wrong)} of 64 rows, first in row {wrong[0]};"):
        inference.evaluate_batch(rows.features, rows.legal)
    with pytest.raises(EvaluatorError, match="not finite"):
        inference((rows.features * bz.feature_scale()).astype(np.float32), rows.legal)
    inference.load(network(**SMALL))
    assert np.isfinite(inference.evaluate_batch(rows.features, rows.legal)[0]).all()


@pytest.mark.parametrize("rows", [0, -3])
def test_no_rows_cannot_be_prepared(rows):
    with pytest.raises(ConfigError, match=f"batches of {rows} rows: should be at least 1"):
        Inference(network(**SMALL)).prepare(rows)
