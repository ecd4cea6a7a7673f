"""Rows of measurements on the screen and in files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from blob_zero.errors import ConfigError

Value = str | int | float | bool | None
Measurement = dict[str, Value]
"""One line of a benchmark's table: values by column."""

_WRITERS = {".parquet": "write_parquet", ".csv": "write_csv", ".json": "write_json"}


def check_output(path: Path) -> None:
    """Refuses a file that could not be written, before anything is measured.

    Raises:
        ConfigError: its suffix is none of .parquet, .csv and .json, or its folder is not there.
    """
    if path.suffix not in _WRITERS:
        raise ConfigError(f"cannot write {path}: its name should end in {', '.join(_WRITERS)}")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"cannot write {path}: there is no folder {path.absolute().parent}")


def write(rows: Sequence[Measurement], path: Path, *, common: Measurement) -> None:
    """Writes rows as Parquet, CSV or JSON by the file's suffix; `common` columns are added to each."""
    import polars as pl

    check_output(path)
    frame = pl.DataFrame([row | common for row in rows], infer_schema_length=None)
    try:
        getattr(frame, _WRITERS[path.suffix])(path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error


def show(rows: Sequence[Measurement], columns: Mapping[str, str], *, title: str, console: Console) -> None:
    """Prints a table of chosen columns: `columns` maps a row's column to its heading."""
    table = Table(title=title, box=None, title_justify="left", header_style="bold", pad_edge=False, title_style="bold")
    for name, heading in columns.items():
        textual = any(isinstance(row.get(name), str) for row in rows)
        table.add_column(heading, justify="left" if textual else "right", overflow="fold")
    for row in rows:
        table.add_row(*(text(row.get(name)) for name in columns))
    console.print(table)


def show_facts(row: Measurement, names: Mapping[str, str], *, title: str, console: Console) -> None:
    """Prints one row as lines of name and value."""
    table = Table(title=title, box=None, show_header=False, title_justify="left", title_style="bold", pad_edge=False)
    for name, heading in names.items():
        if row.get(name) is not None:
            table.add_row(heading, text(row[name]))
    console.print(table)


def text(value: Value) -> str:
    """A value for people: thousands separated, small numbers with four digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return value


def nested(row: Measurement, settings: Measurement, machine: Measurement) -> str:
    """One JSON object of a row, with its settings and machine as objects in it."""
    return json.dumps({**row, "settings": settings, "machine": machine}, indent=2)


def nested_all(rows: Sequence[Measurement], settings: Measurement, machine: Measurement) -> str:
    """One JSON object of all rows, with the settings and the machine that they share."""
    return json.dumps({"rows": list(rows), "settings": settings, "machine": machine}, indent=2)
