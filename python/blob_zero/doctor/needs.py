"""The memory and disk space that a run needs, computed from its settings, against what is there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

import blob_zero as bz
from blob_zero.config.schedule import at
from blob_zero.config.schema import Config
from blob_zero.doctor.findings import Finding, size
from blob_zero.doctor.known import Known
from blob_zero.errors import CheckpointError
from blob_zero.learning.replay import ROW_BYTES
from blob_zero.machine.memory import available_memory, peak_memory
from blob_zero.metrics.log import COLUMNS
from blob_zero.model.blobnet import ACTIONS, FEATURES, SEATS
from blob_zero.model.networks import build_network, configured_shape
from blob_zero.run.atomic_files import PARTIAL, remedy_of, remove_folder, write_folder_atomically
from blob_zero.run.folder import CHECKPOINTS
from blob_zero.run.replay_files import REPLAY
from blob_zero.selfplay.worker import RoundRange, sizes_of

_ROUND_BYTES, _SIMULATION_BYTES = 4096, 650
"""Memory of a round in flight, and of each simulation of its search; at most (docs/performance.md)."""

_CARRIED_ROW_BYTES = FEATURES + ACTIONS + 2 * ACTIONS + 4 * SEATS + 2
_RECORD_BYTES = _CARRIED_ROW_BYTES + 4 * SEATS + 8
"""A decision in a checkpoint's unfinished rounds, and in the records of self-play (docstrings of both)."""

_KEPT_ROUND_BYTES, _ROUND_RECORD_BYTES = 1000, 2000
"""A round that a policy learns from, in the replay and in the records of self-play; at most."""

_CLOSE = 0.8
"""A need above this share of what is available is a warning."""


class Needs:
    """Upper bounds, in bytes, of what a run needs.

    Args:
        config: the settings.
        device: the run's device.

    Attributes:
        memory: by purpose, in addition to what the process holds with PyTorch imported.
        gpu_memory: the same on a GPU, in addition to PyTorch's own.
        checkpoint: of one, without the rows of the replay ring, which checkpoints share.
        disk: of the run's folder, with the checkpoint that is being written.
    """

    def __init__(self, config: Config, *, device: torch.device) -> None:
        run, play, learn, net = config.run, config.selfplay, config.training, config.network
        decisions = _decisions(config)
        last = run.iterations - 1
        rounds = max(at(play.rounds, 0), at(play.rounds, last))
        search = config.search
        worlds = max(at(play.worlds or search.worlds, i) for i in (0, last))
        simulations = max(at(play.simulations or search.simulations, i) for i in (0, last))
        most = RoundRange(seed=0, first_round=0, rounds=rounds, worlds=worlds, simulations=simulations)
        sizes = sizes_of(config, most, device=device)
        with torch.device("meta"):  # counted, not made
            parameters = sum(p.numel() for p in build_network(configured_shape(config)).parameters())
        policy = play.agent == "policy"
        row_bytes = _KEPT_ROUND_BYTES / decisions if policy else ROW_BYTES
        record_bytes = _ROUND_RECORD_BYTES / decisions if policy else _RECORD_BYTES
        recorded = decisions * (1 if policy or not search.own_view else 2)
        new_rows = round(row_bytes * min(learn.replay_rows, recorded * rounds))
        ring = round(row_bytes * min(learn.replay_rows, recorded * rounds * run.iterations))
        # Forward and backward in fp32; the reference's took 0.32 GB where this is 0.40 (docs/performance.md).
        activations = 2 * net.width if policy else 8 * net.width + 2 * net.feed_forward
        step = 8 * learn.batch_size * (net.layers * activations + FEATURES)
        weights = 4 * parameters
        # Learner, two of AdamW's, the best, the untrained, and with a lag the one that plays.
        saved = (5 + play.lag) * weights

        self.memory = {
            "replay ring": ring,
            "writing a checkpoint": 2 * new_rows + saved,
            "rounds in flight": min(sizes.rounds_in_flight, rounds + play.carry_over)
            * (_ROUND_BYTES + (0 if policy else _SIMULATION_BYTES * worlds * simulations)),
            # With a lag the next iteration's come in while these are learned from.
            "records of an iteration": (2 + play.lag) * round(record_bytes * recorded * rounds),
            # Learner, gradient, two of AdamW's; the best, the untrained and the one that plays.
            "networks and a training step": (7 + play.lag) * weights + step,
        }
        lanes = (
            2 * sizes.batch_rows * (FEATURES + ACTIONS + 4 * (ACTIONS + SEATS) + 4 * (2 * net.width + net.feed_forward))
        )
        self.gpu_memory = {
            "replay ring": 0 if policy else ROW_BYTES * learn.replay_rows,  # reserved at the start
            "networks and a training step": 6 * weights + step,
            "inference": lanes,
        }
        metrics = 8 * len(COLUMNS) * run.iterations
        carried_bytes = 1 if policy else _CARRIED_ROW_BYTES
        self.checkpoint = saved + round(play.carry_over * recorded * carried_bytes) + metrics
        # Rows of the kept checkpoints, which share most of them, and of the best, which may be older.
        rows = ring + (run.keep_checkpoints + 1) * new_rows + (ring if config.promotion.enabled else 0)
        # Kept ones, the best, the untrained, and the one that is being written.
        self.disk = rows + self.checkpoint * (run.keep_checkpoints + 2) + 3 * weights + metrics


