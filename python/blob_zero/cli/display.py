"""What a person sees of a run: a live screen on a terminal, plain lines elsewhere, and the last table."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from blob_zero._core import Progress
from blob_zero.arena.ratings import INTERVAL_SIGMAS
from blob_zero.arena.statistics import MatchSummary
from blob_zero.learning.display import Display
from blob_zero.metrics.log import MetricsRow, MetricValue

_SHOWN_ITERATIONS, _SHOWN_MEASUREMENTS = 8, 4
"""Rows of the live screen's two tables; with the lines below them they fit a terminal of 24 lines."""

_OPPONENTS = ("untrained", "random", "rule", "rollout", "ismcts", "flat")
"""Fixed opponents, as the metrics' columns name them."""


class PlainDisplay:
    """One line for each message and iteration, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.clock = Clock()

    def message(self, text: str) -> None:
        """Print it."""
        self.console.print(text, highlight=False, soft_wrap=True, markup=False)

    def iteration_started(self, iteration: int, iterations: int) -> None:
        """Note the time."""
        self.clock.started(iteration, iterations)

    def self_play(self, progress: Progress, *, batch_rows: int | None, unit: str = "rounds") -> None:
        """Say nothing between iterations."""

    def training(self, step: int, steps: int, loss: float) -> None:
        """Say nothing between iterations."""

    def judging(self, opponent: str) -> None:
        """Say nothing between iterations; the table at the end is worth a line, as it takes a while."""
        if self.clock.done():
            self.message(f"playing against {opponent} for the table")

    def iteration_done(self, row: MetricsRow) -> None:
        """Print the iteration."""
        self.clock.finished()
        parts = [
            f"iteration {row['iteration']}/{self.clock.iterations}",
            f"{_number(row['rounds_per_minute'], ',.0f')} rounds/min",
            "by playouts" if row["batch_fill"] is None else f"batch fill {_fill(row)}",
            f"policy loss {_number(row['policy_loss'], '.3f')}",
            f"value loss {_number(row['value_loss'], '.3f')}",
        ]
        if promotion := _interval(row, "promotion"):
            parts.append(f"vs best {promotion}, {_promotion(row)}")
        parts += [f"vs {name} {strength}" for name in _OPPONENTS if (strength := _interval(row, name))]
        if rating := _rating(row):
            parts.append(f"rating {rating}")
        parts.append(f"{self.clock.left()} left")
        self.message(" · ".join(parts))


class LiveDisplay:
    """A screen that is drawn again a few times a second: the stage at work below the last iterations."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.clock = Clock()
        self.rows: deque[MetricsRow] = deque(maxlen=_SHOWN_ITERATIONS)
        self.measured: deque[MetricsRow] = deque(maxlen=_SHOWN_MEASUREMENTS)
        self.stage: tuple[str, float, float] = ("starting", 0, 1)

    def message(self, text: str) -> None:
        """Print it above the screen."""
        self.live.console.print(text, highlight=False, markup=False)

    def iteration_started(self, iteration: int, iterations: int) -> None:
        """Begin another iteration."""
        self.clock.started(iteration, iterations)
        self._show("self-play", 0, 1)

    def self_play(self, progress: Progress, *, batch_rows: int | None, unit: str = "rounds") -> None:
        """Show rounds, speed and batch fill."""
        speed = 60 * progress.rounds_done / max(self.clock.iteration_seconds(), 1e-9)
        text = f"self-play  {progress.rounds_done:,} of {progress.rounds:,} {unit}  {speed:,.0f} {unit}/min"
        if batch_rows and progress.batches:
            text += f"  batch fill {progress.rows / (progress.batches * batch_rows):.0%}"
        self._show(text, progress.rounds_done, progress.rounds)

    def training(self, step: int, steps: int, loss: float) -> None:
        """Show steps and loss."""
        self._show(f"training  step {step:,} of {steps:,}  loss {loss:.3f}", step, steps)

    def judging(self, opponent: str) -> None:
        """Show who is met."""
        self._show(f"playing against {opponent}", 0, 1)

    def iteration_done(self, row: MetricsRow) -> None:
        """Add the iteration to the tables."""
        self.clock.finished()
        self.rows.append(row)
        if any(_interval(row, name) for name in _OPPONENTS):
            self.measured.append(row)
        self._show(f"iteration {row['iteration']} is saved", 1, 1)

    def _show(self, text: str, done: float, total: float) -> None:
        self.stage = (text, done, total)
        self.live.update(self._screen())

    def _screen(self) -> RenderableType:
        text, done, total = self.stage
        head = f"iteration {self.clock.iteration} of {self.clock.iterations}   {self.clock.left()} left"
        tables: list[RenderableType] = []
        if self.rows:
            tables += [_table(self.rows, _ITERATION_COLUMNS), ""]
        if self.measured:
            tables += [_MEASUREMENTS_TITLE, _table(self.measured, _MEASUREMENT_COLUMNS), ""]
        return Group(
            *tables,
            Text(head, style="bold"),
            Text(text),
            ProgressBar(total=total, completed=done, width=60),
        )


