"""The network on the device: how far its answers are from plain fp32 on the CPU, and some rounds of self-play."""

import math
import time
import warnings
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from blob_zero._core import PLAYERS_FEATURE
from blob_zero.config.schema import Config
from blob_zero.doctor.findings import Finding, first_line
from blob_zero.doctor.known import Known
from blob_zero.errors import BlobError, EvaluatorError
from blob_zero.inference.evaluator import Outputs
from blob_zero.inference.inference import Inference
from blob_zero.inference.lane import Legal
from blob_zero.learning.setup import configure_torch
from blob_zero.learning.start import initial_network, starting_network
from blob_zero.model.blobnet import SEATS, BlobNet
from blob_zero.model.networks import Network, configured_shape
from blob_zero.model.outcome_net import OutcomeNet
from blob_zero.selfplay.records import Records
from blob_zero.selfplay.worker import LocalWorker, RoundRange, configured_self_play

FP32_BOUNDS = (1e-5, 1e-5)
"""Largest differences that folding and the order of additions make in fp32, as in tests/inference/test_inference.py:
of 99 in 100 numbers, and of any."""

HALF_BOUNDS = (0.01, 0.02)
"""The same in bf16, fp16 or TF32: single values of a trained network are off by 0.013 on a sound machine."""

OUTCOME_BOUNDS = (0.05, 0.2)
"""The same for OutcomeNet, whose policy is steep: half a point more makes an action e times as likely."""

_SPEED_TURNS = 3
_ROUNDS = 16
_SIMULATIONS = 2
_CPU_ROWS = 256
"""Rows of a batch of the few rounds: the settings' batches would be nearly empty, and a CPU computes empty rows too."""


def check_network(known: Known) -> Iterator[Finding]:
    """Precision on positions of real rounds, then rounds through the scheduler."""
    config, device = known.settings(), known.where()
    configure_torch(config, device)
    net = _network(known, config)
    yield from _precision(known, config, device, net)
    yield from _self_play(config, device, net)


def _network(known: Known, config: Config) -> Network:
    """The run's network if there is one of these sizes, else what it would begin with."""
    if known.checkpoint is None:
        return starting_network(config).net
    net = known.checkpoint.networks["weights"]
    return net if net.shape == configured_shape(config) else initial_network(config)


def _precision(known: Known, config: Config, device: torch.device, net: Network) -> Iterator[Finding]:
    options = config.inference
    features, legal, in_play = _positions(config, rows=known.sizes().batch_rows, device=device)
    reference = Inference(net, dtype="fp32", fold=False, compile=False)
    plain = reference.evaluate_batch(features, legal)

    if options.fold and isinstance(net, BlobNet):
        folded = Inference(net, dtype="fp32", pack=False, compile=False).evaluate_batch(features, legal)
        yield _difference("folding", "folded, fp32 on the CPU", folded, plain, legal, in_play, bounds=FP32_BOUNDS)
    with warnings.catch_warnings(record=True) as caught:  # of a network that cannot be compiled
        warnings.simplefilter("always")
        try:
            inference = Inference(net, device=str(device), **options.model_dump())
            inference.prepare(known.sizes().batch_rows)
            answer = inference.evaluate_batch(features, legal)
        except EvaluatorError as error:
            remedy = (
                'set inference.dtype = "fp32"; if it is "fp32" already, the weights are broken: go back to a checkpoint'
            )
            yield Finding("precision", "failure", str(error), remedy)
            return
        except (BlobError, RuntimeError) as error:
            remedy = (
                "free memory of the device, lower selfplay.batch_rows, or turn off settings of [inference] one by one"
            )
            yield Finding("precision", "failure", f"the network cannot be made ready: {first_line(error)}", remedy)
            return
    for warning in caught:
        found = first_line(warning.message) if isinstance(warning.message, Warning) else str(warning.message)
        if "memory" in found:
            yield Finding(
                "memory", "warning", found, "lower selfplay.batch_rows, or end other processes that use the memory"
            )
            continue
        remedy = "set inference.compile = false, or install the compiler that is named (C++ on a CPU, Triton on a GPU)"
        yield Finding("compilation", "warning", found, remedy)
    known.inference = inference
    half = inference.dtype != torch.float32 or (device.type == "cuda" and config.training.tf32)
    form = f"{inference.form.replace('torch.', '')} on {inference.device}"
    bounds = FP32_BOUNDS if not half else OUTCOME_BOUNDS if isinstance(net, OutcomeNet) else HALF_BOUNDS
    yield _difference("precision", form, answer, plain, legal, in_play, bounds=bounds)
    if inference.device.type == "cpu":
        yield _speed(inference, reference, features, legal)


