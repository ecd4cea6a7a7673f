"""`bench inference`: the speed of each form of inference, and its distance from the plain network."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from blob_zero.bench.limits import inference_limit, sample_batch
from blob_zero.bench.settings import PlaySettings, build_evaluator
from blob_zero.bench.tables import Measurement
from blob_zero.machine.memory import peak_memory

COLUMNS = {
    "step": "step",
    "evaluations_per_s": "evaluations/s",
    "speedup": "x plain",
    "milliseconds_a_batch": "ms a batch",
    "policy_difference_p99": "policy off, p99",
    "policy_difference_max": "most",
    "value_difference_p99": "value off, p99",
    "value_difference_max": "most",
}

PASSES = 3
"""Passes, in each of which all forms are timed: other work on the machine comes and goes."""


def forms(device: str, *, outcome: bool = False) -> dict[str, dict[str, Any]]:
    """Settings of each form of inference on a kind of device, by name; the others are compared with the first.

    Args:
        device: `cpu` or `cuda`.
        outcome: whether the network is an OutcomeNet, which has nothing to fold.
    """
    plain: dict[str, Any] = {"fold": False, "dtype": "fp32", "pack": False, "compile": False, "cuda_graphs": False}
    form = "plain" if outcome else "folded"
    folded = plain | {"fold": True}
    half = folded | {"dtype": "auto"}
    compiled = half | {"compile": True}
    graphs = compiled | {"cuda_graphs": True}
    last = (
        {f"{form}, half precision, packed": half | {"pack": "auto"}}
        if device == "cpu"
        else {
            f"{form}, half precision, graphs": half | {"cuda_graphs": True},
            f"{form}, half precision, compiled, graphs": graphs,
            "the same, pageable memory": graphs | {"pinned_memory": False},
            "the same, copies in the stream that computes": graphs | {"copy_streams": False},
        }
    )
    return {
        "plain, fp32": plain,
        **({} if outcome else {"folded, fp32": folded}),
        f"{form}, half precision": half,
        f"{form}, half precision, compiled": compiled,
        **last,
    }


def bench_inference(
    settings: PlaySettings, *, seconds: float = 1.0, notice: Callable[[str], None] = lambda _: None
) -> list[Measurement]:
    """Times each form, alternately, through the call and with the threads of self-play.

    Args:
        settings: the network, the device, its threads and the rows of a batch.
        seconds: seconds for each form in each pass.
        notice: called with a line before each step.

    Returns:
        A row for each form: the median of its passes, and its largest and 99th percentile differences from the plain
        network in fp32, over the legal actions and the seats in play of a batch of self-play.
    """
    evaluators = {}
    for name, changes in forms(settings.where.type, outcome=settings.agent == "policy").items():
        notice(f"making ready: {name}")
        evaluators[name] = build_evaluator(replace(settings, **changes))
    rates: dict[str, list[float]] = {name: [] for name in evaluators}
    for turn in range(PASSES):
        for name, evaluator in evaluators.items():
            notice(f"pass {turn + 1} of {PASSES}: {name}")
            rates[name].append(inference_limit(settings, evaluator, seconds=seconds))

    features, legal = sample_batch(settings)
    answers = {name: evaluator.evaluate_batch(features, legal) for name, evaluator in evaluators.items()}
    first = next(iter(evaluators))
    policy, values = answers[first]
    rows: list[Measurement] = []
    for name, evaluator in evaluators.items():
        rate = float(np.median(rates[name]))
        off_policy = np.abs(answers[name][0] - policy)[legal]
        off_values = np.abs(answers[name][1] - values)[:, : settings.players]
        rows.append(
            {
                "step": name,
                "evaluations_per_s": rate,
                "speedup": rate / float(np.median(rates[first])),
                "milliseconds_a_batch": 1000 * evaluator.workers * settings.rows / rate,
                "policy_difference_p99": float(np.quantile(off_policy, 0.99)),
                "policy_difference_max": float(off_policy.max()),
                "value_difference_p99": float(np.quantile(off_values, 0.99)),
                "value_difference_max": float(off_values.max()),
                "done": getattr(evaluator, "form", ""),
                "workers": evaluator.workers,
                "device": str(getattr(evaluator, "device", "none")),
                "peak_memory_bytes": peak_memory(),
            }
        )
    return rows
