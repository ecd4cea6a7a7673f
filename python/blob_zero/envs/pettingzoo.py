"""Blob as a PettingZoo environment in which seats act one after another (AEC)."""

from typing import Any, ClassVar, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

import blob_zero as bz
from blob_zero.envs.explicit_deal import TRUMPS
from blob_zero.errors import ConfigError, IllegalActionError, MissingPackageError

try:
    from gymnasium import spaces
    from pettingzoo import AECEnv
    from pettingzoo.utils.wrappers import OrderEnforcingWrapper
except ModuleNotFoundError as error:
    raise MissingPackageError.of("the PettingZoo environment", "pettingzoo", extra="pettingzoo") from error

_POINTS_APART = slice(239, 253)
"""The features that can exceed 1: differences of points, up to 255 hundredths (docs/observation.md)."""

_NO_ACTION = np.zeros(bz.ACTIONS, np.int8)


class Settings(TypedDict, total=False):
    """The keyword arguments of `BlobEnv`."""

    players: int
    cards: int
    whole_game: bool
    rules: bz.RoundRules | None
    render_mode: str | None


def env(**settings: Unpack[Settings]) -> OrderEnforcingWrapper[str, dict[str, Any], int]:
    """A `BlobEnv` that reports calls in a wrong order, such as a step before the first reset.

    Args:
        settings: the keyword arguments of `BlobEnv`.
    """
    return OrderEnforcingWrapper(BlobEnv(**settings))


