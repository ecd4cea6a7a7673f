"""A round whose dealer, trump and cards are drawn one by one, as libraries with chance nodes draw them."""

from typing import Any, Literal, NamedTuple, Self

import blob_zero as bz

TRUMPS: tuple[Literal["S", "H", "C", "D"] | None, ...] = ("S", "H", "C", "D", None)
"""Trumps by number; None is no trump."""


class Table(NamedTuple):
    """All that is fixed before the first draw."""

    players: int
    cards: int
    hook: bool
    scoring: Literal["exact", "exact_plus_tricks"]
    turn_up: bool

    @property
    def rules(self) -> bz.RoundRules:
        """The rule variants."""
        return bz.RoundRules(hook=self.hook, scoring=self.scoring, turn_up=self.turn_up)

    @property
    def draws(self) -> int:
        """Draws of a deal: the dealer, then trump unless a card is turned up, the cards, and the card turned up."""
        return 2 + self.players * self.cards


class ExplicitDeal:
    """A round and its deal, draw by draw and action by action.

    The first draw is the dealer's seat. The second is trump, 0 to 3 for a suit and 4 for none, unless a card is turned
    up. The others are card indices: to seats 0, 1, ... in turn, and last the card turned up.

    Attributes:
        table: what is fixed before the first draw.
        draws: the draws so far.
        actions: the actions so far, as `bz.Round.play` takes them.
        round: the round; None while it is being dealt.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.draws: list[int] = []
        self.actions: list[int] = []
        self.round: bz.Round | None = None

    def outcomes(self) -> list[int]:
        """The equally likely outcomes of the next draw; none once all is dealt."""
        if self.round is not None:
            return []
        if not self.draws:
            return list(range(self.table.players))
        if len(self.draws) < self._before_cards:
            return list(range(len(TRUMPS)))
        dealt = set(self.draws[self._before_cards :])
        return [card for card in range(bz.ACTIONS) if card not in dealt]

    def draw(self, outcome: int) -> None:
        """Draws an outcome."""
        self.draws.append(outcome)
        if len(self.draws) == self.table.draws:
            self.round = self._dealt()

    def play(self, action: int) -> None:
        """Plays an action of the round.

        Raises:
            IllegalActionError: the action is not legal.
        """
        assert self.round is not None
        self.round.play(action)
        self.actions.append(action)

    @property
    def dealer(self) -> int | None:
        """The dealer's seat, once drawn."""
        return self.draws[0] if self.draws else None

    @property
    def trump(self) -> int | None:
        """The trump, 4 for none, once it is known."""
        if self.table.turn_up:
            return None if self.round is None else self.draws[-1] // 13
        return self.draws[1] if len(self.draws) > 1 else None

    def dealt_to(self, seat: int) -> list[int]:
        """The cards dealt to a seat so far, whether played or not, ascending."""
        cards = self.draws[self._before_cards :][: self.table.players * self.table.cards]
        return sorted(cards[seat :: self.table.players])

    def what(self, outcome: int) -> str:
        """The next draw's outcome in words."""
        if not self.draws:
            return f"dealer {outcome}"
        if len(self.draws) < self._before_cards:
            return trump_words(outcome)
        return f"deal {bz.card_text(outcome)}"

    def as_seen_by(self, seat: int, *, seed: int) -> Self:
        """The same play with hidden cards drawn anew, uniformly over the deals that the seat holds possible."""
        assert self.round is not None
        players, before = self.table.players, self._before_cards
        world = self.round.observe(seat).sample_worlds(1, seed=seed)[0]
        held = [[card for card in range(bz.ACTIONS) if int(hand) >> card & 1] for hand in world]
        played = set(self.actions[players:])
        hands = [
            sorted(held[other] + [card for card in self.dealt_to(other) if card in played]) for other in range(players)
        ]
        other = type(self)(self.table)
        for draw in self.draws[:before]:
            other.draw(draw)
        for position in range(self.table.cards):
            for hand in hands:
                other.draw(hand[position])
        for draw in self.draws[before + players * self.table.cards :]:
            other.draw(draw)
        for action in self.actions:
            other.play(action)
        return other

    @property
    def _before_cards(self) -> int:
        return 1 if self.table.turn_up else 2

    def _dealt(self) -> bz.Round:
        players, draws = self.table.players, self.draws
        return bz.Round(
            players=players,
            trump=None if self.table.turn_up else TRUMPS[draws[1]],
            dealer=draws[0],
            hands=[[bz.card_text(card) for card in self.dealt_to(seat)] for seat in range(players)],
            rules=self.table.rules,
            turned_up=bz.card_text(draws[-1]) if self.table.turn_up else None,
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copy = type(self)(self.table)
        copy.draws, copy.actions = self.draws.copy(), self.actions.copy()
        copy.round = None if self.round is None else self.round.copy()
        return copy

    def __reduce__(self) -> tuple[Any, ...]:
        return _replayed, (self.table, self.draws, self.actions)


def trump_words(trump: int) -> str:
    """A trump by its number, in words."""
    suit = TRUMPS[trump]
    return "no trump" if suit is None else f"trump {suit}"


def _replayed(table: Table, draws: list[int], actions: list[int]) -> ExplicitDeal:
    deal = ExplicitDeal(table)
    for outcome in draws:
        deal.draw(outcome)
    for action in actions:
        deal.play(action)
    return deal
