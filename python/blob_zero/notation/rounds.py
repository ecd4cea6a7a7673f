"""A round as text: tags for its deal, then bids and tricks (docs/notation.md)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self, cast

from blob_zero import _core
from blob_zero.errors import BlobError, ConfigError

Trump = Literal["S", "H", "C", "D"]


@dataclass(frozen=True, kw_only=True)
class RoundText:
    """A deal and the actions made in it so far.

    Attributes:
        trump: the trump suit; None for no trump, and where a card is turned up.
        hands: the hand of each seat as dealt.
        turned_up: the card turned up for trump, where the rules turn one up.
        actions: bids by their numbers, then cards by their indices, in the order made.
        seats: who sat in each seat, without commas; empty if that is not known.
    """

    dealer: int
    trump: Trump | None
    hands: tuple[tuple[str, ...], ...]
    rules: _core.RoundRules = field(default_factory=_core.RoundRules)
    turned_up: str | None = None
    actions: tuple[int, ...] = ()
    seats: tuple[str, ...] = ()

    @classmethod
    def of(cls, deal: _core.Round, actions: Sequence[int]) -> Self:
        """The text of a round before its first bid, and of the actions that follow."""
        turned_up = deal.turned_up
        return cls(
            dealer=deal.dealer,
            trump=None if turned_up else deal.trump,
            hands=tuple(tuple(deal.hand(seat)) for seat in range(deal.players)),
            rules=deal.rules,
            turned_up=turned_up,
            actions=tuple(actions),
        )

    @property
    def players(self) -> int:
        """Number of players."""
        return len(self.hands)

    @property
    def cards(self) -> int:
        """Cards dealt to each."""
        return len(self.hands[0])

    def after(self, turns: int | None = None) -> _core.Round:
        """The round after a number of actions; after all of them by default.

        Raises:
            BlobError: the deal or an action is not possible.
        """
        round_ = _core.Round(
            players=self.players,
            trump=self.trump,
            dealer=self.dealer,
            hands=[list(hand) for hand in self.hands],
            rules=self.rules,
            turned_up=self.turned_up,
        )
        for action in self.actions[:turns]:
            round_.play(action)
        return round_

    def lines(self) -> list[str]:
        """The round as lines of text."""
        round_ = self.after()
        bids, plays = self.actions[: self.players], self.actions[self.players :]
        return [*self._tags(), *_bid_lines(bids), *self._trick_lines(plays), *_point_lines(round_)]

    def _tags(self) -> list[str]:
        tags = {"Dealer": str(self.dealer), "Trump": self.trump or "none"}
        if self.turned_up is not None:
            tags["Trump"] = self.turned_up[1]
            tags["TurnedUp"] = self.turned_up
        if not self.rules.hook:
            tags["Hook"] = "no"
        if self.rules.scoring != "exact":
            tags["Scoring"] = self.rules.scoring
        if self.seats:
            tags["Seats"] = ", ".join(self.seats)
        tags |= {f"Hand{seat}": " ".join(hand) for seat, hand in enumerate(self.hands)}
        return [f'[{name} "{value}"]' for name, value in tags.items()]

    def _trick_lines(self, plays: Sequence[int]) -> list[str]:
        lines = []
        for start in range(0, len(plays), self.players):
            leader = self.after(self.players + start).to_play
            cards = " ".join(_core.card_text(card) for card in plays[start : start + self.players])
            lines.append(f"trick {start // self.players + 1}, seat {leader}: {cards}")
        return lines


def _bid_lines(bids: Sequence[int]) -> list[str]:
    return [f"bids: {' '.join(map(str, bids))}"] if bids else []


def _point_lines(round_: _core.Round) -> list[str]:
    return [f"points: {' '.join(map(str, round_.scores()))}"] if round_.phase == "done" else []


def read_round(lines: Sequence[tuple[int, str]], tags: dict[str, str], where: str) -> RoundText:
    """Reads the tags and moves of one round.

    Args:
        lines: number and text of each line of moves.
        tags: the tags of the round.
        where: the place of the round, for messages.

    Raises:
        ConfigError: something cannot be read, or is not possible; names the line.
    """
    deal = _read_deal(tags, where)
    round_ = deal.after()
    actions: list[int] = []
    for number, line in lines:
        label, colon, moves = line.partition(":")
        if not colon or label.partition(" ")[0] not in ("bids", "trick", "points"):
            raise ConfigError(f"line {number}: {line!r} is none of 'bids: ...', 'trick N, seat S: ...', 'points: ...'")
        try:
            if label.startswith("points"):
                _check_points(moves, round_)
                continue
            if label.startswith("trick"):
                _check_leader(label, round_)
            for move in moves.split():
                actions.append(read_action(move, round_))
                round_.play(actions[-1])
        except BlobError as error:
            raise ConfigError(f"line {number}: {error}") from error
    return replace(deal, actions=tuple(actions))


def _read_deal(tags: dict[str, str], where: str) -> RoundText:
    known = {"Round", "Dealer", "Trump", "TurnedUp", "Hook", "Scoring", "Seats"} | {f"Hand{seat}" for seat in range(8)}
    unknown = sorted(set(tags) - known)
    if unknown:
        raise ConfigError(f"{where}: unknown tag {unknown[0]}; a round has {', '.join(sorted(known))}")
    for name in ("Dealer", "Trump", "Hand0"):
        if name not in tags:
            raise ConfigError(f"{where}: the tag {name} is missing")
    if not tags["Dealer"].isdecimal():
        raise ConfigError(f"{where}: Dealer is {tags['Dealer']!r}; it is the number of a seat")
    if tags["Trump"] not in ("S", "H", "C", "D", "none"):
        raise ConfigError(f"{where}: Trump is {tags['Trump']!r}; it is S, H, C, D or none")
    if tags.get("Hook", "yes") not in ("yes", "no"):
        raise ConfigError(f"{where}: Hook is {tags['Hook']!r}; it is yes or no")
    turned_up = tags.get("TurnedUp")
    if turned_up is not None and turned_up[1:] != tags["Trump"]:
        raise ConfigError(f"{where}: {turned_up} is turned up and Trump is {tags['Trump']}; its suit is trump")
    hands = [tuple(tags[f"Hand{seat}"].split()) for seat in range(8) if f"Hand{seat}" in tags]
    last = len(hands) - 1
    if any(f"Hand{seat}" not in tags for seat in range(len(hands))):
        raise ConfigError(f"{where}: the tag of a hand is missing; {len(hands)} players have Hand0 to Hand{last}")
    try:
        deal = RoundText(
            dealer=int(tags["Dealer"]),
            trump=None if turned_up or tags["Trump"] == "none" else cast("Trump", tags["Trump"]),
            hands=tuple(hands),
            rules=_core.RoundRules(
                hook=tags.get("Hook", "yes") == "yes",
                scoring=cast("Literal['exact', 'exact_plus_tricks']", tags.get("Scoring", "exact")),
                turn_up=turned_up is not None,
            ),
            turned_up=turned_up,
        )
        # In the order of the pack, as the engine returns hands.
        read = RoundText.of(deal.after(), ())
    except BlobError as error:
        raise ConfigError(f"{where}: {error}") from error
    seats = tuple(name.strip() for name in tags["Seats"].split(",")) if "Seats" in tags else ()
    if seats and len(seats) != read.players:
        raise ConfigError(f"{where}: Seats names {len(seats)} of {read.players} players")
    return replace(read, seats=seats)


def _check_leader(label: str, round_: _core.Round) -> None:
    words = label.replace(",", " ").split()
    if len(words) != 4 or words[2] != "seat" or words[3] != str(round_.to_play) or round_.trick:
        raise ConfigError(f"{label!r} where seat {round_.to_play} is to play; should be 'trick N, seat LEADER'")


def _check_points(moves: str, round_: _core.Round) -> None:
    points = " ".join(map(str, round_.scores()))
    if " ".join(moves.split()) != points:
        raise ConfigError(f"points are {' '.join(moves.split())}; the round ends with {points}")


def read_action(move: str, round_: _core.Round) -> int:
    """The action of a move's text: a bid's number, or a card.

    Raises:
        ConfigError: it is neither, or the other one is due.
    """
    if round_.phase == "playing":
        return _core.card_index(move)
    if not (move.isascii() and move.isdecimal() and len(move) <= 2):
        raise ConfigError(f"{move!r} is no bid; a bid is a number")
    return int(move)


def action_name(action: int, phase: str) -> str:
    """The text of an action: a bid's number in bidding, else a card."""
    return str(action) if phase == "bidding" else _core.card_text(action)


def trump_name(trump: str | None) -> str:
    """A trump suit in words."""
    return {"S": "spades", "H": "hearts", "C": "clubs", "D": "diamonds", None: "no trump"}[trump]