class BlobEnv(AECEnv[str, dict[str, Any], int]):
    """A round, or a whole game, for the agents `seat_0` to `seat_7`.

    An observation is a dict of `observation`, float32[256] as `Observation.encode()` returns it, and `action_mask`,
    int8[52]. Actions are named as in the encoding: a bid is its number, a card its relative rank (docs/observation.md).
    `place` and `action` translate between them and the actions of `bz.Round`. The mask of a seat that is not to play is
    all 0.

    A reward is the points of a round, which each seat gets when the round ends; 0 at all other times. All seats
    terminate together, after the round or after the last round of the game.

    Args:
        players: seats, 3 to 8.
        cards: cards dealt to each player, 1 to 13; in a whole game, in its first round.
        whole_game: whether an episode is a whole game, from `cards` down to 1 and up again, instead of one round.
        rules: rule variants; Blob's own if None.
        render_mode: `ansi` lets `render` return the table as text.

    Raises:
        ConfigError: the cards cannot be dealt, or the render mode is unknown.
    """

    metadata: ClassVar[dict[str, Any]] = {"name": "blob_v0", "render_modes": ["ansi"], "is_parallelizable": False}

    def __init__(
        self,
        *,
        players: int = 4,
        cards: int = 5,
        whole_game: bool = False,
        rules: bz.RoundRules | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__()
        if render_mode not in (None, "ansi"):
            raise ConfigError(f"render_mode {render_mode!r}: should be None or 'ansi'")
        self.render_mode = render_mode
        self._players, self._cards, self._whole_game = players, cards, whole_game
        self._rules = rules or bz.RoundRules()
        self._rng = np.random.default_rng()
        self._game: bz.Game | None = None
        self._round = self._deal()
        self.possible_agents = [f"seat_{seat}" for seat in range(players)]
        high = np.ones(bz.FEATURES, np.float32)
        high[_POINTS_APART] = 255 * bz.feature_scale()[_POINTS_APART]
        self.observation_spaces = {
            agent: spaces.Dict(
                {
                    "observation": spaces.Box(np.zeros_like(high), high),
                    "action_mask": spaces.Box(0, 1, (bz.ACTIONS,), np.int8),
                }
            )
            for agent in self.possible_agents
        }
        self.action_spaces = {agent: spaces.Discrete(bz.ACTIONS) for agent in self.possible_agents}

    @property
    def round(self) -> bz.Round:
        """A copy of the round in progress, with all hands."""
        return self._round.copy()

    @property
    def game(self) -> bz.Game | None:
        """A copy of the game in progress; None where an episode is a round."""
        return None if self._game is None else self._game.copy()

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The observations of an agent, the same for all."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The actions of an agent, the same for all."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Deals a new round or game; trump and dealer are drawn uniformly.

        Args:
            seed: decides this deal and those of later resets without a seed; None goes on from the last seed.
            options: ignored.
        """
        del options
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._round = self._deal()
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}
        self.agent_selection = self._to_play()

    def observe(self, agent: str) -> dict[str, NDArray[Any]]:
        """What an agent knows, whether it is to play or not."""
        observation = self._round.observe(self.possible_agents.index(agent))
        legal = observation.legal_actions()
        mask = _NO_ACTION.copy()
        mask[observation.encoded_actions()[legal]] = 1
        return {"observation": observation.encode(), "action_mask": mask}

    def step(self, action: int | None) -> None:
        """Plays an action of `agent_selection`; None once it has terminated.

        Raises:
            IllegalActionError: the action mask does not allow it.
        """
        if self.terminations[self.agent_selection]:
            self._was_dead_step(action)
            return
        points = self._play(self.action(action))
        self._cumulative_rewards[self.agent_selection] = 0
        self._clear_rewards()
        if points is not None:
            self.rewards = {agent: float(won) for agent, won in zip(self.agents, points, strict=True)}
        if self._round.to_play is None:
            self.terminations = dict.fromkeys(self.agents, True)
        else:
            self.agent_selection = self._to_play()
        self._accumulate_rewards()

    def action(self, place: int | None) -> int:
        """The action of the seat to play, as `bz.Round.play` takes it, for a place in the action mask.

        Raises:
            IllegalActionError: no legal action has this place.
        """
        places = {self.place(action): action for action in self._round.legal_actions()}
        if place is None or int(place) not in places:
            allowed = ", ".join(map(str, sorted(places)))
            raise IllegalActionError(f"action {place} of {self.agent_selection}: its action mask allows {allowed}")
        return places[int(place)]

    def place(self, action: int) -> int:
        """The place in the action mask of a legal action, as `bz.Round.legal_actions` returns it."""
        return int(self._round.observe().encoded_actions()[action])

    def render(self) -> str | None:
        """The table as text, with all hands; None without a render mode."""
        if self.render_mode is None:
            return None
        lines = [repr(self._round)]
        for seat, agent in enumerate(self.possible_agents):
            bid, won = self._round.bids[seat], self._round.tricks_won[seat]
            hand = " ".join(self._round.hand(seat))
            lines.append(f"{agent}: bid {'-' if bid is None else bid}, won {won}, {hand or 'no cards'}")
        trick = ", ".join(f"seat_{seat} {card}" for seat, card in self._round.trick)
        return "\n".join([*lines, f"trick: {trick or 'none'}"])

    def close(self) -> None:
        """Does nothing: an environment holds nothing to release."""

    def _deal(self) -> bz.Round:
        players, cards, rules = self._players, self._cards, self._rules
        seed, dealer = int(self._rng.integers(2**63)), int(self._rng.integers(max(players, 1)))
        if self._whole_game:
            self._game = bz.Game(players=players, cards=cards, dealer=dealer, seed=seed, rules=rules)
            return self._game.round
        trump = None if rules.turn_up else TRUMPS[self._rng.integers(len(TRUMPS))]
        return bz.Round(players=players, cards=cards, trump=trump, dealer=dealer, seed=seed, rules=rules)

    def _play(self, action: int) -> list[int] | None:
        """Plays an action; returns the points of the round if it ends with it."""
        if self._game is None:
            self._round.play(action)
            return self._round.scores() if self._round.phase == "done" else None
        before = self._game.rounds_done
        self._game.play(action)
        self._round = self._game.round
        return self._game.history[-1] if self._game.rounds_done > before else None

    def _to_play(self) -> str:
        seat = self._round.to_play
        assert seat is not None
        return self.possible_agents[seat]
