"""Checks of inference against the plain network in fp32 on the CPU."""

import threading
import warnings
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

import blob_zero as bz
from blob_zero.bench.tables import Measurement
from blob_zero.config.choices import Dtype
from blob_zero.gpu_check.place import Place, little_memory, positions, require
from blob_zero.inference.compilation import padded_rows
from blob_zero.inference.evaluator import Outputs
from blob_zero.inference.inference import Inference
from blob_zero.model.networks import Network

TOLERANCES = {"fp32": 1e-3, "fp16": 0.01, "bf16": 0.03}
"""Largest difference of a policy or a value. A GPU rounds fp32 products to TF32 where it may."""

OUTCOME_TOLERANCES: dict[Dtype, float] = {"fp16": 0.02, "bf16": 0.15, "fp32": 0.02}
"""The same of OutcomeNet, whose policy is steep: half a point more makes an action e times as likely."""


def precision(place: Place, dtype: Literal["fp32", "fp16", "bf16"]) -> Measurement:
    """Compiled, captured and in a precision: the same function as the plain network."""
    net, rows = place.network(), place.size(4096, 128)
    features, legal = positions(rows)
    inference = Inference(net, device=place.device, dtype=dtype, compile=True)
    inference.prepare(rows)
    found = _compare(inference.evaluate_batch(features, legal), _plain(net, features, legal), legal, TOLERANCES[dtype])
    return {**found, "form": inference.form, "rows": rows}


def outcomes(place: Place) -> Measurement:
    """OutcomeNet in each precision, compiled and not: the same function as in fp32 on the CPU."""
    net, rows = place.outcome_network(), place.size(4096, 128)
    features, legal = positions(rows)
    expected = _plain(net, features, legal)
    found: Measurement = {"rows": rows}
    for dtype, tolerance in OUTCOME_TOLERANCES.items():
        for compile_ in (False, True):
            inference = Inference(net, device=place.device, dtype=dtype, compile=compile_)
            inference.prepare(rows)
            off = _compare(inference.evaluate_batch(features, legal), expected, legal, tolerance)
            found |= {f"{inference.form}, {name}": difference for name, difference in off.items()}
    return found


def forms(place: Place) -> Measurement:
    """Every form of inference: the same outputs."""
    net, rows = place.network(), place.size(1024, 64)
    features, legal = positions(rows)
    expected = _plain(net, features, legal)
    off: Measurement = {}
    choices: dict[str, dict[str, Any]] = {
        "all": {},
        "not compiled": {"compile": False},
        "no graphs": {"cuda_graphs": False},
        "not compiled, no graphs": {"compile": False, "cuda_graphs": False},
        "pageable memory": {"compile": False, "pinned_memory": False},
        "one stream": {"compile": False, "copy_streams": False},
        "not folded": {"compile": False, "fold": False},
    }
    for name, choice in choices.items():
        outputs = Inference(net, device=place.device, **choice).evaluate_batch(features, legal)
        off[name] = max(_compare(outputs, expected, legal, TOLERANCES["bf16"]).values())
    return off


def in_place(place: Place) -> Measurement:
    """Batches of a session where the core keeps them, in memory that is page-locked: the same outputs."""
    rows = place.size(4096, 64)
    inference = Inference(place.network(), device=place.device, compile=False)
    inference.prepare(rows)
    session = bz.SelfPlay(players=4, cards=5, rounds=rows, batch_rows=rows).plan().start()
    worst = 0.0
    try:
        with warnings.catch_warnings(), inference.in_place() as evaluate:
            warnings.simplefilter("error")
            for _ in range(20):
                batch = session.next_batch()
                require(batch is not None, "the session ended before its 20th batch")
                assert batch is not None
                expected = inference.evaluate_batch(batch.features, batch.legal)
                evaluate(batch)
                outputs = batch.policy.copy(), batch.values.copy()
                worst = max(worst, *_compare(outputs, expected, batch.legal, 1e-5).values())
                batch.complete_in_place()
    finally:
        session.close()
    return {"difference": worst}


