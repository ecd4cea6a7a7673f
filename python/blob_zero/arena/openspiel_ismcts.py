"""OpenSpiel's information-set MCTS as an opponent: the bot `openspiel:ismcts:N`.

The search is OpenSpiel's Python `ISMCTSBot` with one random playout a leaf; the paper is Cowling, Powley and Whitehouse
2012, "Information Set Monte Carlo Tree Search". Its worlds are drawn uniformly by the engine, its positions are the
engine's, so it plays Blob under any rules. OpenSpiel's faster C++ bot plays no game that is written in Python.
"""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np

from blob_zero import _core
from blob_zero.errors import MissingPackageError

try:
    import pyspiel
    from open_spiel.python.algorithms import ismcts, mcts
except ModuleNotFoundError as error:
    raise MissingPackageError.of("openspiel:ismcts", "open_spiel", extra="openspiel") from error

EXPLORATION = 1.4
"""Weight of the exploration in UCB, for values in [-1, 1]: the paper's 0.7 for values in [0, 1]."""

_DRAWN_TOGETHER = 4096


class OpenSpielIsmcts:
    """A function of an observation and a generator, for `Agent.of_function`.

    Args:
        simulations: simulations of a decision, each in a world of its own.
    """

    def __init__(self, simulations: int) -> None:
        self.simulations = simulations

    def __call__(self, observation: _core.Observation, rng: np.random.Generator) -> int:
        """The action of the seat to play."""
        random = np.random.RandomState(rng.integers(2**32))
        worlds = self._worlds(observation, rng)
        root = next(worlds)
        bot = ismcts.ISMCTSBot(
            game=root.get_game(),
            evaluator=mcts.RandomRolloutEvaluator(n_rollouts=1, random_state=random),
            uct_c=EXPLORATION,
            max_simulations=self.simulations,
            random_state=random,
        )
        bot.set_resampler(lambda _state, _player: next(worlds))
        return int(bot.step(root))

    def _worlds(self, observation: _core.Observation, rng: np.random.Generator) -> Iterator["_Position"]:
        left = self.simulations + 1
        while left:
            count = min(left, _DRAWN_TOGETHER)
            yield from map(_Position, observation.sample_rounds(count, seed=int(rng.integers(2**63))))
            left -= count


_TYPE = SimpleNamespace(
    dynamics=pyspiel.GameType.Dynamics.SEQUENTIAL, information=pyspiel.GameType.Information.IMPERFECT_INFORMATION
)
_GAME = SimpleNamespace(get_type=lambda: _TYPE)
"""What `ISMCTSBot` asks of a game."""


class _Position:
    """What `ISMCTSBot` asks of a state, of a round in one world from the root on."""

    __slots__ = ("moves", "round")

    def __init__(self, round_: _core.Round, moves: tuple[int, ...] = ()) -> None:
        self.round = round_
        self.moves = moves

    def current_player(self) -> int:
        seat = self.round.to_play
        assert seat is not None
        return seat

    def information_state_string(self) -> str:
        """What the seat to play knows beyond the root, which all worlds share: its hand, and the actions since."""
        return f"{self.round.hand(self.current_player())} {self.moves}"

    def legal_actions(self, player: int | None = None) -> list[int]:
        del player
        return self.round.legal_actions()

    def apply_action(self, action: int) -> None:
        self.round.play(action)
        self.moves = (*self.moves, int(action))

    def clone(self) -> "_Position":
        return _Position(self.round.copy(), self.moves)

    def is_terminal(self) -> bool:
        return self.round.phase == "done"

    def is_chance_node(self) -> bool:
        return False

    def returns(self) -> list[float]:
        most = 10 + self.round.cards
        return [2 * points / most - 1 for points in self.round.scores()]

    def get_game(self) -> SimpleNamespace:
        return _GAME
