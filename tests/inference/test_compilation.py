"""The compiled network: which sizes are compiled, and what happens where nothing can be."""

import errno
import warnings

import numpy as np
import pytest
import torch
from support.networks import by_hand, network, varied_rows
from support.training_fakes import SMALL

from blob_zero.errors import DeviceError
from blob_zero.inference.device_errors import cannot_compile, is_memory_shortage
from blob_zero.inference.inference import Inference


@pytest.fixture(scope="module")
def rows():
    return varied_rows(64)


@pytest.fixture
def compiler(monkeypatch):
    """Stands in for the compiled network; what is put into `errors` is raised first, and sizes are kept in `sizes`."""

    class Compiler:
        errors, sizes = [], []

        def __call__(self, net, raw, legal, dtype):
            from blob_zero.inference.forward import _answer

            self.sizes.append(len(raw))
            if self.errors:
                raise self.errors.pop(0)
            return _answer(net, raw, legal, dtype)

    compiler = Compiler()
    compiler.errors, compiler.sizes = [], []
    monkeypatch.setattr("blob_zero.inference.forward._compiled_answer", lambda: compiler)
    return compiler


def named(name, message, *, base=RuntimeError):
    """An error of the compiler's, which is told by its class."""
    return type(name, (base,), {})(message)


def test_compiled_agrees_and_new_weights_compile_nothing(rows):
    first, second = network(seed=1, **SMALL), network(seed=2, **SMALL)
    compilations = torch._dynamo.utils.counters["stats"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some versions of the compiler warn of their own imports
        inference = Inference(first, dtype="fp32", compile=True)
        before = compilations["unique_graphs"]
        inference.prepare(len(rows.features))
    if "compiled" not in inference.form:
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


def test_all_numbers_of_rows_share_a_few_compiled_sizes(compiler):
    net, many = network(**SMALL), varied_rows(700)
    inference = Inference(net, dtype="fp32", compile=True)
    for count in (1, 60, 127, 128, 129, 200, 300, 500, 512, 513, 699, 700):
        policy, values = inference.evaluate_batch(many.features[:count], many.legal[:count])
        expected_policy, expected_values = by_hand(net, many.features[:count], many.legal[:count])
        np.testing.assert_allclose(policy, expected_policy, atol=1e-5)
        np.testing.assert_allclose(values, expected_values, atol=1e-5)
    assert set(compiler.sizes) == {128, 256, 512, 1024}


def test_more_variants_than_the_compiler_keeps_by_itself_stay_compiled():
    from blob_zero.inference.compilation import COMPILED_ROWS, compiled

    built = []

    def count_graphs(graph, _inputs):
        built.append(graph)
        return graph.forward

    compiled(torch.neg)  # sets the limit
    torch._dynamo.reset()
    function = torch.compile(lambda x: x + 1, backend=count_graphs, fullgraph=True, dynamic=False)
    for _ in range(2):
        for size in COMPILED_ROWS:
            for dtype in (torch.float32, torch.bfloat16):
                function(torch.zeros(size, dtype=dtype))
    torch._dynamo.reset()
    assert len(built) == 2 * len(COMPILED_ROWS)


@pytest.mark.parametrize(
    "error",
    [
        named("InvalidCxxCompiler", "No working C++ compiler found\nand a long trace"),
        named("BackendCompilerFailed", "No working C++ compiler found\nand a long trace"),
        named("TritonMissing", "No working C++ compiler found\nand a long trace"),
        RuntimeError("No working C++ compiler found: torch.compile is not supported on Python 3.16+"),
        RuntimeError("No working C++ compiler found: Failed to find C compiler. Please specify via CC"),
    ],
)
def test_what_cannot_be_compiled_is_said_once_with_its_cause_and_runs_without(rows, compiler, error):
    compiler.errors = [error]
    net = network(**SMALL)
    inference = Inference(net, dtype="fp32", compile=True)
    cause = rf"cpu, going on without: {type(error).__name__}: No working C\+\+ compiler found"
    with pytest.warns(RuntimeWarning, match=cause) as said:
        inference.prepare(64)
    assert len(said) == 1
    policy, _ = inference.evaluate_batch(rows.features, rows.legal)  # where another warning would be an error
    np.testing.assert_allclose(policy, by_hand(net, rows.features, rows.legal)[0], atol=1e-5)


@pytest.mark.parametrize(
    "error",
    [
        TypeError("a defect of ours"),
        RuntimeError("shape mismatch"),
        named("FailOnRecompileLimitHit", "recompile_limit reached"),
        named("BackendCompilerFailed", "RuntimeError: CUDA error: an illegal memory access was encountered"),
    ],
)
def test_other_errors_while_compiling_are_raised(rows, compiler, error):
    compiler.errors = [error]
    inference = Inference(network(**SMALL), dtype="fp32", compile=True)
    with pytest.raises(type(error), match=str(error)):
        inference.evaluate_batch(rows.features, rows.legal)
    assert "compiled" in inference.form


def raised_from(error, cause):
    error.__context__ = cause
    return error


SHORTAGES = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    MemoryError("unable to allocate 3 GiB"),
    raised_from(
        RuntimeError("CUDA error: operation failed due to a previous error during capture"),
        torch.OutOfMemoryError("CUDA out of memory"),
    ),
]


