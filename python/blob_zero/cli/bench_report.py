"""The output of a benchmark: a table or JSON, a file, and remarks while it runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import typer
from rich.console import Console

from blob_zero.bench import tables
from blob_zero.bench.tables import Measurement
from blob_zero.machine.facts import machine


class BenchReport:
    """Prints a benchmark's measurements and remarks, and writes the measurements to a file."""

    def __init__(self, out: Path | None, *, json: bool) -> None:
        self._out = out
        self._json = json
        self._console = Console()
        self._remarks = Console(stderr=True)
        self._status = self._remarks.status("")
        self._step = ""

    def __enter__(self) -> Self:
        if self._out is not None:
            tables.check_output(self._out)
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def notice(self, text: str) -> None:
        """Shows the next stage."""
        self._step = text
        self._status.update(text)

    def progress(self, progress: object) -> None:
        """Shows how many rounds are finished."""
        done, rounds = getattr(progress, "rounds_done", 0), getattr(progress, "rounds", 0)
        self._status.update(f"{self._step}: {done:,} of {rounds:,} finished")

    def one(self, row: Measurement, columns: Mapping[str, str], *, settings: Measurement, title: str) -> None:
        """Prints and writes a measurement of one row."""
        here: Measurement = {**machine()}
        if self._json:
            typer.echo(tables.nested(row, settings, here))
        else:
            tables.show_facts(row, columns, title=title, console=self._console)
            self._machine(here)
        # Last, so that a disk that refuses the file costs no result.
        self._write([row], settings, here)

    def many(
        self,
        rows: list[Measurement],
        columns: Mapping[str, str],
        *,
        settings: Measurement,
        title: str,
        shown: list[Measurement] | None = None,
    ) -> None:
        """Prints and writes rows; `shown` replaces them on the screen."""
        here: Measurement = {**machine()}
        if self._json:
            typer.echo(tables.nested_all(rows, settings, here))
        else:
            tables.show(shown or rows, columns, title=title, console=self._console)
            self._machine(here)
        self._write(rows, settings, here)

    def lines(self, lines: list[str]) -> None:
        """Prints sentences below a table."""
        if not self._json:
            for line in lines:
                self._console.print(line, markup=False, highlight=False)

    def _machine(self, here: Measurement) -> None:
        self._console.print(
            f"{here['cpu']}, {here['cores']} cores ({here['cpu_features']}), torch {here['torch_version']}",
            style="dim",
            highlight=False,
        )

    def _write(self, rows: list[Measurement], settings: Measurement, here: Measurement) -> None:
        if self._out is not None:
            common = {f"setting.{name}": value for name, value in settings.items()}
            common |= {f"machine.{name}": value for name, value in here.items()}
            tables.write(rows, self._out, common=common)
