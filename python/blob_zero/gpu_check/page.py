"""The results of all checks as one JSON file and a page of text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Result:
    """The outcome of a check.

    Attributes:
        name: of the check.
        outcome: `ok`, `failed`, `too slow`, `no time` (it was not begun) or `no GPU`.
        seconds: that it took.
        figures: what it measured.
        error: the end of what it printed, where it failed.
    """

    name: str
    outcome: str
    seconds: float
    figures: Any = None
    error: str = ""

    @property
    def bad(self) -> bool:
        """Whether something was wrong."""
        return self.outcome in ("failed", "too slow")


def write(results: Sequence[Result], machine: Mapping[str, object], folder: Path) -> str:
    """Writes `gpu_check.json` and `gpu_check.txt` into a folder; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"machine": dict(machine), "checks": [asdict(result) for result in results]}
    (folder / "gpu_check.json").write_text(json.dumps(whole, indent=1, default=str) + "\n", encoding="utf-8")
    page = text(results, machine)
    (folder / "gpu_check.txt").write_text(page, encoding="utf-8")
    return page


def text(results: Sequence[Result], machine: Mapping[str, object]) -> str:
    """A line for each check with its figures, and at the end what failed."""
    lines = [f"{name}: {value}" for name, value in machine.items()]
    lines.append("")
    for result in results:
        lines.append(f"{result.outcome:8} {result.seconds:6.1f} s  {result.name}")
        rows = result.figures if isinstance(result.figures, list) else [result.figures] if result.figures else []
        lines += [f"                    {_figures(row)}" for row in rows]
    bad = [result for result in results if result.bad]
    left_out = [result.name for result in results if result.outcome in ("no time", "no GPU")]
    lines += ["", f"{len(results) - len(bad) - len(left_out)} of {len(results)} checks are ok"]
    if left_out:
        lines.append(f"not run: {', '.join(left_out)}")
    for result in bad:
        lines += ["", f"{result.outcome}: {result.name}", result.error]
    return "\n".join(lines) + "\n"


def _figures(row: Mapping[str, object]) -> str:
    def short(value: object) -> str:
        return (
            f"{value:,.4g}"
            if isinstance(value, float) and abs(value) < 1000
            else (f"{value:,.0f}" if isinstance(value, float) else str(value))
        )

    return ", ".join(f"{name} {short(value)}" for name, value in row.items() if value not in (None, ""))
