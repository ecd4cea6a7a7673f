"""A game of one person against bots. It knows no web and no terminal."""

from collections.abc import Iterable
from dataclasses import dataclass

from blob_zero import _core
from blob_zero.errors import IllegalActionError
from blob_zero.notation.rounds import RoundText
from blob_zero.play.levels import act, find_level
from blob_zero.play.table import YOU, Table


@dataclass(frozen=True, kw_only=True)
class Trick:
    """A finished trick: seat and card in the order played, and the seat that won it."""

    plays: tuple[tuple[int, str], ...]
    winner: int


class Session:
    """A game in progress.

    A finished round stays on the table until `next_round`.

    Attributes:
        table: what was fixed before the first deal.
        round: the round on the table.
        finished: all finished rounds, the one on the table included.
        last_trick: the last finished trick of the round on the table.
        undos: how often an action was taken back.
        hints: how often a hint was asked for.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.undos = 0
        self.hints = 0
        self._levels = [find_level(agent) for agent in table.levels]
        self._begin()

    def _begin(self) -> None:
        self._deals = self.table.deals()
        self.finished: list[RoundText] = []
        self._lay_out()

    def _lay_out(self) -> None:
        self._deal = self._deals.round
        self.round = self._deal.copy()
        self.running: list[int] = []
        self.last_trick: Trick | None = None

    @property
    def schedule(self) -> list[int]:
        """Cards of each round."""
        return self._deals.schedule

    @property
    def round_number(self) -> int:
        """Number of the round on the table, from 0."""
        return len(self.finished) - (self.round.phase == "done")

    @property
    def done(self) -> bool:
        """Whether all rounds are finished."""
        return self._deals.done

    @property
    def history(self) -> list[list[int]]:
        """Points of each seat, by finished round."""
        return self._deals.history

    @property
    def turns(self) -> int:
        """Actions in the game so far."""
        return sum(len(round_.actions) for round_ in self.finished) + (
            0 if self.round.phase == "done" else len(self.running)
        )

    @property
    def your_turn(self) -> bool:
        """Whether the person is to act."""
        return self.round.to_play == YOU

    @property
    def forbidden_bid(self) -> int | None:
        """The bid that the hook forbids to the person now; None if it forbids none."""
        round_ = self.round
        if round_.phase != "bidding" or not self.your_turn:
            return None
        missing = set(range(round_.cards + 1)) - set(round_.legal_actions())
        return missing.pop() if missing else None

    def play(self, action: int) -> None:
        """Plays an action of the person.

        Raises:
            IllegalActionError: it is not the person's turn, or the action is not legal.
        """
        if not self.your_turn:
            raise IllegalActionError(f"action {action}, but it is not your turn")
        self.play_any(action)

    def advance(self) -> int | None:
        """Plays one action of a bot, and returns it; None if none is to act."""
        seat = self.round.to_play
        if seat is None or seat == YOU:
            return None
        action = act(self._levels[seat - 1], self.round.observe(seat), self.table.bot_seed)
        self.play_any(action)
        return action

    def next_round(self) -> None:
        """Deals the next round, if the one on the table is finished and there is another."""
        if self.round.phase == "done" and not self.done:
            self._lay_out()

    def undo(self) -> bool:
        """Takes back everything since the person's last decision, and that decision; returns whether there was one."""
        kept = self._actions_before_last_decision()
        if kept is None:
            return False
        self.replay(kept)
        self.next_round()  # the decision was the first action of its round
        self.undos += 1
        return True

    def replay(self, actions: Iterable[int]) -> None:
        """Plays the whole game anew with the actions of all seats.

        Raises:
            IllegalActionError: an action is not legal.
        """
        self._begin()
        for action in actions:
            self.next_round()
            self.play_any(action)

    def all_actions(self) -> list[int]:
        """The actions of the game so far, of all seats."""
        running = [] if self.round.phase == "done" else self.running
        return [action for round_ in self.finished for action in round_.actions] + running

    def _actions_before_last_decision(self) -> list[int] | None:
        actions, deals = self.all_actions(), self.table.deals()
        last = None
        for turn, action in enumerate(actions):
            round_ = deals.round
            if round_.to_play == YOU and len(round_.legal_actions()) > 1:
                last = turn
            deals.play(action)
        return None if last is None else actions[:last]

    def play_any(self, action: int) -> None:
        """Plays an action for whoever is to act.

        Raises:
            IllegalActionError: it is not legal.
        """
        trick, seat, won = self.round.trick, self.round.to_play, self.round.tricks_won
        playing = self.round.phase == "playing"
        self.round.play(action)
        self._deals.play(action)
        self.running.append(action)
        if playing and seat is not None and len(trick) + 1 == self.round.players:
            now = self.round.tricks_won
            winner = next(one for one in range(len(now)) if now[one] > won[one])
            self.last_trick = Trick(plays=(*trick, (seat, _core.card_text(action))), winner=winner)
        if self.round.phase == "done":
            self.finished.append(RoundText.of(self._deal, self.running))
