"""The choices of the run, including those that `auto` makes."""

from collections.abc import Iterator

from blob_zero.config.schema import Config
from blob_zero.doctor.findings import Finding, NotCheckedError
from blob_zero.doctor.known import Known, first_rounds
from blob_zero.inference.devices import auto_precision
from blob_zero.selfplay.sizes import Sizes


def list_choices(known: Known) -> Iterator[Finding]:
    """Inference, search and training, as a run would set them up here."""
    config, device = known.settings(), known.where()
    sizes = known.sizes()
    yield _self_play(config, sizes)
    if known.inference is None:
        raise NotCheckedError("the network cannot be made ready")
    inference, options, rows = known.inference, config.inference, sizes.batch_rows
    form = inference.form.replace("torch.", "")
    by_auto = [name for name in ("dtype", "pack", "compile") if getattr(options, name) == "auto"]
    yield Finding(
        "inference",
        "ok",
        f"{form} on {device}, by {inference.workers} threads, each with a lane of {rows:,} rows"
        + (f"; auto decided {', '.join(by_auto)}" if by_auto else ""),
        figures={"device": str(device), "form": form, "workers": inference.workers, "batch_rows": rows},
    )
    learn = config.training
    precision = auto_precision(device) if learn.precision == "auto" else learn.precision
    compiled = device.type == "cuda" if learn.compile == "auto" else learn.compile
    yield Finding(
        "training",
        "ok",
        f"{precision}{', compiled' if compiled else ''} on {device}, "
        f"batches of {learn.batch_size:,}, a replay of {learn.replay_rows:,} rows",
        figures={
            "precision": precision,
            "compiled": compiled,
            "batch_size": learn.batch_size,
            "replay_rows": learn.replay_rows,
        },
    )


def _self_play(config: Config, sizes: Sizes) -> Finding:
    first = first_rounds(config)
    in_flight = min(sizes.rounds_in_flight, first.rounds)
    search = "without search," if config.selfplay.agent == "policy" else f"search {first.worlds}x{first.simulations}"
    return Finding(
        "self-play",
        "ok",
        f"{config.run.iterations} iterations, the first of {first.rounds:,} rounds, {in_flight:,} in flight, {search} "
        f"by {sizes.search_threads} threads, batches of {sizes.batch_rows:,}",
        figures={"rounds_in_flight": in_flight, "threads": sizes.search_threads, "batch_rows": sizes.batch_rows},
    )
