"""Any agent of the arena as an OpenSpiel bot for `python_blob`."""

import numpy as np

from blob_zero.arena.agent import Agent
from blob_zero.arena.choose import choose
from blob_zero.envs.openspiel import BlobState
from blob_zero.errors import ConfigError, MissingPackageError

try:
    import pyspiel
except ModuleNotFoundError as error:
    raise MissingPackageError.of("an OpenSpiel bot", "open_spiel", extra="openspiel") from error


class AgentBot(pyspiel.Bot):
    """An agent that plays one seat of `python_blob`. It sees that seat's observation and no other hand.

    Args:
        agent: any agent, such as `Agent.rule()` or `Agent.ismcts(100)`.
        player_id: the seat.
        seed: of the agent's randomness; `restart` begins it anew.
    """

    def __init__(self, agent: Agent, player_id: int, seed: int = 0) -> None:
        super().__init__()
        self._agent, self._player_id, self._seed = agent, player_id, seed
        self.restart()

    def player_id(self) -> int:
        """The seat."""
        return self._player_id

    def restart(self) -> None:
        """Begins a new round."""
        self._rng = np.random.Generator(np.random.PCG64(self._seed))

    def restart_at(self, state: BlobState) -> None:
        """Goes on from a state."""
        del state
        self.restart()

    def inform_action(self, state: BlobState, player_id: int, action: int) -> None:
        """Takes notice of another seat's action; the observation holds it."""

    def provides_policy(self) -> bool:
        """Whether `step_with_policy` is there: with probability 1 for the chosen action."""
        return True

    def step(self, state: BlobState) -> int:
        """The action in a state in which this seat is to play.

        Raises:
            ConfigError: another seat is to play.
        """
        if state.current_player() != self._player_id or state.round is None:
            raise ConfigError(
                f"player {state.current_player()} is to play; this is the bot of player {self._player_id}"
            )
        seed = int(self._rng.integers(2**63))
        return state.to_openspiel(choose(self._agent, [state.round.observe()], [seed])[0])

    def step_with_policy(self, state: BlobState) -> tuple[list[tuple[int, float]], int]:
        """The action, and a policy that takes it for certain."""
        chosen = self.step(state)
        return [(action, float(action == chosen)) for action in state.legal_actions()], chosen
