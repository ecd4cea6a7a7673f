"""`bench inference`: what each step of inference gives, and what it costs in exactness."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from blob_zero.bench.limits import evaluation_rate, sample_batch
from blob_zero.bench.machine import peak_memory
from blob_zero.bench.settings import Dtype, PlaySettings, build_evaluator
from blob_zero.bench.tables import Row

COLUMNS = {
    "step": "step",
    "evaluations_per_s": "evals/s",
    "evaluations_per_s_low": "from",
    "evaluations_per_s_high": "to",
    "speedup": "x plain fp32",
    "policy_difference_max": "policy off by",
    "policy_difference_p99": "p99",
    "value_difference_max": "values off by",
    "value_difference_p99": "p99",
}

Outputs = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Step:
    """A way to compute the network, as changes to the settings.

    Attributes:
        name: for people.
        changes: fields of `PlaySettings`.
    """

    name: str
    changes: dict[str, Any]


def steps(kind: str, *, half: Dtype = "auto") -> list[Step]:
    """The steps on a `cpu` or on `cuda`, from a network without any to the one that the search is given.

    Args:
        kind: `cpu` or `cuda`.
        half: numbers of the steps in half precision; auto is what the device is fast in.
    """
    plain = {
        "fold": False, "dtype": "fp32", "pack": False, "compile": False,
        "cuda_graphs": False, "pinned_memory": False, "copy_streams": False,
    }  # fmt: skip
    folded = plain | {"fold": True}
    halved = folded | {"dtype": half}
    compiled = halved | {"compile": True}
    first = [
        Step("plain fp32, eager", plain),
        Step("folded, fp32", folded),
        Step("folded, half", halved),
        Step("folded, half, compiled", compiled),
    ]
    if kind == "cpu":
        # Packing is a compiler's work done by hand, so it stands in place of compilation. Auto, as not every CPU can.
        return [*first, Step("folded, half, packed", halved | {"pack": "auto"})]
    graphs = compiled | {"cuda_graphs": True}
    pinned = graphs | {"pinned_memory": True}
    return [
        *first,
        Step("graphs, not compiled", halved | {"cuda_graphs": True}),
        Step("compiled, graphs", graphs),
        Step("and pinned memory", pinned),
        Step("and copy streams", pinned | {"copy_streams": True}),
    ]


def bench_inference(
    settings: PlaySettings,
    *,
    passes: int = 5,
    seconds: float = 1.0,
    notice: Callable[[str], None] = lambda _: None,
) -> list[Row]:
    """Time every step on one batch of real positions, in turn and several times over.

    The steps take turns, so that what else the machine does falls on all of them. A step's rate is the median over the
    passes, its speed-up the median of its ratios to plain fp32 in the same pass.

    Args:
        settings: network, device, batch and threads; the steps themselves are set here.
        passes: how often each step has its turn, at least 1.
        seconds: length of a turn.
        notice: is told of each turn.

    Raises:
        DeviceError: the device is not there.
    """
    from blob_zero.devices import resolve_device

    device = resolve_device(settings.device)
    settings = replace(settings, device=str(device))
    features, legal = sample_batch(settings)
    chosen = steps(device.type, half=settings.dtype)
    evaluators = []
    for step in chosen:
        notice(f"making ready: {step.name}")
        evaluators.append(build_evaluator(replace(settings, **step.changes)))
    rates = np.zeros((passes, len(chosen)))
    for turn in range(passes):
        for k, (step, evaluator) in enumerate(zip(chosen, evaluators, strict=True)):
            notice(f"pass {turn + 1} of {passes}: {step.name}")
            rates[turn, k] = evaluation_rate(evaluator, features, legal, seconds=seconds)
    speedups = np.median(rates / rates[:, :1], axis=0)
    exact = evaluators[0].evaluate_batch(features, legal)
    rows: list[Row] = []
    for k, (step, evaluator) in enumerate(zip(chosen, evaluators, strict=True)):
        rows.append(
            {
                "step": step.name,
                "computed_as": str(getattr(evaluator, "steps", "")),
                "evaluations_per_s": float(np.median(rates[:, k])),
                "evaluations_per_s_low": float(rates[:, k].min()),
                "evaluations_per_s_high": float(rates[:, k].max()),
                "speedup": float(speedups[k]),
                **differences(evaluator.evaluate_batch(features, legal), exact),
                "evaluator_threads": evaluator.workers,
                "device": str(device),
                "peak_memory_bytes": peak_memory(),
            }
        )
    return rows


def differences(outputs: Outputs, exact: Outputs) -> Row:
    """How far policy [B, 52] and values [B, 8] are from exact ones.

    A row of the batch is as far off as its worst entry; given are the worst row and the 99th percentile of the rows.
    """
    policy, value = (np.abs(ours - theirs).max(axis=1) for ours, theirs in zip(outputs, exact, strict=True))
    return {
        "policy_difference_max": float(policy.max()),
        "policy_difference_p99": float(np.quantile(policy, 0.99)),
        "value_difference_max": float(value.max()),
        "value_difference_p99": float(np.quantile(value, 0.99)),
    }
