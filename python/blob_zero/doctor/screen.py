"""An examination on the screen."""

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from blob_zero.doctor.findings import Diagnosis, Mark

_STYLES: dict[Mark, str] = {"ok": "green", "warning": "yellow", "failure": "bold red"}


def show(diagnosis: Diagnosis, console: Console) -> None:
    """Prints a line for each finding, its remedy below it, and how many failures and warnings there are."""
    for section, findings in diagnosis.sections.items():
        console.print(Text(section, style="bold"))
        table = Table.grid(padding=(0, 2))
        table.add_column(min_width=max(map(len, _STYLES)))
        table.add_column(min_width=14)
        table.add_column(overflow="fold")
        for finding in findings:
            text = Text(finding.found)
            if finding.remedy:
                text.append(f"\nremedy: {finding.remedy}", style="italic")
            table.add_row(Text(finding.mark, style=_STYLES[finding.mark]), Text(finding.check), text)
        console.print(Padding(table, (0, 0, 1, 2)))
    failures, warnings = len(diagnosis.marked("failure")), len(diagnosis.marked("warning"))
    style: Mark = "failure" if failures else "warning" if warnings else "ok"
    console.print(Text(f"{_counted(failures, 'failure')}, {_counted(warnings, 'warning')}", style=_STYLES[style]))


def _counted(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
