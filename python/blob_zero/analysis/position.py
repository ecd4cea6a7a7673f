"""Positions as programs send them: what one seat knows, or a full deal with the turns to analyze.

An observation is made from a round with all hands. What a seat does not know is filled in with any deal that fits, and
the observation hides it again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from blob_zero import _core
from blob_zero.analysis.hidden_hands import UnfitError, fill_hands
from blob_zero.errors import BlobError, ConfigError

MAX_EXAMPLES = 100
"""Most example worlds of an answer."""

FIELDS = (
    "id", "players", "cards", "trump", "turned_up", "dealer", "rules", "seat", "hand", "hands", "bids", "plays",
    "turns", "search", "net", "worlds",
)  # fmt: skip
"""The fields of a request."""


class FieldError(ConfigError):
    """A request that cannot be answered; `field` is the field at fault."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, kw_only=True)
class Position:
    """One decision of a request.

    Attributes:
        turn: number of bids and plays before it, where a full deal was given; else None.
        round: the round; unless a full deal was given, hands of other seats mean nothing.
        observation: what the seat to play knows.
    """

    turn: int | None
    round: _core.Round
    observation: _core.Observation


def read_positions(request: Mapping[str, Any]) -> list[Position]:
    """The decisions of a request.

    Raises:
        FieldError: a field is missing, has a wrong type, or does not fit the others.
    """
    table = _read_table(request)
    bids = _numbers(request, "bids")
    plays = _cards(request, "plays")
    if len(bids) > table.players:
        fail("bids", f"{len(bids)} bids of {table.players} players")
    if plays and len(bids) < table.players:
        fail("plays", f"{len(plays)} cards played after {len(bids)} of {table.players} bids")
    if "hands" in request:
        return _of_full_deal(request, table, bids, plays)
    if "turns" in request:
        fail("turns", "turns goes with hands, the full deal")
    return [_of_one_seat(request, table, bids, plays)]


@dataclass(frozen=True, kw_only=True)
class _Table:
    """What is known before the deal."""

    players: int
    cards: int
    trump: str | None
    turned_up: str | None
    dealer: int
    rules: _core.RoundRules

    def round(self, hands: Sequence[Iterable[str]]) -> _core.Round:
        return _core.Round(
            players=self.players,
            trump=None if self.rules.turn_up else self.trump,  # type: ignore[arg-type]  # checked when read
            dealer=self.dealer,
            hands=[list(hand) for hand in hands],
            rules=self.rules,
            turned_up=self.turned_up,
        )