def reload(place: Place) -> Measurement:
    """New weights under captured graphs, evaluated by two threads at once."""
    first, second = place.network(seed=1), place.network(seed=2)
    rows = place.size(2048, 64)
    features, legal = positions(rows)
    inference = Inference(first, device=place.device, workers=2)
    inference.prepare(rows)
    worst = 0.0
    for net in (second, first, second):
        inference.load(net)
        expected = _plain(net, features, legal)
        for outputs in _at_once(inference, features, legal):
            worst = max(worst, *_compare(outputs, expected, legal, TOLERANCES["bf16"]).values())
    return {"difference": worst}


def ten_shapes(place: Place) -> Measurement:
    """Ten numbers of rows: all compiled, and none compiled again."""
    import torch._dynamo

    net = place.network(layers=1)
    inference = Inference(net, device=place.device, dtype="fp32", compile=True)
    sizes = [place.size(full, full // 16) for full in (100, 300, 512, 700, 1024, 1500, 2048, 3000, 4096, 5000)]
    features, legal = positions(max(sizes))
    expected = _plain(net, features, legal)
    worst = 0.0
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    for size in (*sizes, *sizes):
        outputs = inference.evaluate_batch(features[:size], legal[:size])
        part = expected[0][:size], expected[1][:size]
        worst = max(worst, *_compare(outputs, part, legal[:size], TOLERANCES["fp32"]).values())
    built = torch._dynamo.utils.counters["stats"]["unique_graphs"] - before
    require(built <= len({padded_rows(size) for size in sizes}), f"{built} compilations for {len(sizes)} shapes")
    return {"difference": worst, "compiled": built, "form": inference.form}


def every_device(place: Place) -> Measurement:
    """Each GPU by its number, from threads whose current device is another."""
    import torch

    net, rows = place.network(), place.size(512, 32)
    features, legal = positions(rows)
    expected = _plain(net, features, legal)
    names = [f"cuda:{k}" for k in range(torch.cuda.device_count())] or ["cpu"]
    off: Measurement = {}
    for name in reversed(names):
        inference = Inference(net, device=name, compile=name == names[-1])
        inference.prepare(rows)
        outputs = _at_once(inference, features, legal)
        off[name] = max(max(_compare(one, expected, legal, TOLERANCES["bf16"]).values()) for one in outputs)
    return off


def short_memory(place: Place) -> Measurement:
    """Memory that is too small for the graph of a batch: half the rows at a time, with the same outputs."""
    net, rows = place.network(), 65_536
    features, legal = positions(rows)
    expected = _plain(net, features[:4096], legal[:4096])
    inference = Inference(net, device=place.device, compile=False)
    with warnings.catch_warnings(record=True) as caught, little_memory(place.device, 300):
        warnings.simplefilter("always")
        inference.prepare(rows)
        policy, values = inference.evaluate_batch(features, legal)
    said = [str(warning.message) for warning in caught if "rows at a time" in str(warning.message)]
    require(said, "300 MB were enough for 65,536 rows; they should not be, so nothing was tested")
    found = _compare((policy[:4096], values[:4096]), expected, legal[:4096], TOLERANCES["bf16"])
    return {**found, "said": " / ".join(said)}


def _plain(net: Network, features: npt.NDArray[np.uint8], legal: npt.NDArray[np.bool_]) -> Outputs:
    return Inference(net, device="cpu", dtype="fp32", fold=False, compile=False).evaluate_batch(features, legal)


def _at_once(inference: Inference, features: npt.NDArray[np.uint8], legal: npt.NDArray[np.bool_]) -> list[Outputs]:
    """The outputs of four evaluations on each of two threads."""
    outputs: list[Outputs] = []

    def serve() -> None:
        outputs.extend(inference.evaluate_batch(features, legal) for _ in range(4))

    threads = [threading.Thread(target=serve) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    require(len(outputs) == 8, f"{len(outputs)} of 8 evaluations on two threads returned")
    return outputs


def _compare(outputs: Outputs, expected: Outputs, legal: npt.NDArray[np.bool_], tolerance: float) -> dict[str, float]:
    """The largest differences of policies and values.

    Raises:
        CheckError: one is not finite or above the tolerance.
    """
    found = {
        "policy_difference": float(np.abs(outputs[0] - expected[0])[legal].max()),
        "value_difference": float(np.abs(outputs[1] - expected[1]).max()),
    }
    for name, difference in found.items():
        require(difference <= tolerance, f"{name} is {difference:.4g}; should be at most {tolerance}")
    return found
