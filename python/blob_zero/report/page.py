"""The page: which charts a run has something for, the last numbers in tables, and the files."""

import base64
import html
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import polars as pl

from blob_zero.atomic_files import make_folder, write_atomically
from blob_zero.checkpoint import latest_checkpoint
from blob_zero.config import parse_config, to_toml
from blob_zero.errors import BlobError, CheckpointError
from blob_zero.report.calibration import NetworkCalibration, network_calibration, root_value_weight
from blob_zero.run_folder import METRICS
from blob_zero.standings import STANDINGS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "report.html"

_DOTS_PER_INCH = 130


@dataclass(frozen=True)
class _Chart:
    name: str
    """Of the PNG."""
    title: str
    caption: str
    draw: Callable[[], "Figure"]


def write_report(run: Path, out: Path | None = None) -> Path:
    """Write the page of a run, at work or finished, and its charts as PNGs beside it.

    Args:
        run: the run's folder.
        out: the folder to write to; `report` in the run's folder by default.

    Returns:
        The page; it holds its charts and needs no other file.

    Raises:
        BlobError: matplotlib is not installed.
        CheckpointError: the folder holds no run, no iteration is done, or a file cannot be read or written.
    """
    if find_spec("matplotlib") is None:
        raise BlobError("a report needs matplotlib, which is not installed: pip install blob-zero[report]")
    frame = _metrics(run)
    checkpoint, _damaged = latest_checkpoint(run / "checkpoints")
    if checkpoint is None:
        raise CheckpointError(f"{run} has no checkpoint; should be the folder of a run")
    config = parse_config(checkpoint.state.get("config", {}), source=f"the checkpoint of {run}")
    calibrated = network_calibration(checkpoint)
    blended = root_value_weight(checkpoint.state)

    folder = out or run / "report"
    make_folder(folder)
    figures = []
    for chart in _charts(frame, calibrated, blended=blended):
        png = _png(chart.draw())
        write_atomically(folder / f"{chart.name}.png", png)
        figures.append(_figure(chart, png))
    game, search = config.game, config.search
    done = frame["iteration"].max()
    page = Template(resources.files("blob_zero").joinpath("report/template.html").read_text(encoding="utf-8"))
    text = page.substitute(
        title=html.escape(f"Run {run.resolve().name}"),
        subtitle=html.escape(
            f"{done} of {config.run.iterations} iterations, {frame['rounds'].max():,} rounds: "
            f"{game.players} players, {game.cards} cards, search {search.worlds}x{search.simulations}"
        ),
        tables=_last_numbers(frame) + _final_table(run / STANDINGS),
        figures="\n".join(figures),
        settings=html.escape(to_toml(config)),
    )
    write_atomically(folder / PAGE, text.encode())
    return folder / PAGE


def _metrics(run: Path) -> pl.DataFrame:
    path = run / METRICS
    if not path.is_file():
        raise CheckpointError(f"{run} has no {METRICS}; should be the folder of a run with an iteration done")
    try:
        frame = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise CheckpointError(f"cannot read the metrics {path}: {error}") from error
    if not len(frame):
        raise CheckpointError(f"no iteration of {run} is done yet; should be at least 1")
    return frame


def _charts(frame: pl.DataFrame, calibrated: NetworkCalibration | None, *, blended: float) -> Iterator[_Chart]:
    """The charts that the run has numbers for."""
    from blob_zero.report import charts

    if charts.opponents(frame):
        yield _Chart(
            "strength",
            "Strength",
            "The best network with the run's search against fixed opponents, always on the same deals, by which "
            "nothing is trained or chosen. Above zero it scores more than the opponent; a band that reaches across "
            "zero does not tell them apart.",
            lambda: charts.strength(frame),
        )
    yield _Chart(
        "losses",
        "Losses",
        "The policy loss cannot fall below the entropy of the search's visits; the distance between both is what the "
        "network has not learned of them. Early falls and later rises of both are usual, as the search itself changes.",
        lambda: charts.losses(frame),
    )
    if charts.has(frame, "promotion_difference"):
        yield _Chart(
            "promotion",
            "Promotion",
            "The candidate against the best network so far, on fresh deals each time. It is promoted when the lower "
            "end of the interval exceeds the margin that the settings ask for.",
            lambda: charts.promotion(frame),
        )
    if charts.has(frame, "rating"):
        yield _Chart("ratings", "Ratings", "Of the run's own networks.", lambda: charts.ratings(frame))
    if calibrated is not None:
        yield _Chart("calibration", "Calibration", _about_calibration(calibrated, blended), lambda: charts.calibration(
            calibrated))  # fmt: skip
    yield _Chart("speed", "Speed", "Self-play alone, without training and matches.", lambda: charts.speed(frame))


def _about_calibration(calibrated: NetworkCalibration, blended: float) -> str:
    text = (
        f"What the best network predicts, without search, against what came of it in {calibrated.rows:,} rows of the "
        "newest checkpoint's replay ring. These rounds were played by this run with exploration, and were trained on. "
        "The chance of a bid is read from the value of the seat that made it: its expected points over those of the "
        "bid made."
    )
    if blended:
        text += (
            f" Outcomes are mixed here with {blended:.0%} of the search's own expectation, as training took them "
            "(training.root_value_weight), and look better than they are."
        )
    return text


def _png(figure: "Figure") -> bytes:
    file = io.BytesIO()
    # Without its own version in it, the same run gives the same bytes.
    figure.savefig(file, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return file.getvalue()


def _figure(chart: _Chart, png: bytes) -> str:
    data = base64.b64encode(png).decode()
    return (
        f'<figure id="{chart.name}"><h2>{html.escape(chart.title)}</h2>'
        f'<img alt="{html.escape(chart.title)} by iteration" src="data:image/png;base64,{data}">'
        f"<figcaption>{html.escape(chart.caption)}</figcaption></figure>"
    )


def _last_numbers(frame: pl.DataFrame) -> str:
    """First and last value of what one asks for first."""
    from blob_zero.report import charts

    shown = [
        ("rounds of self-play a minute", "rounds_per_minute", ",.0f"),
        ("policy loss (nats)", "policy_loss", ".3f"),
        ("policy loss above its least (nats)", "policy_kl", ".3f"),
        ("value loss", "value_loss", ".3f"),
        ("bids made exactly in self-play", "selfplay_exact", ".1%"),
    ]
    shown += [(f"points a round more than {name}", f"{name}_difference", "+.2f") for name in charts.opponents(frame)]
    rows = []
    for text, column, form in shown:
        if charts.has(frame, column):
            values = frame[column].drop_nulls()
            rows.append((text, format(values[0], form), format(values[-1], form)))
    return _table(("", "first measured", "last measured"), rows)


def _final_table(path: Path) -> str:
    """The table that ended the run, if it has ended."""
    try:
        standings = json.loads(path.read_bytes())["standings"]
        rows = [
            (
                f"against {one['opponent']}",
                f"{one['match']['difference']:+.2f}",
                f"{one['match']['low']:+.2f} to {one['match']['high']:+.2f}",
                f"{one['match']['deals']:,}",
            )
            for one in standings
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # no run that has ended; `train` writes it again when asked
    head = ("on fresh deals, at the end", "points a round more", "95 % interval", "deals")
    return _table(head, rows)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    cells = "".join(f"<th>{html.escape(text)}</th>" for text in head)
    lines = ["".join(f"<td>{html.escape(text)}</td>" for text in row) for row in rows]
    return f"<table><tr>{cells}</tr>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
