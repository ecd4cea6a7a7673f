import numpy as np
import pytest
import torch
from training_fakes import SMALL, random_rows

import blob_zero as bz
from blob_zero.devices import auto_dtype, cpu_has_bf16, resolve_device
from blob_zero.errors import ConfigError, DeviceError
from blob_zero.inference import Inference
from blob_zero.network import BlobNet, seeded_network


def network(*, seed: int = 3, **sizes: int) -> BlobNet:
    """Untrained weights with moved biases and norms, so that a fold that forgets one shows."""
    net = seeded_network(BlobNet(**sizes).shape, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return net


@pytest.fixture(scope="module")
def full():
    return network()


@pytest.fixture(scope="module")
def rows():
    rows = random_rows(np.random.default_rng(0), 64)
    rows.features[:, 239:253] = np.random.default_rng(1).integers(0, 256, (64, 14))
    return rows


def by_hand(net, features, legal):
    """The contract, written out: softmax over the legal actions of the plain network's logits."""
    with torch.no_grad():
        logits, values = net(torch.from_numpy(features * bz.feature_scale()))
    weights = np.exp(logits.numpy().astype(np.float64)) * legal
    return weights / weights.sum(axis=1, keepdims=True), values.numpy()


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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 1e-4), ("fp16", 0.01), ("bf16", 0.03)])
def test_cuda_agrees_with_the_cpu(full, rows, dtype, tolerance):
    policy, values = Inference(full, device="cuda", dtype=dtype).evaluate_batch(rows.features, rows.legal)
    expected_policy, expected_values = by_hand(full, rows.features, rows.legal)
    np.testing.assert_allclose(policy, expected_policy, atol=tolerance)
    np.testing.assert_allclose(values, expected_values, atol=tolerance)
