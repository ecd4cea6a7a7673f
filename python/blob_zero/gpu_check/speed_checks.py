"""The benchmarks and a training run, with sizes that fit into a few minutes."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from blob_zero.bench.compare import bench_compare
from blob_zero.bench.inference import bench_inference
from blob_zero.bench.iteration import bench_iteration
from blob_zero.bench.selfplay import measure_selfplay
from blob_zero.bench.settings import PlaySettings, build_evaluator
from blob_zero.bench.tables import Measurement
from blob_zero.bench.training import bench_training
from blob_zero.config.load import load_config, preset_path
from blob_zero.config.schema import Config, TrainingConfig
from blob_zero.config.search_options import parse_search
from blob_zero.gpu_check.place import SMALL_NETWORK, Place
from blob_zero.gpu_check.training_checks import train_quietly

_ITERATIONS_SHARE = 0.55
"""Share of a training run's time for its iterations; the rest goes to compiling, to measuring one, and to the table."""


def inference(place: Place) -> list[Measurement]:
    """`bench inference`."""
    settings = replace(_settings(place), batch_rows=place.size(4096, 64))
    return bench_inference(settings, seconds=0.02 if place.small else 0.5)


def selfplay(place: Place, rows: int) -> Measurement:
    """`bench selfplay` with batches of `rows` rows."""
    rounds = place.size(max(6 * rows, 40_000), 40)
    search = parse_search("1x4") if place.small else _settings(place).search
    settings = replace(_settings(place), batch_rows=place.size(rows, 32), rounds=rounds, search=search)
    return measure_selfplay(settings, build_evaluator(settings), limit_seconds=0.04 if place.small else 1.0)


def selfplay_without_search(place: Place) -> Measurement:
    """`bench selfplay --agent policy` with the network of `quick`."""
    settings = _without_search(place)
    settings = replace(settings, batch_rows=place.size(16_384, 32), rounds=place.size(200_000, 60))
    return measure_selfplay(settings, build_evaluator(settings), limit_seconds=0.04 if place.small else 1.0)


def training_of_outcomes(place: Place) -> Measurement:
    """`bench train --agent policy` with the batches of `quick`."""
    passes, seconds = (1, 0.02) if place.small else (3, 1.0)
    return bench_training(
        TrainingConfig(batch_size=place.size(4096, 64)), _without_search(place), passes=passes, seconds=seconds
    )


def training(place: Place, rows: int) -> Measurement:
    """`bench train` with steps of `rows` rows."""
    config = TrainingConfig(batch_size=place.size(rows, 32))
    passes, seconds = (1, 0.02) if place.small else (3, 1.0)
    return bench_training(config, _settings(place), passes=passes, seconds=seconds)


def compare(place: Place) -> list[Measurement]:
    """`bench compare` at one level."""
    level, seconds, deals = ("1x2", 0.02, 2) if place.small else ("medium", 1.0, 20)
    return bench_compare(
        _settings(place),
        levels=[level],
        threads=[1] if place.small else None,
        seconds=seconds,
        policy_rounds=1,
        deals=deals,
    )


def iteration(place: Place) -> Measurement:
    """`bench iteration`."""
    return bench_iteration(_full(place), device=place.device)


def run(place: Place) -> Measurement:
    """`quick` for about five minutes, or the time that is left, with the table that ends it."""
    config = _quick(place)
    measured = bench_iteration(config, device=place.device)
    seconds = measured["iteration_seconds"]
    assert isinstance(seconds, float)
    iterations = 2 if place.small else max(3, min(1000, int(_ITERATIONS_SHARE * place.seconds / seconds)))
    config = config.model_copy(update={"run": config.run.model_copy(update={"iterations": iterations})})
    table = train_quietly(config, place.folder / "run", place.device)
    row: Measurement = {"iterations": iterations}
    for comparison in table:
        match = comparison.match
        row |= {
            f"{comparison.opponent}, points": match.first.points,
            f"{comparison.opponent}, difference": match.difference,
            f"{comparison.opponent}, from": match.low,
            f"{comparison.opponent}, to": match.high,
        }
    return row


def _settings(place: Place) -> PlaySettings:
    """The full network, or on a CPU a tiny one that an earlier check left behind."""
    if not place.small:
        return PlaySettings(device=place.device)
    net = _small_network(place)
    return PlaySettings(device=place.device, network=net, batch_rows=32, threads=1, players=3, cards=2)


def _without_search(place: Place) -> PlaySettings:
    """Play without search by an untrained network of `quick`."""
    if not place.small:
        return PlaySettings(device=place.device, agent="policy")
    return PlaySettings(device=place.device, agent="policy", batch_rows=32, threads=1, players=3, cards=2)


def _quick(place: Place) -> Config:
    """The preset `quick`, measured at its end alone, or a tiny run of its kind."""
    changes: Mapping[str, object] = {"evaluation.every": 10_000}
    if place.small:
        changes = {
            **changes,
            "selfplay.rounds": 60,
            "selfplay.batch_rows": 32,
            "network.width": 16,
            "training.batch_size": 32,
            "evaluation.final_deals": 4,
            "evaluation.batch_rows": 32,
            "evaluation.opponents": ["random", "rule"],
        }
    return load_config(preset_path("quick"), [f"{name}={json.dumps(value)}" for name, value in changes.items()])


def _small_network(place: Place) -> Path:
    """A checkpoint of a tiny network."""
    folder = place.folder / "small"
    if not folder.exists():
        train_quietly(_full(place, iterations=1), folder, place.device)
    return folder


def _full(place: Place, *, iterations: int | None = None) -> Config:
    """Rounds of 4 players with 5 cards on the full network: `reference` with fewer passes, or a tiny run."""
    changes: Mapping[str, object] = {
        "selfplay.rounds": 8000,
        "training.epochs": 4,
        "evaluation.every": 1000,
        "evaluation.final_deals": 500,
    }
    if place.small:
        changes = {
            "selfplay.rounds": 20,
            "selfplay.carry_over": 0,
            "selfplay.batch_rows": 32,
            "search.worlds": 1,
            "search.simulations": 4,
            "training.batch_size": 32,
            "training.epochs": 1,
            "training.replay_rows": 2000,
            "evaluation.every": 1000,
            "evaluation.final_deals": 4,
            "evaluation.batch_rows": 32,
            "promotion.enabled": False,
            **{f"network.{name}": size for name, size in SMALL_NETWORK.items()},
        }
    if iterations is not None:
        changes = {**changes, "run.iterations": iterations}
    text = [f"{name}={str(value).lower()}" for name, value in changes.items()]
    return load_config(preset_path("reference"), text)
