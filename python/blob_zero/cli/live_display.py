"""A run as a screen that is drawn again a few times a second, for terminals."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from blob_zero._core import Progress
from blob_zero.cli.clock import Clock
from blob_zero.cli.metrics_text import OPPONENTS, fill_text, interval_text, number, promotion_text, rating_text
from blob_zero.metrics.log import MetricsRow
from blob_zero.selfplay.serving import Counts

_SHOWN_ITERATIONS, _SHOWN_MEASUREMENTS = 8, 4
"""Rows of the live screen's two tables; with the lines below them they fit a terminal of 24 lines."""


class LiveDisplay:
    """A screen that is drawn again a few times a second: the stage at work below the last iterations."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.clock = Clock()
        self.rows: deque[MetricsRow] = deque(maxlen=_SHOWN_ITERATIONS)
        self.measured: deque[MetricsRow] = deque(maxlen=_SHOWN_MEASUREMENTS)
        self.stage: tuple[str, float, float] = ("starting", 0, 1)

    def message(self, text: str) -> None:
        """Prints the line above the screen."""
        self.live.console.print(text, highlight=False, markup=False)

    def iteration_started(self, iteration: int, iterations: int) -> None:
        """Starts the clock of the iteration."""
        self.clock.started(iteration, iterations)
        self._show("self-play", 0, 1)

    def self_play(self, progress: Progress | Counts, *, batch_rows: int | None, unit: str = "rounds") -> None:
        """Shows rounds, speed and batch fill."""
        speed = 60 * progress.rounds_done / max(self.clock.iteration_seconds(), 1e-9)
        text = f"self-play  {progress.rounds_done:,} of {progress.rounds:,} {unit}  {speed:,.0f} {unit}/min"
        if batch_rows and progress.batches:
            text += f"  batch fill {progress.rows / (progress.batches * batch_rows):.0%}"
        self._show(text, progress.rounds_done, progress.rounds)

    def training(self, step: int, steps: int, loss: float) -> None:
        """Shows steps and loss."""
        self._show(f"training  step {step:,} of {steps:,}  loss {loss:.3f}", step, steps)

    def judging(self, opponent: str) -> None:
        """Shows the opponent."""
        self._show(f"playing against {opponent}", 0, 1)

    def iteration_done(self, row: MetricsRow) -> None:
        """Adds the iteration to the tables."""
        self.clock.finished()
        self.rows.append(row)
        if any(interval_text(row, name) for name in OPPONENTS):
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


_Columns = Mapping[str, Callable[[MetricsRow], str]]
"""Cells of a table by their heading; empty ones are empty text."""

_ITERATION_COLUMNS: _Columns = {
    "iteration": lambda row: str(row["iteration"]),
    "rounds/min": lambda row: number(row["rounds_per_minute"], ",.0f"),
    "fill": lambda row: fill_text(row) or "playouts",
    "points": lambda row: "" if row.get("make_loss") is None else number(row["selfplay_points"], ".2f"),
    "policy": lambda row: number(row.get("policy_loss"), ".3f"),
    "bids": lambda row: number(row.get("make_loss"), ".3f"),
    "value": lambda row: number(row["value_loss"], ".3f"),
    "vs best": partial(interval_text, name="promotion"),
    "candidate": promotion_text,
}

_MEASUREMENTS_TITLE = "points a round more than each opponent, and rating, with 95 % intervals"

_MEASUREMENT_COLUMNS: _Columns = {
    "iteration": lambda row: str(row["iteration"]),
    **{f"vs {name}": partial(interval_text, name=name) for name in OPPONENTS},
    "rating": rating_text,
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
