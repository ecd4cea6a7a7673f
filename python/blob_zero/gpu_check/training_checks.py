"""Checks of training: against the CPU, with too little memory, stopped and continued."""

import contextlib
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from blob_zero.arena.final_table import Comparison
from blob_zero.bench.tables import Measurement
from blob_zero.config.choices import Dtype
from blob_zero.config.load import parse_config
from blob_zero.config.schema import Config, TrainingConfig
from blob_zero.config.search_options import PolicyOptions
from blob_zero.gpu_check.place import SMALL_NETWORK, Place, little_memory, require
from blob_zero.inference.devices import resolve_device
from blob_zero.learning.learner import Learner
from blob_zero.learning.loop import train
from blob_zero.learning.replay import ReplayRing, columns_of
from blob_zero.learning.round_replay import RoundReplay
from blob_zero.metrics.log import MetricsRow

LOSS_TOLERANCES = {"fp32": 0.01, "fp16": 0.02, "bf16": 0.02}


def precision(place: Place, dtype: Literal["fp32", "fp16", "bf16"]) -> Measurement:
    """Losses of some steps in a precision are near those in fp32 on the CPU, from the same weights and rows."""
    ring, batch = _ring(place.size(16_384, 256)), place.size(2048, 32)
    found = {}
    choices: tuple[tuple[str, Dtype], ...] = ((place.device, dtype), ("cpu", "fp32"))
    for device, numbers in choices:
        config = TrainingConfig(epochs=2, batch_size=batch, precision=numbers)
        learner = _learner(place, config, device)
        found[device, numbers] = learner.train(ring, np.random.default_rng(0), iteration=1)
    here, cpu = found[place.device, dtype], found["cpu", "fp32"]
    off = [abs(here.losses[name] - cpu.losses[name]) for name in ("policy_loss", "value_loss")]
    for name, difference in zip(("policy", "value"), off, strict=True):
        require(
            difference <= LOSS_TOLERANCES[dtype],
            f"{name} loss is {difference:.4g} from fp32 on the CPU; should be at most {LOSS_TOLERANCES[dtype]}",
        )
    return {
        "policy_loss": here.losses["policy_loss"],
        "policy_loss_difference": off[0],
        "value_loss_difference": off[1],
        "steps": here.steps,
        "skipped_steps": here.skipped_steps,
        "examples_per_s": here.examples_per_second,
    }


_NOT_COMPARED = ("update_kl", "missed_loss", "tricks_loss")
"""The first adds up the differences of all steps before. The last two are of a fourth of the rows, so that a step
that fp16 leaves out to lower its scale shows in their means."""


def outcomes(place: Place) -> Measurement:
    """OutcomeNet learns from rounds in each precision, step by step and on a GPU as a captured CUDA graph."""
    replay = _rounds(place.size(65_536, 512))
    expected = _losses_of_outcomes(place, replay, "cpu", "fp32", graph=False)
    found: Measurement = {}
    dtypes: tuple[Dtype, ...] = ("bf16", "fp16", "fp32")
    for dtype in dtypes:
        for graph in (False, True):
            name = f"{dtype}{', graph' if graph else ''}"
            losses = _losses_of_outcomes(place, replay, place.device, dtype, graph=graph)
            off = {loss: abs(value - expected[loss]) for loss, value in losses.items() if loss not in _NOT_COMPARED}
            worst = max(off, key=lambda loss: off[loss])
            require(
                off[worst] <= LOSS_TOLERANCES[dtype],
                f"{worst} in {name} is {off[worst]:.4g} from fp32 on the CPU; should be at most "
                f"{LOSS_TOLERANCES[dtype]}",
            )
            found[f"{name}, difference of losses"] = off[worst]
    return found


def _losses_of_outcomes(
    place: Place, replay: RoundReplay, device: str, dtype: Dtype, *, graph: bool
) -> dict[str, float]:
    # The step is captured where it is compiled.
    config = TrainingConfig(epochs=1, batch_size=place.size(4096, 64), precision=dtype, compile=graph)
    learner = Learner(place.outcome_network(), config, device=resolve_device(device), iterations=10)
    return learner.train(replay, np.random.default_rng(0), iteration=1).losses


