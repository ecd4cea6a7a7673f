"""A trained network that chooses actions, for programs that play rounds of their own."""

import hashlib
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from blob_zero import _core
from blob_zero.arena.agent import Agent
from blob_zero.arena.choose import choose
from blob_zero.arena.entrant import trained_search
from blob_zero.config.search_options import LookAhead, SearchOptions
from blob_zero.errors import ConfigError
from blob_zero.inference.evaluator import Outputs
from blob_zero.inference.inference import Inference
from blob_zero.inference.onnx_evaluator import OnnxEvaluator
from blob_zero.model.blobnet import BlobNet
from blob_zero.model.networks import Network
from blob_zero.model.outcome_net import OutcomeNet
from blob_zero.run.weights_file import load_network

_BATCH_ROWS = 32
"""Rows of every batch: few enough for a single decision, whose leaves are few, to cost little more than their own."""


class Player:
    """A network that chooses actions for observations.

    A choice follows from the network, the search, the seed and the observation alone, whatever was chosen before or
    beside it.

    Args:
        net: a network, the path of a run's folder, a checkpoint, a weights file or an .onnx file, or None for the
            network that comes with the package.
        search: `"default"` is the best there is for the network: a `LookAhead` for one that plays without search, else
            the search that it was trained with, 3 worlds of 30 simulations where its file does not say. `LookAhead` or
            `SearchOptions`, without their exploration, or None for the likeliest action by the network's policy, at one
            evaluation a decision.
        seed: of the searches, 0 to 2^63 - 1.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        ConfigError: a setting is out of its range.
        CheckpointError: the network cannot be read.
        DeviceError: the device is not there.
    """

    def __init__(
        self,
        net: Network | str | PathLike[str] | None = None,
        search: Literal["default"] | LookAhead | SearchOptions | None = "default",
        seed: int = 0,
        *,
        device: str = "cpu",
    ) -> None:
        if not (search is None or search == "default" or isinstance(search, SearchOptions | LookAhead)):
            raise ConfigError(
                f'search is {search!r}; it is "default", LookAhead or SearchOptions, or None to play without a search'
            )
        if not 0 <= seed < 2**63:
            raise ConfigError(f"seed is {seed}; it is 0 to 2^63 - 1")
        self._evaluator, best = _opened(net, device)
        if search == "default":
            search = best
        self.search = None if search is None else search.greedy()
        self.seed = seed
        evaluate = self._evaluate
        self._agent = (
            Agent.policy(evaluate)
            if self.search is None
            else Agent(kind="network", search=self.search, evaluator=evaluate)
        )

    def choose(self, observation: _core.Observation) -> int:
        """The action of the seat to play, as `Round.play` takes it: a bid, or the index of a card.

        Raises:
            ConfigError: the observation is of a seat that is not to play.
        """
        return self.choose_many([observation])[0]

    def choose_many(self, observations: Sequence[_core.Observation]) -> list[int]:
        """The action for each observation, evaluated together; rounds of any mix of sizes.

        Raises:
            ConfigError: an observation is of a seat that is not to play.
        """
        return choose(self._agent, observations, [self._seed_of(observation) for observation in observations])

    def _evaluate(self, features: NDArray[np.float32], legal: NDArray[np.bool_]) -> Outputs:
        """Evaluates in batches of one shape, so that a row's outputs do not depend on the rows beside it."""
        rows = len(features)
        padding = ((0, -rows % _BATCH_ROWS), (0, 0))
        features, legal = np.pad(features, padding), np.pad(legal, padding)
        parts = [
            self._evaluator(features[start : start + _BATCH_ROWS], legal[start : start + _BATCH_ROWS])
            for start in range(0, rows, _BATCH_ROWS)
        ]
        policy, values = (np.concatenate(outputs)[:rows] for outputs in zip(*parts, strict=True))
        return policy, values

    def _seed_of(self, observation: _core.Observation) -> int:
        """A seed for the search of an observation, so that no choice depends on those before it."""
        known = self.seed.to_bytes(8, "little") + observation.encode_bytes().tobytes()
        return int.from_bytes(hashlib.blake2b(known, digest_size=8).digest(), "little") >> 1


def _opened(
    net: Network | str | PathLike[str] | None, device: str
) -> tuple[Inference | OnnxEvaluator, LookAhead | SearchOptions | None]:
    """A network as an evaluator, and the best search for it."""
    path = Path(net) if isinstance(net, str | PathLike) else None
    if path is not None and path.suffix == ".onnx":
        file = OnnxEvaluator(path, device=device)
        return file, file.search or LookAhead()
    network = net if isinstance(net, BlobNet | OutcomeNet) else load_network(path)
    search = SearchOptions() if path is None else trained_search(path)
    return Inference(network, device=device), LookAhead() if isinstance(network, OutcomeNet) else search