def _read_table(request: Mapping[str, Any]) -> _Table:
    players = _number(request, "players", 3, 8)
    rules = _read_rules(request)
    most = min(13, (52 - rules.turn_up) // players)
    cards = _number(request, "cards", 1, most)
    turned_up = request.get("turned_up")
    if turned_up is not None:
        _check_card("turned_up", turned_up)
    if rules.turn_up != (turned_up is not None):
        fail("turned_up", "rules.turn_up and turned_up go together: one of them is missing")
    trump = None if request.get("trump") in (None, "none") else request["trump"]
    if turned_up is None and "trump" not in request:
        fail("trump", "trump is missing; it is S, H, C, D or null for no trump")
    if not (trump is None or trump in ("S", "H", "C", "D")):
        fail("trump", f"trump is {_short(trump)}; it is S, H, C, D or null for no trump")
    if turned_up is not None and trump not in (None, turned_up[1]):
        fail("trump", f"trump is {trump} and {turned_up} is turned up; its suit is trump")
    dealer = _number(request, "dealer", 0, players - 1)
    return _Table(players=players, cards=cards, trump=trump, turned_up=turned_up, dealer=dealer, rules=rules)


def _read_rules(request: Mapping[str, Any]) -> _core.RoundRules:
    rules = request.get("rules") or {}
    if not isinstance(rules, dict):
        fail("rules", f"rules is {_short(rules)}; it is an object with hook, scoring, turn_up")
    for name in ("hook", "turn_up"):
        if not isinstance(rules.get(name, False), bool):
            fail("rules", f"rules.{name} is {_short(rules[name])}; it is true or false")
    scoring = rules.get("scoring", "exact")
    if scoring not in ("exact", "exact_plus_tricks"):
        fail("rules", f"rules.scoring is {_short(scoring)}; it is exact or exact_plus_tricks")
    # A card that is turned up says the rule.
    turn_up = rules.get("turn_up", request.get("turned_up") is not None)
    return _core.RoundRules(hook=rules.get("hook", True), scoring=scoring, turn_up=turn_up)


def _of_full_deal(request: Mapping[str, Any], table: _Table, bids: list[int], plays: list[str]) -> list[Position]:
    hands = request["hands"]
    if not isinstance(hands, list) or not all(isinstance(hand, list) for hand in hands):
        fail("hands", "hands is a list with the list of cards of each seat, as dealt")
    for hand in hands:
        for card in hand:
            _check_card("hands", card)
    with _blamed("hands"):
        round_ = table.round(hands)
    if round_.cards != table.cards:
        fail("hands", f"hands of {round_.cards} cards where cards is {table.cards}")
    for name in ("seat", "hand"):
        if name in request:
            fail(name, f"{name} goes with one seat's view; hands is a full deal")
    steps: list[_core.Round] = [round_]
    for field, action in [("bids", bid) for bid in bids] + [("plays", _core.card_index(card)) for card in plays]:
        steps.append(steps[-1].copy())
        with _blamed(field):
            steps[-1].play(action)
    open_ = [turn for turn, step in enumerate(steps) if step.phase != "done"]
    turns = _numbers(request, "turns") if "turns" in request else open_[-1:]
    if not turns:
        fail("turns", "no turn to analyze: the round is done, and turns is empty or missing")
    for turn in turns:
        if turn not in open_:
            fail("turns", f"turn {turn}; the deal has the decisions 0 to {open_[-1]}")
    return [Position(turn=turn, round=steps[turn], observation=steps[turn].observe()) for turn in turns]


def _of_one_seat(request: Mapping[str, Any], table: _Table, bids: list[int], plays: list[str]) -> Position:
    hand = _cards(request, "hand", needed=True)
    try:
        hands, to_play = fill_hands(
            players=table.players,
            cards=table.cards,
            trump=table.turned_up[1] if table.turned_up else table.trump,
            leader=(table.dealer + 1) % table.players,
            gone=[] if table.turned_up is None else [table.turned_up],
            bids=len(bids),
            plays=plays,
            hand=hand,
        )
    except UnfitError as error:
        fail(error.field, str(error))
    seat = _number(request, "seat", 0, table.players - 1, default=to_play)
    if seat != to_play:
        fail("seat", f"seat {seat}; after {len(bids)} bids and {len(plays)} cards seat {to_play} is to act")
    with _blamed("hand"):
        round_ = table.round(hands)
    for bid in bids:
        with _blamed("bids"):
            round_.play(bid)
    for card in plays:
        with _blamed("plays"):
            round_.play(_core.card_index(card))
    return Position(turn=None, round=round_, observation=round_.observe())


@contextmanager
def _blamed(field: str) -> Iterator[None]:
    """Names the field that an error comes from."""
    try:
        yield
    except BlobError as error:
        raise FieldError(field, str(error)) from error


def fail(field: str, message: str) -> NoReturn:
    """Raises the error of a field."""
    raise FieldError(field, message)


def _number(request: Mapping[str, Any], field: str, least: int, most: int, default: int | None = None) -> int:
    if field not in request and default is not None:
        return default
    if field not in request:
        fail(field, f"{field} is missing; it is {least} to {most}")
    value = request[field]
    if type(value) is not int or not least <= value <= most:
        fail(field, f"{field} is {_short(value)}; it is {least} to {most}")
    return int(value)


def read_count(request: Mapping[str, Any], field: str, most: int) -> int:
    """An optional number of 0 to `most`; 0 if it is missing."""
    return _number(request, field, 0, most, default=0)


def _numbers(request: Mapping[str, Any], field: str) -> list[int]:
    return _list(request, field, lambda value: type(value) is int and 0 <= value < 1000, "numbers", needed=False)


def _cards(request: Mapping[str, Any], field: str, *, needed: bool = False) -> list[str]:
    values: list[str] = _list(request, field, lambda value: isinstance(value, str), "cards", needed=needed)
    for value in values:
        _check_card(field, value)
    return values


def _list(
    request: Mapping[str, Any], field: str, fits: Callable[[object], bool], of: str, *, needed: bool
) -> list[Any]:
    if field not in request:
        if needed:
            fail(field, f"{field} is missing; it is a list of {of}")
        return []
    values = request[field]
    if not isinstance(values, list):
        fail(field, f"{field} is {_short(values)}; it is a list of {of}")
    for value in values:
        if not fits(value):
            fail(field, f"{field} holds {_short(value)}; it is a list of {of}")
    return values


def _check_card(field: str, value: object) -> None:
    if not (isinstance(value, str) and len(value) == 2 and value[0] in "23456789TJQKA" and value[1] in "SHCD"):
        fail(field, f"{field} holds {_short(value)}; a card is rank and suit, such as AS, TD or 2C")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