class Clock:
    """Time left, from the last iterations this process has seen."""

    def __init__(self) -> None:
        self.iteration = 0
        self.iterations = 0
        self._iteration_began = time.perf_counter()
        # Two, since the first iterations of a run are of another kind, and every other one may be measured.
        self._seconds: deque[float] = deque(maxlen=2)
        self._last = 0

    def started(self, iteration: int, iterations: int) -> None:
        """An iteration begins."""
        self.iteration, self.iterations = iteration, iterations
        self._iteration_began = time.perf_counter()

    def finished(self) -> None:
        """The iteration is done."""
        self._last = self.iteration
        self._seconds.append(self.iteration_seconds())

    def done(self) -> bool:
        """Whether no iteration is left."""
        return self._last >= self.iterations

    def iteration_seconds(self) -> float:
        """Seconds since the iteration began."""
        return time.perf_counter() - self._iteration_began

    def left(self) -> str:
        """Time left if iterations go on as the last ones did; a dash before the first is done."""
        if not self._seconds:
            return "-"
        mean = sum(self._seconds) / len(self._seconds)
        since = self.iteration_seconds() if self.iteration > self._last else 0.0
        return duration(max(0.0, mean * (self.iterations - self._last) - since))


@contextmanager
def open_display(console: Console) -> Iterator[Display]:
    """A live screen where the console is a terminal, plain lines where it is not."""
    if not console.is_terminal:
        yield PlainDisplay(console)
        return
    with Live(console=console, refresh_per_second=4) as live:
        yield LiveDisplay(live)


def standings_table(standings: Sequence[tuple[str, MatchSummary]], *, first: str, title: str) -> Table:
    """Matches of one agent against others: points a round, difference with interval, bids, verdict.

    Args:
        standings: opponent and match, one a row.
        first: what the first agent of all matches is called.
        title: stands above the table.
    """
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    table.add_column("against", overflow="fold")
    for heading in ("points", "difference (95 %)", "bids exact"):
        table.add_column(heading, justify="right", no_wrap=True)
    games = any(match.games_won is not None for _, match in standings)
    if games:
        table.add_column("games won", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.caption = f"{first} : opponent; points and their difference are means a round"
    if games:
        table.caption += "; games won from its one seat, shared ones in part"
    table.caption_justify = "left"
    styles = {"beats": "green", "loses to": "red", "not told apart": "yellow"}
    for opponent, match in standings:
        table.add_row(
            opponent,
            f"{match.first.points:.2f} : {match.second.points:.2f}",
            f"{match.difference:+.2f} ({match.low:+.2f} to {match.high:+.2f})",
            f"{match.first.exact:.0%} : {match.second.exact:.0%}",
            *([_number(match.games_won, ".0%")] if games else []),
            Text(match.verdict, style=styles[match.verdict]),
        )
    return table


def duration(seconds: float) -> str:
    """A time for people: `45 s`, `3 min 20 s`, `5 h 07 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _number(value: MetricValue, form: str) -> str:
    return "" if value is None else format(value, form)


def _fill(row: MetricsRow) -> str:
    """Mean batch fill as a percentage; nothing where no batch was sent."""
    return _number(row["batch_fill"], ".0%")


def _interval(row: MetricsRow, name: str) -> str:
    """`+1.20 ± 0.31` points a round, the 95 % interval, or nothing where it was not measured."""
    difference, low, high = (row.get(f"{name}_{part}") for part in ("difference", "low", "high"))
    if difference is None or low is None or high is None:
        return ""
    return f"{difference:+.2f} ± {(high - low) / 2:.2f}"


def _promotion(row: MetricsRow) -> str:
    """What the candidate's match against the best network led to; nothing where there was none."""
    if row.get("promotion_difference") is None:
        return ""
    return "promoted" if row["promoted"] else "not promoted"


def _rating(row: MetricsRow) -> str:
    """`196 ± 107`, the 95 % interval, or nothing where there is no rating."""
    mean, sigma = row.get("rating"), row.get("rating_sigma")
    if mean is None or sigma is None:
        return ""
    return f"{mean:.0f} ± {INTERVAL_SIGMAS * sigma:.0f}"


_Columns = Mapping[str, Callable[[MetricsRow], str]]
"""Cells of a table by their heading; empty ones are empty text."""

_ITERATION_COLUMNS: _Columns = {
    "iteration": lambda row: str(row["iteration"]),
    "rounds/min": lambda row: _number(row["rounds_per_minute"], ",.0f"),
    "fill": lambda row: _fill(row) or "playouts",
    "policy": lambda row: _number(row["policy_loss"], ".3f"),
    "value": lambda row: _number(row["value_loss"], ".3f"),
    "vs best": partial(_interval, name="promotion"),
    "candidate": _promotion,
}

_MEASUREMENTS_TITLE = "points a round more than each opponent, and rating, with 95 % intervals"

_MEASUREMENT_COLUMNS: _Columns = {
    "iteration": lambda row: str(row["iteration"]),
    **{f"vs {name}": partial(_interval, name=name) for name in _OPPONENTS},
    "rating": _rating,
}


def _table(rows: Sequence[MetricsRow] | deque[MetricsRow], columns: _Columns) -> Table:
    """A line for each row; columns without any entry are left out."""
    shown = {heading: cell for heading, cell in columns.items() if any(cell(row) for row in rows)}
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in shown:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(cell(row) for cell in shown.values()))
    return table
