"""Designs for self-play that were tried before, each as changes to the settings of this system."""

from dataclasses import dataclass, field, replace
from typing import Any, Unpack

from blob_zero.bench.inference import forms
from blob_zero.bench.settings import PlaySettings
from blob_zero.config.search_options import SearchChanges


@dataclass(frozen=True)
class Design:
    """A way to play, as changes to the settings.

    Attributes:
        name: for people.
        changes: fields of `PlaySettings`, how the network is computed and what is in flight.
        search: fields of `SearchOptions`, what is in flight inside one search.
    """

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    search: SearchChanges = field(default_factory=lambda: SearchChanges())

    def of(self, settings: PlaySettings) -> PlaySettings:
        """The settings with this design's changes."""
        return replace(settings, **self.changes, search=replace(settings.search, **self.search))


def designs(worlds: int, device: str = "cpu") -> list[Design]:
    """All designs for a search of `worlds` worlds on a kind of device; the first is what others are compared with."""

    def one_round(rows: int, **search: Unpack[SearchChanges]) -> tuple[dict[str, Any], SearchChanges]:
        return {"rounds_in_flight": 1, "batch_rows": rows}, search

    return [
        Design("sequential: one round, one leaf", *one_round(1, worlds_in_flight=1)),
        Design("virtual loss, 10 leaves", *one_round(10, worlds_in_flight=1, leaves_in_flight=10)),
        Design("virtual loss, 30 leaves", *one_round(30, worlds_in_flight=1, leaves_in_flight=30)),
        Design("worlds in parallel", *one_round(worlds)),
        Design("8 rounds, one evaluator", {"batch_rows": 8 * worlds, "rounds_in_flight": 8}),
        Design("64 rounds, one evaluator", {"batch_rows": 64 * worlds // 2, "rounds_in_flight": 64}),
        Design("thousands of rounds"),
        Design("thousands, nothing remembered", {"cache_entries": 0}),
        *(Design(f"thousands, {name}", changes) for name, changes in forms(device).items()),
    ]
