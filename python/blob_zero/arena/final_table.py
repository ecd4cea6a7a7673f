"""The table that ends a run: the network against fixed opponents, saved so that a finished run shows it again."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from blob_zero.arena.statistics import MatchSummary
from blob_zero.config.schema import Config, FixedOpponent
from blob_zero.model.networks import Network
from blob_zero.run.atomic_files import write_atomically

FINAL_TABLE = "standings.json"


@dataclass(frozen=True)
class Comparison:
    """The best network of a run against one opponent."""

    opponent: FixedOpponent
    match: MatchSummary


_COMPARISONS = TypeAdapter(list[Comparison])


class FinalTable:
    """The saved table of one network under one run's settings.

    Args:
        run: the run's folder.
        net: the network in the table.
        config: the run's settings.
    """

    def __init__(self, run: Path, *, net: Network, config: Config) -> None:
        self._path = run / FINAL_TABLE
        self._about = {"weights": _weights_digest(net), "settings": _relevant(config)}

    def read(self) -> list[Comparison] | None:
        """The table, or None where it is missing, damaged, or about another network or other settings."""
        try:
            saved = json.loads(self._path.read_bytes())
            if {key: saved[key] for key in self._about} != self._about:
                return None
            return _COMPARISONS.validate_python(saved["standings"])
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            return None

    def write(self, comparisons: list[Comparison]) -> None:
        """Saves the table.

        Raises:
            CheckpointError: the file cannot be written.
        """
        saved = {**self._about, "standings": _COMPARISONS.dump_python(comparisons, mode="json")}
        write_atomically(self._path, json.dumps(saved, indent=2).encode())


def _relevant(config: Config) -> dict[str, Any]:
    """The settings that a match depends on."""
    settings = config.model_dump(mode="json")
    return {
        "seed": config.run.seed,
        "game": settings["game"],
        "search": settings["search"] if config.selfplay.agent == "search" else None,
        "inference": settings["inference"],
        "evaluation": settings["evaluation"],
    }


def _weights_digest(net: Network) -> str:
    digest = hashlib.sha256()
    for tensor in net.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().numpy())
    return digest.hexdigest()
