"""`bench train`: the training step against the device's limit, its own matrix products with nothing around them."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from blob_zero.bench.matrix_products import flops_a_row, matrix_products
from blob_zero.bench.settings import PlaySettings, build_network
from blob_zero.bench.tables import Measurement
from blob_zero.config.load import load_config, preset_path
from blob_zero.config.schema import TrainingConfig
from blob_zero.config.search_options import SearchOptions
from blob_zero.machine.memory import peak_memory

if TYPE_CHECKING:
    import torch

    from blob_zero.learning.learner import Learner
    from blob_zero.learning.played import Replay

COLUMNS = {
    "examples_per_s": "examples/s",
    "examples_per_s_low": "slowest turn",
    "examples_per_s_high": "fastest turn",
    "step_ms": "a step, ms",
    "limit_examples_per_s": "its matrix products alone, examples/s",
    "limit_share": "share of that limit reached",
    "limit_tflops": "matrix products alone, TFLOP/s",
    "precision": "precision",
    "compiled": "compiled",
    "parts": "parts of a batch",
    "torch_threads": "PyTorch's threads",
    "peak_memory_bytes": "peak memory, bytes",
    "device_memory_bytes": "peak memory of the device, bytes",
    "device": "device",
}

# Batches in the replay that is learned from: more than caches hold of the full batch, few enough to be played at once.
_BATCHES = 8
# Steps between two waits for a GPU, without which its queue would grow without end.
_STEPS_A_WAIT = 16
_WARM_UP_STEPS = 3


def bench_training(
    config: TrainingConfig,
    play: PlaySettings,
    *,
    passes: int = 5,
    seconds: float = 2.0,
    notice: Callable[[str], None] = lambda _: None,
) -> Measurement:
    """Times training and its matrix products alternately, on rows of real rounds, after warm-up and compilation.

    A step is all that training does with a batch: gathering it or rebuilding it from rounds, forward, loss, backward,
    clipping and the optimizer. The limit is forward and backward of the linear layers at the same precision, one matrix
    product after the other on random numbers; on a GPU they are launched all at once by a CUDA graph.

    Args:
        config: batch size, precision, compilation and the rest. Without a size of the critic, that of `quick`'s network
            has `quick`'s.
        play: network, device, and on a CPU PyTorch's threads; the rounds are played with equal priors.
        passes: turns of each, at least 1.
        seconds: length of a turn.
        notice: called with a line before each pass.

    Raises:
        DeviceError: the device is not there.
    """
    import torch

    from blob_zero.inference.devices import resolve_device
    from blob_zero.learning.learner import Learner

    if play.agent == "policy" and play.network is None and config.critic_width is None:
        quick = load_config(preset_path("quick")).training
        sizes = {"critic_width": quick.critic_width, "critic_layers": quick.critic_layers}
        config = config.model_copy(update=sizes)
    device = resolve_device(play.device)
    threads = torch.get_num_threads()
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high" if config.tf32 else "highest")
    try:
        if play.threads is not None:
            torch.set_num_threads(play.threads)
        notice("playing rounds to learn from")
        replay = _replay(play, rows=_BATCHES * config.batch_size)
        learner = Learner(build_network(play), config, device=device, iterations=100)
        notice("warming up, and compiling where asked for")
        learn = warm_up(learner, replay, notice)
        precision = learner.gradients.precision
        products = matrix_products(learner.net.shape, config, device=device, precision=precision)
        for _ in range(_WARM_UP_STEPS):
            products()
        rates, limits = [], []
        for turn in range(1, passes + 1):
            notice(f"pass {turn} of {passes}: training")
            rates.append(config.batch_size * _calls_per_second(learn, device, seconds))
            notice(f"pass {turn} of {passes}: matrix products alone")
            limits.append(config.batch_size * _calls_per_second(products, device, seconds))
        used = torch.get_num_threads()
    finally:
        torch.set_num_threads(threads)
    rate, limit = float(np.median(rates)), float(np.median(limits))
    return {
        "examples_per_s": rate,
        "examples_per_s_low": min(rates),
        "examples_per_s_high": max(rates),
        "step_ms": 1e3 * config.batch_size / rate,
        "limit_examples_per_s": limit,
        "limit_share": float(np.median(np.array(rates) / limits)),
        "limit_tflops": limit * flops_a_row(learner.net.shape, config) / 1e12,
        "precision": learner.gradients.precision,
        "compiled": learner.gradients.compiled,
        "parts": learner.gradients.parts,
        "torch_threads": used if device.type == "cpu" else None,
        "peak_memory_bytes": peak_memory(),
        "device_memory_bytes": torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
        "device": str(device),
    }


def _replay(play: PlaySettings, *, rows: int) -> "Replay":
    """A replay of at least `rows` rows to train on, from quick rounds of the settings' players and cards."""
    from blob_zero.learning.replay import ReplayRing, columns_of
    from blob_zero.learning.round_replay import RoundReplay

    quick = replace(
        play, search=SearchOptions(worlds=1, simulations=8), batch_rows=256, threads=None, rounds_in_flight=None
    )
    if play.agent == "policy":
        # Each seat bids, so these are enough though one round in twenty is held out.
        rounds = max(64, rows // (play.players - 1))
        replay = RoundReplay(20 * rows)
        replay.append(quick.self_play(rounds=rounds).run(quick.even_evaluator()).rounds)
        return replay
    ring = ReplayRing(rows)
    turn, rounds = 0, max(64, rows // (4 * play.players))
    while len(ring) < rows:
        # The numbers of rounds go on, since they decide which are held out.
        played = quick.self_play(rounds=rounds, first_round=turn * rounds).run(quick.even_evaluator())
        ring.append(columns_of(played))
        turn += 1
    return ring


def warm_up(learner: "Learner", replay: "Replay", notice: Callable[[str], None]) -> Callable[[], object]:
    """Takes a few steps, which compile the step where asked for, and returns a function that takes the next one."""
    rng = np.random.default_rng(0)

    def endless() -> Iterator[Any]:
        while True:
            yield from learner.minibatches(replay, rng, iteration=0, notice=notice).batches

    batches = endless()
    learner.net.train()

    def step() -> object:
        return learner.step(next(batches), rate=learner.config.learning_rate, notice=notice)

    for _ in range(_WARM_UP_STEPS):
        step()
    return step


def _calls_per_second(work: Callable[[], object], device: "torch.device", seconds: float) -> float:
    """Calls a second, including the work that they leave to the device."""
    import torch

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    wait()
    started = time.perf_counter()
    calls = 0
    while not calls or time.perf_counter() - started < seconds:
        work()
        calls += 1
        if calls % _STEPS_A_WAIT == 0:
            wait()
    wait()
    return calls / (time.perf_counter() - started)
