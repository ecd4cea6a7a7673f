"""The table that ends a run: the network against fixed opponents, kept so that it is played once."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from blob_zero.arena.judge import MatchSummary
from blob_zero.config.schema import Config, FixedOpponent
from blob_zero.model.blobnet import BlobNet
from blob_zero.run.atomic_files import write_atomically

STANDINGS = "standings.json"


@dataclass(frozen=True)
class Standing:
    """How the run's best network did against one opponent."""

    opponent: FixedOpponent
    match: MatchSummary


_STANDINGS = TypeAdapter(list[Standing])


class SavedStandings:
    """The standings of one network under one run's settings, in a JSON file that is replaced after each match.

    A file of another network or of other settings is taken as none, and so is a damaged one.

    Args:
        path: the file.
        net: the network that the standings are of.
        config: the run's settings.

    Attributes:
        standings: the matches that were played, in the order of `append`.
    """

    def __init__(self, path: Path, *, net: BlobNet, config: Config) -> None:
        self.path = path
        self._about = {"weights": _digest_of_weights(net), "settings": _relevant(config)}
        self.standings = self._read()

    def append(self, standing: Standing) -> None:
        """Add a match, and write the file.

        Raises:
            CheckpointError: it cannot be written; the matches before are safe.
        """
        standings = [*self.standings, standing]
        saved = {**self._about, "standings": _STANDINGS.dump_python(standings, mode="json")}
        write_atomically(self.path, json.dumps({**saved, "sha256": _digest_of(saved)}, indent=2).encode())
        self.standings = standings

    def _read(self) -> list[Standing]:
        try:
            saved = json.loads(self.path.read_bytes())
            if saved.pop("sha256") != _digest_of(saved) or {key: saved[key] for key in self._about} != self._about:
                return []
            return _STANDINGS.validate_python(saved["standings"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError):
            return []  # playing again costs seconds, and gives the same


def _relevant(config: Config) -> dict[str, Any]:
    """The settings that a match follows from."""
    settings = config.model_dump(mode="json")
    return {
        "seed": config.run.seed,
        "game": settings["game"],
        "search": settings["search"],
        "inference": settings["inference"],
        "evaluation": settings["evaluation"],
    }


def _digest_of(saved: dict[str, Any]) -> str:
    """SHA-256 over the file's other entries."""
    return hashlib.sha256(json.dumps(saved, sort_keys=True).encode()).hexdigest()


def _digest_of_weights(net: BlobNet) -> str:
    """SHA-256 over names and bytes of the weights."""
    digest = hashlib.sha256()
    for name, tensor in net.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
