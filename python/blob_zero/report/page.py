"""The page: which charts a run has something for, the last numbers in tables, and the files."""

import base64
import html
import io
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import polars as pl

from blob_zero.arena.final_table import FINAL_TABLE
from blob_zero.arena.ratings import ANCHOR
from blob_zero.config.load import parse_config, to_toml
from blob_zero.errors import BlobError, CheckpointError
from blob_zero.metrics.calibration import NetworkCalibration
from blob_zero.report.calibration import held_out_calibration, result_share, root_value_weight
from blob_zero.run.atomic_files import make_folder, write_atomically
from blob_zero.run.checkpoint import latest_checkpoint
from blob_zero.run.folder import METRICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "report.html"

_DOTS_PER_INCH = 180

_OPPONENTS = {
    "untrained": "the network as the run began",
    "random": "who plays any legal card",
    "rule": "a bot with simple rules",
    "rollout": "the same search judged by random playouts",
    "ismcts": "a search of one tree over information states, judged by playouts of the rule bot",
    "flat": "a search of one step, judged by playouts of the rule bot",
}


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
        raise BlobError("a report needs matplotlib, which is not installed: pip install 'blob-zero[report]'")
    frame = _metrics(run)
    checkpoint, damaged = latest_checkpoint(run / "checkpoints")
    for line in damaged:
        warnings.warn(f"skipping a damaged checkpoint: {line}", RuntimeWarning, stacklevel=2)
    if checkpoint is None:
        raise CheckpointError(f"{run} has no checkpoint; should be the folder of a run")
    config = parse_config(checkpoint.state.get("config", {}), source=f"the checkpoint of {run}")
    calibrated = held_out_calibration(run, checkpoint)
    blended = root_value_weight(checkpoint.state)
    bids_told = result_share(checkpoint.state) == 0

    folder = out or run / "report"
    make_folder(folder)
    figures = []
    for chart in _charts(frame, calibrated, blended=blended, bids_told=bids_told):
        png = _png(chart.draw())
        write_atomically(folder / f"{chart.name}.png", png)
        figures.append(_figure(chart, png))
    game, search = config.game, config.search
    unit = "games" if game.whole_games else "rounds"
    sizes = f"self-play of {len(game.played())} sizes of round, matches of " if game.shapes else ""
    iterations, rounds = (int(frame[name].to_numpy().max()) for name in ("iteration", "rounds"))
    page = Template(resources.files("blob_zero").joinpath("report/template.html").read_text(encoding="utf-8"))
    text = page.substitute(
        title=html.escape(f"Run {run.resolve().name}"),
        subtitle=html.escape(
            f"{iterations} of {config.run.iterations} iterations, {rounds:,} {unit}: "
            f"{sizes}{game.players} players, {game.cards_text()}, search {search.worlds}x{search.simulations}"
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


def _charts(
    frame: pl.DataFrame, calibrated: NetworkCalibration | None, *, blended: float, bids_told: bool
) -> Iterator[_Chart]:
    """The charts that the run has numbers for."""
    from blob_zero.report import charts
    from blob_zero.report.drawing import has

    met = charts.opponents(frame)
    if met:
        yield _Chart(
            "strength",
            "Strength",
            "The best network with the run's search against fixed opponents: "
            + "; ".join(f"{name}, {_OPPONENTS[name]}" for name in met)
            + ". One seat is the network's, all others are the opponent's; each match is of the same deals. Nothing "
            "is trained on them or chosen by them. Above zero the network scores more; an interval that reaches across "
            "zero does not tell the two apart.",
            lambda: charts.strength(frame),
        )
    yield _Chart(
        "losses",
        "Losses",
        "How far the network is from what it learns; lower is better. The policy is to choose as the search did. Its "
        "loss cannot fall below the entropy of the search's visits: the distance between both lines is what is not "
        "learned yet. The value is to foretell each seat's result; with hidden cards its error cannot fall to zero "
        "either. Both may rise again as the search gets better and its rounds change." + _undone(frame),
        lambda: charts.losses(frame),
    )
    if has(frame, "promotion_difference"):
        yield _Chart(
            "promotion",
            "Promotion",
            "The candidate, which is the network after each training, against the best network so far, on fresh deals "
            "each time. It is promoted, which makes it the best, when the lower end of the interval exceeds the margin "
            "that the settings ask for (promotion.margin).",
            lambda: charts.promotion(frame),
        )
    if has(frame, "rating"):
        yield _Chart(
            "ratings",
            "Ratings",
            "One number for the strength of the best network, from all of its matches. Who is rated 400 higher wins "
            "ten deals for each lost. "
            + ("The rule bot is at 0. " if ANCHOR in met else "It compares networks of this run alone. ")
            + "Measurements are of the same deals each time, so that differences between two networks are surer than "
            "the intervals look.",
            lambda: charts.ratings(frame),
        )
    if calibrated is not None:
        of = calibrated
        yield _Chart(
            "value_calibration",
            "Do its values come true?",
            "The network foretells the result of each seat, from -1 (no points) to 1 (as many as the hand can bring)"
            f"{'' if bids_told else ', a part of it being the place in the game that the round is of'}. "
            "Similar predictions form a group and each point is a group: across what was predicted, up what came of it "
            "in the mean. On the dashed line predictions came true; above it they were too low, below it too high. "
            f"The mean distance from the line is {of.value.error:.3f}. The bars below count the "
            f"predictions of each group. {_about_rows(of, blended)}",
            lambda: charts.value_calibration(of.value),
        )
    if calibrated is not None and bids_told:
        yield _Chart(
            "bid_calibration",
            "Does it know which bids will be made?",
            "A bid that is made scores 10 points and the bid, any other nothing; a seat's expected points, as a share "
            "of what its bid would score, are thus its chance of making it. Of the bids that the network gave a chance "
            "of about 70 %, seven of ten should have been made: then the point lies on the dashed line. Above it the "
            f"network thought too little of its bids, below too much. The mean distance is {of.bids.error:.1%}. "
            "Each row is a decision in the play of cards, by the seat that decides. It is of the same rows as the "
            "chart above.",
            lambda: charts.bid_calibration(of.bids),
        )
    yield _Chart(
        "speed",
        "Speed",
        "Self-play alone, without training and matches. In the first iterations random playouts may judge positions "
        "instead of the network. They send no batches and are many times faster: where they would press the network's "
        "line flat, their marks stand above it, not to scale. Batches should be nearly full: the network takes as "
        "long over one that is half empty.",
        lambda: charts.speed(frame),
    )


def _about_rows(calibrated: NetworkCalibration, blended: float) -> str:
    text = (
        f"Predictions are the best network's, without search, for {calibrated.rows:,} rows of the newest checkpoint's "
        "replay ring that are held out: rounds that this run played, with exploration, and never trained on."
    )
    if blended:
        text += (
            f" Results are mixed here with {blended:.0%} of the search's own expectation, as training took them "
            "(training.root_value_weight), and look better than they are."
        )
    return text


def _undone(frame: pl.DataFrame) -> str:
    """A sentence on the trainings that came to nothing, if any did."""
    if "training_undone" not in frame.columns:  # metrics of an older version
        return ""
    iterations = frame.filter(pl.col("training_undone"))["iteration"].to_list()
    if not iterations:
        return ""
    return (
        f" Training in iteration{'s' if len(iterations) > 1 else ''} {', '.join(map(str, iterations))} was undone, "
        "since it left weights that are not finite."
    )


def _png(figure: "Figure") -> bytes:
    file = io.BytesIO()
    # Without matplotlib's version in it, the same run makes the same bytes.
    figure.savefig(file, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return file.getvalue()


def _figure(chart: _Chart, png: bytes) -> str:
    data = base64.b64encode(png).decode()
    return (
        f'<figure id="{chart.name}"><h2>{html.escape(chart.title)}</h2>'
        f'<img alt="Chart: {html.escape(chart.title)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{html.escape(chart.caption)}</figcaption></figure>"
    )


def _last_numbers(frame: pl.DataFrame) -> str:
    """First and last value of what one asks for first."""
    from blob_zero.report import charts
    from blob_zero.report.drawing import has

    shown = [
        ("rounds of self-play a minute, judged by the network", "rounds_per_minute", ",.0f"),
        ("batch fill", "batch_fill", ".0%"),
        ("policy loss (nats)", "policy_loss", ".3f"),
        ("policy loss above its least (nats)", "policy_kl", ".3f"),
        ("value loss", "value_loss", ".3f"),
        ("bids made exactly in self-play", "selfplay_exact", ".1%"),
    ]
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
        return ""  # no run that has ended; `train` writes it again when asked
    head = ("on fresh deals, at the end", "points a round more", "95 % interval", "deals")
    return _table(head, rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    cells = "".join(f"<th>{html.escape(text)}</th>" for text in head)
    lines = ["".join(f"<td>{html.escape(text)}</td>" for text in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide"><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'
