"""Findings of an examination, each with a mark and a remedy."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Mark = Literal["ok", "warning", "failure"]
Figure = str | int | float | bool | None


@dataclass(frozen=True)
class Finding:
    """One line of the examination.

    Attributes:
        check: what was looked at, in a word or two.
        mark: `failure`: a run would not work, or not as asked; `warning`: it would, but not as it should.
        found: what was found.
        remedy: what to do about it; may be empty for `ok` alone.
        figures: the numbers in it, for programs.

    Raises:
        ValueError: a warning or a failure without a remedy.
    """

    check: str
    mark: Mark
    found: str
    remedy: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mark != "ok" and not self.remedy:
            raise ValueError(f"the {self.mark} {self.check!r} has no remedy; should say what to do about it")


class NotCheckedError(Exception):
    """A section cannot be examined, because of an earlier finding that the message names."""


@dataclass(frozen=True)
class Diagnosis:
    """All findings, by section, in the order they were made."""

    sections: Mapping[str, tuple[Finding, ...]]

    def marked(self, mark: Mark) -> list[Finding]:
        """The findings with this mark."""
        return [finding for findings in self.sections.values() for finding in findings if finding.mark == mark]

    @property
    def healthy(self) -> bool:
        """Whether there is no failure."""
        return not self.marked("failure")

    def to_json(self) -> str:
        """One object: `healthy`, the numbers of failures and warnings, and all findings, each with its section."""
        findings = [
            {
                "section": section,
                "check": finding.check,
                "mark": finding.mark,
                "found": finding.found,
                "remedy": finding.remedy,
                "figures": dict(finding.figures),
            }
            for section, findings in self.sections.items()
            for finding in findings
        ]
        return json.dumps(
            {
                "healthy": self.healthy,
                "failures": len(self.marked("failure")),
                "warnings": len(self.marked("warning")),
                "findings": findings,
            },
            indent=2,
        )


def size(count: float) -> str:
    """Bytes for people: `305 MB`, `1.2 GB`."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its class where it has none."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
