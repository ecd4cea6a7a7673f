"""The page of a run: its charts, its last numbers in tables, and the files."""

import base64
import html
import io
import json
import warnings
from collections.abc import Sequence
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import polars as pl

from blob_zero.arena.final_table import FINAL_TABLE
from blob_zero.config.load import parse_config, to_toml
from blob_zero.errors import BlobError, CheckpointError
from blob_zero.report.calibration import held_out_calibration, result_share, root_value_weight
from blob_zero.run.atomic_files import make_folder, write_atomically
from blob_zero.run.checkpoint import latest_checkpoint
from blob_zero.run.folder import METRICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from blob_zero.report.captions import CaptionedChart

PAGE = "report.html"

_DOTS_PER_INCH = 180


def write_report(run: Path, out: Path | None = None) -> Path:
    """Writes the page of a run, at work or finished, and its charts as PNGs beside it.

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
        raise BlobError("a report needs matplotlib, which is not installed: pip install 'blob-zero[report]'")
    from blob_zero.report.captions import captioned_charts  # imports matplotlib

    frame = _metrics(run)
    checkpoint, damaged = latest_checkpoint(run / "checkpoints")
    for line in damaged:
        warnings.warn(f"skipping a damaged checkpoint: {line}", RuntimeWarning, stacklevel=2)
    if checkpoint is None:
        raise CheckpointError(f"{run} has no checkpoint; should be the folder of a run")
    config = parse_config(checkpoint.state.get("config", {}), source=f"the checkpoint of {run}")
    calibrated = held_out_calibration(run, checkpoint)
    blended = root_value_weight(checkpoint.state)
    has_bid_chances = result_share(checkpoint.state) == 0

    folder = out or run / "report"
    make_folder(folder)
    figures = []
    for chart in captioned_charts(frame, calibrated, blended=blended, has_bid_chances=has_bid_chances):
        png = _png(chart.draw())
        write_atomically(folder / f"{chart.name}.png", png)
        figures.append(_figure(chart, png))
    game = config.game
    unit = "games" if game.whole_games else "rounds"
    sizes = f"self-play of {len(game.played())} sizes of round, matches of " if game.shapes else ""
    iterations, rounds = (int(frame[name].to_numpy().max()) for name in ("iteration", "rounds"))
    page = Template(resources.files("blob_zero").joinpath("report/template.html").read_text(encoding="utf-8"))
    text = page.substitute(
        title=html.escape(f"Run {run.resolve().name}"),
        subtitle=html.escape(
            f"{iterations} of {config.run.iterations} iterations, {rounds:,} {unit}: "
            f"{sizes}{game.players} players, {game.cards_text()}, {config.play_text()}"
        ),
        tables=_last_numbers(frame) + _final_table(run / FINAL_TABLE),
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


def _png(figure: "Figure") -> bytes:
    file = io.BytesIO()
    # Without matplotlib's version in it, the same run makes the same bytes.
    figure.savefig(file, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return file.getvalue()


def _figure(chart: "CaptionedChart", png: bytes) -> str:
    data = base64.b64encode(png).decode()
    return (
        f'<figure id="{chart.name}"><h2>{html.escape(chart.title)}</h2>'
        f'<img alt="Chart: {html.escape(chart.title)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{html.escape(chart.caption)}</figcaption></figure>"
    )


def _last_numbers(frame: pl.DataFrame) -> str:
    """First and last values of the most important metrics."""
    from blob_zero.report import charts
    from blob_zero.report.drawing import has

    shown = [
        ("rounds of self-play a minute, judged by the network", "rounds_per_minute", ",.0f"),
        ("batch fill", "batch_fill", ".0%"),
        ("policy loss (nats)", "policy_loss", ".3f"),
        ("policy loss above its lower bound (nats)", "policy_kl", ".3f"),
        ("loss of the chance of a bid (nats)", "make_loss", ".3f"),
        ("share of the variance of made bids that is explained", "held_out_bid_explained", ".1%"),
        ("value loss", "value_loss", ".3f"),
        ("bids made exactly in self-play", "selfplay_exact", ".1%"),
    ]
    if charts.without_search(frame):
        shown.append(("points a seat and round in self-play", "selfplay_points", ".2f"))
    shown += [(f"points a round more than {name}", f"{name}_difference", "+.2f") for name in charts.opponents(frame)]
    rows = []
    for text, column, form in shown:
        measured = charts.judged_by_network(frame) if column == "rounds_per_minute" else frame
        if has(measured, column):
            values = measured[column].drop_nulls()
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
        return ""  # the run has not ended, or `train` has to write the table again
    head = ("on fresh deals, at the end", "points a round more", "95 % interval", "deals")
    return _table(head, rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    cells = "".join(f"<th>{html.escape(text)}</th>" for text in head)
    lines = ["".join(f"<td>{html.escape(text)}</td>" for text in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide"><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'
