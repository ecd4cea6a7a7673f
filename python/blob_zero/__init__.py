"""blob-zero: the rules of Blob, a determinized tree search, and AlphaZero-style self-play.

Rules, search and self-play need numpy alone; `BlobNet` and `Player` import torch when they are first named.
"""

from typing import TYPE_CHECKING, Any

from blob_zero import _startup as _startup  # before all that takes its time to import
from blob_zero._core import (
    ACTIONS,
    ENCODING_VERSION,
    FEATURES,
    MAX_PLAYERS,
    Game,
    Observation,
    Round,
    RoundRules,
    SearchResult,
    __version__,
    card_index,
    card_text,
    feature_scale,
    rule_action,
)
from blob_zero.arena.agent import Agent
from blob_zero.arena.match import MatchRecord, play_match
from blob_zero.config.search_options import LookAhead, SearchOptions
from blob_zero.errors import (
    BlobError,
    CheckpointError,
    ClusterError,
    ConfigError,
    DeviceError,
    EvaluatorError,
    IllegalActionError,
    MissingPackageError,
    RunLockedError,
)
from blob_zero.inference.evaluator import BatchEvaluator, Evaluator
from blob_zero.inference.search import search
from blob_zero.selfplay.carry_over import CarryOver
from blob_zero.selfplay.engine import SelfPlay
from blob_zero.selfplay.records import Records

if TYPE_CHECKING:
    from blob_zero.arena.player import Player
    from blob_zero.model.blobnet import BlobNet
    from blob_zero.run.weights_file import load_network

__all__ = [
    "ACTIONS",
    "ENCODING_VERSION",
    "FEATURES",
    "MAX_PLAYERS",
    "Agent",
    "BatchEvaluator",
    "BlobError",
    "BlobNet",
    "CarryOver",
    "CheckpointError",
    "ClusterError",
    "ConfigError",
    "DeviceError",
    "Evaluator",
    "EvaluatorError",
    "Game",
    "IllegalActionError",
    "LookAhead",
    "MatchRecord",
    "MissingPackageError",
    "Observation",
    "Player",
    "Records",
    "Round",
    "RoundRules",
    "RunLockedError",
    "SearchOptions",
    "SearchResult",
    "SelfPlay",
    "__version__",
    "card_index",
    "card_text",
    "feature_scale",
    "load_network",
    "play_match",
    "rule_action",
    "search",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute of any type
    if name == "BlobNet":
        from blob_zero.model.blobnet import BlobNet

        return BlobNet
    if name == "Player":
        from blob_zero.arena.player import Player

        return Player
    if name == "load_network":
        from blob_zero.run.weights_file import load_network

        return load_network
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
