"""Blob as an OpenSpiel game: importing this module registers `python_blob`.

`pyspiel.load_game("python_blob(players=4,cards=5,hook=True,scoring=exact,turn_up=False)")` loads it; all parameters
have these defaults. Cards are the actions 0 to 51 and a bid b is 52 + b. Returns are points.
"""

from collections.abc import Callable
from typing import Any

import blob_zero as bz
from blob_zero.envs.explicit_deal import ExplicitDeal, Table
from blob_zero.envs.openspiel_observer import PACK, BlobObserver
from blob_zero.errors import ConfigError, MissingPackageError

try:
    import pyspiel
except ModuleNotFoundError as error:
    raise MissingPackageError.of("the OpenSpiel game", "open_spiel", extra="openspiel") from error

DEFAULTS: dict[str, Any] = {"players": 4, "cards": 5, "hook": True, "scoring": "exact", "turn_up": False}
"""The parameters of the game."""

FIRST_BID = PACK
"""The action that bids 0."""

GAME_TYPE = pyspiel.GameType(
    short_name="python_blob",
    long_name="Blob",
    dynamics=pyspiel.GameType.Dynamics.SEQUENTIAL,
    chance_mode=pyspiel.GameType.ChanceMode.EXPLICIT_STOCHASTIC,
    information=pyspiel.GameType.Information.IMPERFECT_INFORMATION,
    utility=pyspiel.GameType.Utility.GENERAL_SUM,
    reward_model=pyspiel.GameType.RewardModel.TERMINAL,
    max_num_players=bz.MAX_PLAYERS,
    min_num_players=3,
    provides_information_state_string=True,
    provides_information_state_tensor=True,
    provides_observation_string=True,
    provides_observation_tensor=True,
    provides_factored_observation_string=True,
    parameter_specification=DEFAULTS,
)


class BlobGame(pyspiel.Game):
    """A round of Blob."""

    def __init__(self, params: dict[str, Any] | None = None) -> None:
        self.table = Table(**{**DEFAULTS, **(params or {})})
        players, cards = self.table.players, self.table.cards
        # Refuses what cannot be dealt; OpenSpiel checks only the types.
        bz.Round(players=players, cards=cards, seed=0, rules=self.table.rules)
        info = pyspiel.GameInfo(
            num_distinct_actions=FIRST_BID + cards + 1,
            max_chance_outcomes=PACK,
            num_players=players,
            min_utility=0.0,
            max_utility=10.0 + cards,
            max_game_length=players + players * cards,
        )
        super().__init__(GAME_TYPE, info, params or {})

    def new_initial_state(self) -> "BlobState":
        """The state before the deal."""
        return BlobState(self)

    def max_chance_nodes_in_history(self) -> int:
        """The draws of a deal."""
        return self.table.draws

    def make_py_observer(
        self, iig_obs_type: pyspiel.IIGObservationType | None = None, params: dict[str, Any] | None = None
    ) -> BlobObserver:
        """An observer of the game's states."""
        if params:
            raise ConfigError(f"observation parameters {params}: there are none")
        kind = iig_obs_type or pyspiel.IIGObservationType(perfect_recall=False)
        private = kind.private_info == pyspiel.PrivateInfoType.SINGLE_PLAYER
        return BlobObserver(self.table, private=private, public=kind.public_info, recall=kind.perfect_recall)


class BlobState(pyspiel.State):
    """A position: chance nodes draw dealer, trump and cards, then the seats bid and play.

    Attributes:
        deal: the draws and actions so far, with the engine's round.
    """

    def __init__(self, game: BlobGame) -> None:
        super().__init__(game)
        self.deal = ExplicitDeal(game.table)

    @property
    def round(self) -> bz.Round | None:
        """The engine's round; None while it is being dealt."""
        return self.deal.round

    def current_player(self) -> int:
        """The seat to play."""
        if self.deal.round is None:
            return int(pyspiel.PlayerId.CHANCE)
        seat = self.deal.round.to_play
        return int(pyspiel.PlayerId.TERMINAL) if seat is None else seat

    def chance_outcomes(self) -> list[tuple[int, float]]:
        """The outcomes of the next draw with their probabilities."""
        outcomes = self.deal.outcomes()
        return [(outcome, 1 / len(outcomes)) for outcome in outcomes]

    def is_terminal(self) -> bool:
        """Whether the round is done."""
        return self.deal.round is not None and self.deal.round.phase == "done"

    def returns(self) -> list[float]:
        """The points of each seat; 0 before the round is done."""
        if self.deal.round is None or not self.is_terminal():
            return [0.0] * self.deal.table.players
        return [float(points) for points in self.deal.round.scores()]

    def resample_from_infostate(self, player: int, sampler: Callable[[], float]) -> "BlobState":
        """A state that the player cannot tell from this one: hidden cards are drawn anew, uniformly.

        Args:
            player: the observer.
            sampler: draws numbers in [0, 1).
        """
        state = self.get_game().new_initial_state()
        redrawn = self.deal.as_seen_by(player, seed=int(sampler() * 2**62))
        for outcome in redrawn.draws:
            state.apply_action(outcome)
        for action in self.history()[len(redrawn.draws) :]:
            state.apply_action(action)
        assert isinstance(state, BlobState)
        return state

    def to_openspiel(self, action: int) -> int:
        """The action of OpenSpiel for a legal one of the engine's round."""
        assert self.deal.round is not None
        return action + FIRST_BID if self.deal.round.phase == "bidding" else action

    def _legal_actions(self, player: int) -> list[int]:
        del player
        assert self.deal.round is not None
        return [self.to_openspiel(action) for action in self.deal.round.legal_actions()]

    def _apply_action(self, action: int) -> None:
        if self.deal.round is None:
            self.deal.draw(action)
        else:
            self.deal.play(action - FIRST_BID if action >= FIRST_BID else action)

    def _action_to_string(self, player: int, action: int) -> str:
        if player == pyspiel.PlayerId.CHANCE:
            return self.deal.what(action)
        return f"bid {action - FIRST_BID}" if action >= FIRST_BID else bz.card_text(action)

    def __str__(self) -> str:
        deal = self.deal
        hands = [" ".join(map(bz.card_text, deal.dealt_to(seat))) for seat in range(deal.table.players)]
        bids = " ".join(map(str, deal.actions[: deal.table.players]))
        plays = " ".join(map(bz.card_text, deal.actions[deal.table.players :]))
        return f"dealer {deal.dealer}, trump {deal.trump}, deal {' | '.join(hands)}, bids {bids}, plays {plays}"


pyspiel.register_game(GAME_TYPE, BlobGame)