def check_memory(known: Known) -> Iterator[Finding]:
    """Total and available memory, against the need of the settings beyond what this process already holds."""
    total, available = available_memory()
    there = f"{size(total)} in total, {size(available)} available"
    if known.config is None:
        yield Finding("memory", "ok", there, figures={"total_bytes": total, "available_bytes": available})
        return
    yield _compared(
        "memory",
        Needs(known.config, device=known.device or torch.device("cpu")).memory,
        held=peak_memory(),
        total=total,
        free=available,
        there=there,
        remedy="end other programs, or lower training.replay_rows, selfplay.rounds or selfplay.rounds_in_flight",
    )
    if known.device is not None and known.device.type == "cuda":
        free, gpu_total = torch.cuda.mem_get_info(known.device)
        yield _compared(
            f"memory of {known.device}",
            Needs(known.config, device=known.device or torch.device("cpu")).gpu_memory,
            held=0,
            total=gpu_total,
            free=free,
            there=f"{size(gpu_total)} in total, {size(free)} free",
            remedy="end other processes on the GPU, or lower training.batch_size or selfplay.batch_rows",
        )


def check_disk(known: Known) -> Iterator[Finding]:
    """Whether the run's folder can be written as a run does it, and whether there is space for the whole run."""
    place = _existing(known.request.folder)
    written = _written(place)
    yield written
    free = shutil.disk_usage(place).free
    figures = {"free_bytes": free}
    if known.config is None:
        yield Finding("space", "ok", f"{size(free)} free in {place}", figures=figures)
        return
    needs = Needs(known.config, device=known.device or torch.device("cpu"))
    there_already = sum(_size_of(known.request.folder / part) for part in (CHECKPOINTS, REPLAY))
    left = max(needs.disk - there_already, 0)
    found = (
        f"{size(free)} free in {place}; the run needs up to {size(left)} more: "
        f"{known.config.run.keep_checkpoints} kept checkpoints, the best and one being written, each of "
        f"{size(needs.checkpoint)}, and the rows of their replay rings"
    )
    figures |= {"needed_bytes": left, "checkpoint_bytes": needs.checkpoint}
    remedy = "free some space, choose another --run-dir, or lower training.replay_rows or run.keep_checkpoints"
    if free < left:
        yield Finding("space", "failure", found, remedy, figures)
    elif left > _CLOSE * free:
        yield Finding("space", "warning", f"{found}; that is close", remedy, figures)
    else:
        yield Finding("space", "ok", found, figures=figures)


def _compared(
    check: str, needs: dict[str, int], *, held: int, total: int, free: int, there: str, remedy: str
) -> Finding:
    needed = sum(needs.values())
    parts = ", ".join(f"{name} {size(count)}" for name, count in needs.items())
    found = f"{there}; the run needs up to {size(needed)} more than this command: {parts}"
    figures = {"total_bytes": total, "available_bytes": free, "needed_bytes": needed, "held_bytes": held}
    if held + needed > total:
        return Finding(check, "failure", found, remedy, figures)
    if needed > _CLOSE * free:
        return Finding(check, "warning", f"{found}; that is close", remedy, figures)
    return Finding(check, "ok", found, figures=figures)


def _decisions(config: Config) -> float:
    """Most decisions of a round, or of a game: bids and cards of all players, in the mean over the sizes played."""
    played = [(_turns(config, players, cards), weight) for players, cards, weight in config.game.played()]
    # Weights are shares of decisions, and not of rounds.
    return sum(weight for _, weight in played) / sum(weight / count for count, weight in played)


def _turns(config: Config, players: int, cards: int) -> int:
    sizes = bz.Game(players=players, cards=cards, seed=0).schedule if config.game.whole_games else [cards]
    return sum(players * (size + 1) for size in sizes)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def _written(place: Path) -> Finding:
    """Writes, flushes, renames and deletes in a folder, by the code that writes checkpoints."""
    trial = place / f".doctor-{os.getpid()}"
    try:
        write_folder_atomically(trial, [("trial", b"blob-zero doctor")])
        remove_folder(trial)
    except CheckpointError as error:
        cause = error.__cause__
        remedy = remedy_of(cause) if isinstance(cause, OSError) else None
        found = str(error).partition(";")[0]
        return Finding("writable", "failure", found, f"{(remedy or 'choose another folder').rstrip(',')} (--run-dir)")
    return Finding("writable", "ok", f"{place}: a file was written, flushed, renamed and deleted")


def _size_of(folder: Path) -> int:
    """Bytes of all files in a folder, without files that are deleted meanwhile or may not be read."""
    count = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            count += path.stat().st_size if path.is_file() and PARTIAL not in path.name else 0
    return count
