"""What the run would use, what `auto` chose included."""

from collections.abc import Iterator

from blob_zero.config import Config
from blob_zero.devices import auto_precision
from blob_zero.doctor.findings import Finding, NotCheckedError
from blob_zero.doctor.known import Known
from blob_zero.schedule import at
from blob_zero.self_player import configured_self_play


def list_choices(known: Known) -> Iterator[Finding]:
    """Inference, search and training, as a run would set them up here."""
    config, device = known.settings(), known.where()
    yield _self_play(config)
    if known.inference is None:
        raise NotCheckedError("the network cannot be made ready")
    inference, options, rows = known.inference, config.inference, config.selfplay.batch_rows
    steps = inference.steps.replace("torch.", "")
    by_auto = [name for name in ("dtype", "pack", "compile") if getattr(options, name) == "auto"]
    yield Finding(
        "inference",
        "ok",
        f"{steps} on {device}, by {inference.workers} threads, each with a lane of {rows:,} rows"
        + (f"; auto decided {', '.join(by_auto)}" if by_auto else ""),
        figures={"device": str(device), "steps": steps, "workers": inference.workers, "batch_rows": rows},
    )
    learn = config.training
    precision = auto_precision(device) if learn.precision == "auto" else learn.precision
    compiled = device.type == "cuda" if learn.compile == "auto" else learn.compile
    yield Finding(
        "training",
        "ok",
        f"{precision}{', compiled' if compiled else ''} on {device}, "
        f"batches of {learn.batch_size:,}, a replay ring of {learn.replay_rows:,} rows",
        figures={
            "precision": precision,
            "compiled": compiled,
            "batch_size": learn.batch_size,
            "replay_rows": learn.replay_rows,
        },
    )


def _self_play(config: Config) -> Finding:
    options, search = config.selfplay, config.search
    rounds = at(options.rounds, 0)
    worlds, simulations = at(options.worlds or search.worlds, 0), at(options.simulations or search.simulations, 0)
    play = configured_self_play(config, seed=0, first_round=0, rounds=rounds, worlds=worlds, simulations=simulations)
    in_flight = min(play.rounds_in_flight, rounds)
    return Finding(
        "self-play",
        "ok",
        f"{config.run.iterations} iterations, the first of {rounds:,} rounds, {in_flight:,} in flight, search "
        f"{worlds}x{simulations} by {play.threads} threads, batches of {options.batch_rows:,}",
        figures={"rounds_in_flight": in_flight, "threads": play.threads, "batch_rows": options.batch_rows},
    )
