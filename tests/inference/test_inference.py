import warnings
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.training_fakes import SMALL, random_rows

import blob_zero as bz
from blob_zero.errors import ConfigError, DeviceError, EvaluatorError
from blob_zero.inference.devices import auto_dtype, cpu_has_bf16, resolve_device
from blob_zero.inference.inference import Inference
from blob_zero.inference.lanes import DeviceLane
from blob_zero.inference.packed import packing_obstacle
from blob_zero.model.blobnet import BlobNet, seeded_network


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


needs_packing = pytest.mark.skipif(
    packing_obstacle(torch.device("cpu"), torch.float32) is not None, reason="needs oneDNN's packed layers"
)


@needs_packing
@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 1e-5), ("bf16", 0.02)])
def test_packed_is_the_plain_network_before_and_after_a_load(full, rows, dtype, tolerance):
    if packing_obstacle(torch.device("cpu"), {"fp32": torch.float32, "bf16": torch.bfloat16}[dtype]):
        pytest.skip(f"oneDNN has no {dtype} on this CPU")
    inference = Inference(network(seed=8), dtype=dtype, pack=True)
    assert "packed" in inference.steps
    inference.load(full)
    policy, values = inference.evaluate_batch(rows.features, rows.legal)
    expected_policy, expected_values = by_hand(full, rows.features, rows.legal)
    np.testing.assert_allclose(policy, expected_policy, atol=min(tolerance, 0.01))
    np.testing.assert_allclose(values, expected_values, atol=tolerance)
    assert np.quantile(np.abs(values - expected_values), 0.99) < 0.01


@needs_packing
def test_auto_packs_on_a_cpu_what_is_folded_and_not_compiled():
    net = network(**SMALL)
    assert Inference(net, dtype="fp32").steps == "folded, packed, torch.float32"
    assert Inference(net, dtype="fp32", pack=False).steps == "folded, torch.float32"
    assert Inference(net, dtype="fp32", fold=False).steps == "plain, torch.float32"
    assert Inference(net, dtype="fp32", compile=True).steps == "folded, compiled, torch.float32"


@pytest.mark.parametrize("other", [{"compile": True}, {"fold": False}])
def test_packing_what_cannot_be_packed_is_refused(other):
    with pytest.raises(ConfigError, match=r"pack = true and .* exclude each other"):
        Inference(network(**SMALL), pack=True, **other)


def test_compiled_agrees_and_new_weights_compile_nothing(rows):
    first, second = network(seed=1, **SMALL), network(seed=2, **SMALL)
    compilations = torch._dynamo.utils.counters["stats"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some versions of the compiler warn of their own imports
        inference = Inference(first, dtype="fp32", compile=True)
        before = compilations["unique_graphs"]
        inference.prepare(len(rows.features))
    if "compiled" not in inference.steps:
        pytest.skip("this machine cannot compile")
    built = compilations["unique_graphs"]
    assert built == before + 1
    for net in (first, second):
        inference.load(net)
        policy, values = inference.evaluate_batch(rows.features, rows.legal)
        expected_policy, expected_values = by_hand(net, rows.features, rows.legal)
        np.testing.assert_allclose(policy, expected_policy, atol=1e-5)
        np.testing.assert_allclose(values, expected_values, atol=1e-5)
    assert compilations["unique_graphs"] == built


def test_what_cannot_be_compiled_is_said_once_with_its_cause_and_runs_without(rows, monkeypatch):
    def broken():
        raise RuntimeError("no C++ compiler found\nand a long trace")

    monkeypatch.setattr("blob_zero.inference.inference._compiled", broken)
    net = network(**SMALL)
    inference = Inference(net, dtype="fp32", compile=True)
    with pytest.warns(RuntimeWarning, match=r"cpu, going on without: RuntimeError: no C\+\+ compiler found$") as said:
        inference.prepare(64)
    assert len(said) == 1
    policy, _ = inference.evaluate_batch(rows.features, rows.legal)  # where another warning would be an error
    np.testing.assert_allclose(policy, by_hand(net, rows.features, rows.legal)[0], atol=1e-5)


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


class LateRuntime:
    """Streams of a device whose work is done only when it is waited for, or behind something that is."""

    def __init__(self):
        self.device, self.pinned = torch.device("cpu"), False
        self.order = []

    @contextmanager
    def stage(self, name, after):
        assert (name == "copy_in") == (after is None)
        assert after is None or after.name == {"compute": "copy_in", "copy_out": "compute"}[name]
        self.order.append(name)
        yield

    def mark(self, name):
        def synchronize():
            self.order.append(f"wait {name}")

        return SimpleNamespace(name=name, synchronize=synchronize)

    def capture(self, work):
        work()
        self.order.append("capture")
        return work


def test_a_device_lane_orders_its_stages_and_answers_from_memory_of_its_own(rows):
    inference = Inference(network(**SMALL), dtype="fp32")
    runtime = LateRuntime()
    lane = DeviceLane(64, 8, forward=inference._forward, runtime=runtime)
    answers = [lane.evaluate(rows.features[::step], rows.legal[::step]) for step in (1, -1)]
    assert runtime.order == ["capture", *["copy_in", "compute", "copy_out", "wait copy_out"] * 2]
    for (policy, values), step in zip(answers, (1, -1), strict=True):
        expected = inference.evaluate_batch(rows.features[::step], rows.legal[::step])
        np.testing.assert_array_equal(policy, expected[0])
        np.testing.assert_array_equal(values, expected[1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("step", [{}, {"cuda_graphs": False}, {"pinned_memory": False}, {"copy_streams": False}])
def test_each_step_on_cuda_gives_the_same_answer_under_new_weights(full, rows, step):
    inference = Inference(network(seed=9), device="cuda", dtype="fp16", compile=False, **step)
    inference.prepare(64)
    inference.load(full)
    policy, values = inference.evaluate_batch(rows.features, rows.legal)
    expected_policy, expected_values = by_hand(full, rows.features, rows.legal)
    np.testing.assert_allclose(policy, expected_policy, atol=0.01)
    np.testing.assert_allclose(values, expected_values, atol=0.01)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 1e-4), ("fp16", 0.01), ("bf16", 0.03)])
def test_cuda_agrees_with_the_cpu(full, rows, dtype, tolerance):
    policy, values = Inference(full, device="cuda", dtype=dtype).evaluate_batch(rows.features, rows.legal)
    expected_policy, expected_values = by_hand(full, rows.features, rows.legal)
    np.testing.assert_allclose(policy, expected_policy, atol=tolerance)
    np.testing.assert_allclose(values, expected_values, atol=tolerance)
