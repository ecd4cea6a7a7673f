"""Rounds of a match or of self-play as text, from the columns that the core leaves."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from blob_zero import _core
from blob_zero.notation.rounds import RoundText, Trump

_NO_CARD = 255
_HOOK, _TRICK_POINTS = 1, 2


def rounds_of(columns: Mapping[str, NDArray[Any]]) -> Iterator[RoundText]:
    """The rounds of `Session.take_records()["rounds"]`, in their order.

    The columns hold decisions alone; forced actions follow from the rules.
    """
    ends = np.cumsum(columns["decisions"], dtype=np.int64)
    for index, end in enumerate(ends):
        decisions = columns["action"][end - columns["decisions"][index] : end]
        yield _with_actions(_deal(columns, index), decisions.tolist())


def _deal(columns: Mapping[str, NDArray[Any]], index: int) -> RoundText:
    def number(name: str) -> int:
        return int(columns[name][index])

    turned_up, rules, trump = number("turned_up"), number("rules"), number("trump")
    return RoundText(
        dealer=number("dealer"),
        trump=cast("Trump", "SHCD"[trump]) if trump < 4 and turned_up == _NO_CARD else None,
        hands=tuple(_cards(int(bits)) for bits in columns["hands"][index][: number("players")]),
        rules=_core.RoundRules(
            hook=bool(rules & _HOOK),
            scoring="exact_plus_tricks" if rules & _TRICK_POINTS else "exact",
            turn_up=turned_up != _NO_CARD,
        ),
        turned_up=None if turned_up == _NO_CARD else _core.card_text(turned_up),
    )


def _cards(bits: int) -> tuple[str, ...]:
    return tuple(_core.card_text(card) for card in range(52) if bits >> card & 1)


def _with_actions(deal: RoundText, decisions: list[int]) -> RoundText:
    round_, actions = deal.after(), []
    ahead = iter(decisions)
    while round_.phase != "done":
        legal = round_.legal_actions()
        actions.append(legal[0] if len(legal) == 1 else next(ahead))
        round_.play(actions[-1])
    return replace(deal, actions=tuple(actions))