def _speed(inference: Inference, reference: Inference, features: npt.NDArray[np.uint8], legal: Legal) -> Finding:
    """How much faster the run's network is than the plain one in fp32: alternate batches, the fastest of each."""
    seconds: dict[Inference, float] = {}
    for each in (inference, reference) * _SPEED_TURNS:
        started = time.perf_counter()
        each.evaluate_batch(features, legal)
        seconds[each] = min(time.perf_counter() - started, seconds.get(each, math.inf))
    rate, speedup = len(features) / seconds[inference], seconds[reference] / seconds[inference]
    found = f"{rate:,.0f} evaluations/s by one thread, {speedup:.1f} times as fast as the plain network in fp32"
    return Finding("speed", "ok", found, figures={"evaluations_per_s": rate, "speedup": speedup})


def _positions(
    config: Config, *, rows: int, device: torch.device
) -> tuple[npt.NDArray[np.uint8], Legal, npt.NDArray[np.bool_]]:
    """A batch of positions from the configured rounds, bids and cards alike, played by random playouts.

    Returns:
        features uint8[rows, 256], legal bool[rows, 52], and bool[rows, 8]: the seats in play.
    """
    asked = RoundRange(seed=1, first_round=0, rounds=max(rows // 8, 1), worlds=1, simulations=2)
    searching = config.model_copy(update={"selfplay": config.selfplay.model_copy(update={"agent": "search"})})
    records = configured_self_play(searching, asked, device=device).run("rollout")
    chosen = np.arange(rows) % len(records.features)
    features = np.ascontiguousarray(records.features[chosen])
    in_play = np.arange(SEATS) < features[:, PLAYERS_FEATURE, None]
    return features, np.ascontiguousarray(records.legal[chosen]), in_play


def _self_play(config: Config, device: torch.device, net: Network) -> Iterator[Finding]:
    """A few rounds as an iteration plays them, with less search."""
    options = config.selfplay
    if device.type == "cpu" and options.batch_rows != "auto":  # auto knows that the rounds are few
        options = options.model_copy(update={"batch_rows": min(options.batch_rows, _CPU_ROWS)})
    worker = LocalWorker(config.model_copy(update={"selfplay": options}), device=str(device))
    with warnings.catch_warnings():  # what cannot be compiled was said before
        warnings.simplefilter("ignore")
        try:
            result = worker.play(net, RoundRange(seed=1, first_round=0, rounds=_ROUNDS, simulations=_SIMULATIONS))
        except (BlobError, RuntimeError) as error:
            remedy = "follow the remedy of precision above; if it has none, lower selfplay.batch_rows or free memory"
            yield Finding("self-play", "failure", f"it stops: {first_line(error)}", remedy)
            return
    yield _judged(result.records, finished=result.rounds, seconds=result.seconds)


def _judged(rows: Records, *, finished: int, seconds: float) -> Finding:
    """Whether the rounds ended, and their rows hold numbers that can be learned from."""
    decisions = len(rows.features) or int(rows.rounds["decisions"].sum())
    found = f"{finished} of {_ROUNDS} rounds finished in {seconds:.1f} s, {decisions} rows to learn from"
    figures = {"rounds": finished, "seconds": seconds, "rows": decisions}
    # A row of a seat that only looks on has no policy.
    sums = rows.policy[rows.legal.any(axis=1)].sum(axis=1, dtype=np.float64)
    finite = all(np.isfinite(part).all() for part in (rows.values, rows.root_values, rows.rounds["values"], sums))
    if finished == _ROUNDS and decisions and finite and np.abs(sums - 1).max(initial=0) < 0.01:
        return Finding("self-play", "ok", f"{found}, all finite", figures=figures)
    remedy = (
        "build the core again (maturin develop --release); if that does not help, report it with the output of --json"
    )
    return Finding("self-play", "failure", f"{found}; not all are finite policies and values", remedy, figures)


def _difference(
    check: str,
    what: str,
    answer: Outputs,
    plain: Outputs,
    legal: Legal,
    in_play: npt.NDArray[np.bool_],
    *,
    bounds: tuple[float, float],
) -> Finding:
    """How far an answer is from the plain network's, over legal actions and seats in play."""
    off = np.concatenate([np.abs(answer[0] - plain[0])[legal], np.abs(answer[1] - plain[1])[in_play]])
    policies = int(legal.sum())
    policy, values = float(off[:policies].max()), float(off[policies:].max())
    most = max(float(np.quantile(off[:policies], 0.99)), float(np.quantile(off[policies:], 0.99)))
    bound, bound_of_all = bounds
    found = (
        f"{what}: over {len(legal):,} positions policies are off by {policy:.2g} at most, values by {values:.2g}, "
        f"99 % by {most:.2g}"
    )
    figures = {"policy": policy, "values": values, "p99": most, "bound": bound_of_all, "bound_p99": bound}
    # Written so that a NaN is beyond any bound.
    if policy <= bound_of_all and values <= bound_of_all and most <= bound:
        return Finding(check, "ok", found, figures=figures)
    beyond = f"{found}; should be {bound_of_all:g}, and {bound:g} for 99 %"
    remedy = 'set inference.dtype = "fp32", or turn off inference.compile, pack and fold one by one, and report it'
    return Finding(check, "failure", beyond, remedy, figures)