@pytest.mark.parametrize("shortage", SHORTAGES, ids=lambda error: str(error)[:30])
def test_short_memory_halves_the_rows_and_is_said_once(compiler, shortage):
    net, many = network(**SMALL), varied_rows(300)
    compiler.errors = [shortage]
    inference = Inference(net, dtype="fp32", compile=True, workers=2)
    with pytest.warns(RuntimeWarning, match="batches of 300 rows are evaluated 256 rows at a time") as said:
        inference.prepare(300)
    assert len(said) == 1
    policy, values = inference.evaluate_batch(many.features, many.legal)  # where another warning would be an error
    expected_policy, expected_values = by_hand(net, many.features, many.legal)
    np.testing.assert_allclose(policy, expected_policy, atol=1e-5)
    np.testing.assert_allclose(values, expected_values, atol=1e-5)
    assert compiler.sizes == [512, 256, 256, 256, 256]
    assert "compiled" in inference.form


def test_memory_that_runs_out_between_batches_halves_the_rows_too(rows, compiler):
    net = network(**SMALL)
    inference = Inference(net, dtype="fp32", compile=True, workers=1)
    inference.prepare(64)
    compiler.errors = [torch.OutOfMemoryError("CUDA out of memory"), torch.OutOfMemoryError("CUDA out of memory")]
    with pytest.warns(RuntimeWarning, match="rows at a time") as said:
        policy, _ = inference.evaluate_batch(rows.features, rows.legal)
    assert [str(warning.message).partition("evaluated ")[2].partition(" rows")[0] for warning in said] == ["64", "32"]
    np.testing.assert_allclose(policy, by_hand(net, rows.features, rows.legal)[0], atol=1e-5)


def test_memory_for_not_even_a_row_is_an_error(rows, monkeypatch):
    def short(*_args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    inference = Inference(network(**SMALL), dtype="fp32", pack=False)
    monkeypatch.setattr("blob_zero.inference.forward._answer", short)
    with (
        pytest.warns(RuntimeWarning, match="rows at a time"),
        pytest.raises(DeviceError, match="memory of cpu is exhausted by evaluating a single row"),
    ):
        inference.evaluate_batch(rows.features, rows.legal)


def test_what_an_error_means_is_told_by_all_its_causes():
    full_disk = OSError(errno.ENOSPC, "No space left on device")
    assert cannot_compile(raised_from(named("InductorError", "OSError"), full_disk))
    assert not is_memory_shortage(raised_from(named("InductorError", "OSError"), full_disk))
    inner = named("InductorError", "OutOfMemoryError")
    inner.inner_exception = torch.OutOfMemoryError("CUDA out of memory")
    assert is_memory_shortage(inner)
    assert not is_memory_shortage(ValueError("out of memory"))