def short_memory(place: Place) -> Measurement:
    """Memory that is too small for a batch: it is learned in parts, with the same losses."""
    ring = _ring(65_536)
    config = TrainingConfig(epochs=1, batch_size=65_536, precision="bf16", compile=False)
    expected = _learner(place, config, place.device).train(ring, np.random.default_rng(0), iteration=1)
    learner = _learner(place, config, place.device)
    said: list[str] = []
    with little_memory(place.device, 1500):
        found = learner.train(ring, np.random.default_rng(0), iteration=1, notice=said.append)
    enough = "1,500 MB were enough for 65,536 rows; they should not be, so nothing was tested"
    require(learner.gradients.parts > 1, enough)
    off = abs(found.losses["policy_loss"] - expected.losses["policy_loss"])
    require(off < 1e-3, f"the loss in parts is {off:.4g} from the whole batch's; should be below 0.001")
    return {"parts": learner.gradients.parts, "policy_loss_difference": off, "said": " / ".join(said)}


def continued(place: Place, agent: Literal["search", "policy"]) -> Measurement:
    """A run that is stopped after an iteration and continued ends as one that was not stopped."""
    whole, parts = (place.folder / f"{agent}-{name}" for name in ("whole", "parts"))
    config = _run_config(place, iterations=3, agent=agent)
    train_quietly(config, whole, place.device)
    with contextlib.suppress(KeyboardInterrupt):
        train_quietly(config, parts, place.device, stop_after=1)
    train_quietly(config, parts, place.device)
    first, second = _weights(whole), _weights(parts)
    off = max(float(np.abs(first[name] - second[name]).max()) for name in first)
    require(off < 1e-3, f"weights are up to {off:.4g} apart after a continuation; should be below 0.001")
    return {"weights_difference": off, "identical": off == 0.0}


class _Quiet:
    """A display that shows nothing, and can interrupt the run after an iteration."""

    def __init__(self, stop_after: int | None) -> None:
        self._stop_after = stop_after

    def message(self, text: str) -> None:
        """See `Display`."""

    def iteration_started(self, iteration: int, iterations: int) -> None:
        """See `Display`."""

    def self_play(self, progress: object, *, batch_rows: int | None, unit: str = "rounds") -> None:
        """See `Display`."""

    def training(self, step: int, steps: int, loss: float) -> None:
        """See `Display`."""

    def judging(self, opponent: str) -> None:
        """See `Display`."""

    def iteration_done(self, row: MetricsRow) -> None:
        """See `Display`."""
        if row["iteration"] == self._stop_after:
            raise KeyboardInterrupt


def train_quietly(config: Config, folder: Path, device: str, *, stop_after: int | None = None) -> list[Comparison]:
    """Train in a folder without a display, or until an iteration is done, and then raise KeyboardInterrupt."""
    return train(config, folder, display=_Quiet(stop_after), device=device)


def _run_config(place: Place, *, iterations: int, agent: Literal["search", "policy"]) -> Config:
    settings: dict[str, dict[str, object]] = {
        "run": {"seed": 5, "iterations": iterations},
        "game": {"players": 3, "cards": 3},
        "search": {"worlds": 2, "simulations": 8},
        "selfplay": {"rounds": place.size(500, 20), "batch_rows": place.size(512, 32)},
        "network": dict(SMALL_NETWORK) if place.small else {"layers": 2},
        "training": {"epochs": 1, "batch_size": place.size(256, 32), "replay_rows": 20_000},
        "evaluation": {"every": 9, "deals": 4, "final_deals": 4, "batch_rows": place.size(512, 32)},
        "promotion": {"enabled": False},
    }
    if agent == "policy":
        settings["selfplay"] |= {"agent": "policy", "rounds": place.size(2000, 60)}
        settings["network"] = {"kind": "outcome", "width": place.size(256, 16), "layers": 2}
        del settings["search"]
    return parse_config(settings, source="gpu_check")


def _weights(folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    from blob_zero.run.weights_file import load_network

    return {name: tensor.cpu().numpy() for name, tensor in load_network(folder).state_dict().items()}


def _learner(place: Place, config: TrainingConfig, device: str) -> Learner:
    return Learner(place.network(), config, device=resolve_device(device), iterations=10)


def _rounds(rows: int) -> RoundReplay:
    import blob_zero as bz
    from blob_zero.bench.settings import NullEvaluator

    play = bz.SelfPlay(players=4, cards=5, policy=PolicyOptions(), rounds=max(rows // 12, 40), batch_rows=256)
    replay = RoundReplay(2 * rows)
    replay.append(play.run(NullEvaluator(256)).rounds)
    return replay


def _ring(rows: int) -> ReplayRing:
    import blob_zero as bz

    ring, seed = ReplayRing(rows), 0
    while len(ring) < rows:
        rounds = max(rows // 10, 20)
        play = bz.SelfPlay(players=4, cards=5, worlds=1, simulations=8, rounds=rounds, seed=seed)
        ring.append(columns_of(play.run("uniform")))
        seed += 1
    return ring
