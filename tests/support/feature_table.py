"""Reads the table of docs/observation.md and decodes encoded observations with nothing else."""

import pathlib
import re
from fractions import Fraction

import numpy as np

from support.reference_rules import PACK, RANKS, SUITS, trick_winner

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "observation.md"
ROW = re.compile(r"^\| (\d+)\.\.(\d+) \| `(\w+)` \| (1(?:/\d+)?) \|", re.MULTILINE)
TABLE = [(name, int(start), int(end), Fraction(scale)) for start, end, name, scale in ROW.findall(DOCUMENT.read_text())]
SCALE = np.concatenate(
    [
        np.full(end - start, np.float32(scale.numerator) / np.float32(scale.denominator))
        for _, start, end, scale in TABLE
    ]
)


def to_bytes(features):
    """The integers behind encoded features; fails on a feature that is no byte times its scale."""
    integers = np.rint(features / SCALE)
    assert integers.min() >= 0
    assert integers.max() <= 255
    np.testing.assert_array_equal(integers.astype(np.float32) * SCALE, features)
    return integers.astype(np.uint8)


def at_most_one(flags):
    assert set(flags) <= {0, 1}
    assert sum(flags) <= 1
    return flags.index(1) if 1 in flags else None


def decode(features):
    """All facts of an encoded observation, by relative seat."""
    values = to_bytes(features).tolist()
    part = {name: values[start:end] for name, start, end, _ in TABLE}
    players = part["players"][0]

    def cards_of(flags):
        assert set(flags) <= {0, 1}
        return {card for card, flag in zip(PACK, flags, strict=True) if flag}

    def by_seat(name, width=1):
        assert not any(part[name][players * width :]), f"{name} of a seat that is not at the table"
        rows = [part[name][seat * width : (seat + 1) * width] for seat in range(players)]
        return [row[0] for row in rows] if width == 1 else rows

    def suit(flags):
        index = at_most_one(flags)
        return None if index is None else SUITS[index]

    trick = [suit(flags) for flags in by_seat("trick_suit", 4)]
    winning = at_most_one(by_seat("winning"))
    ranks = by_seat("trick_rank")
    assert [seat for seat, rank in enumerate(ranks) if rank] == ([] if winning is None else [winning])

    def game_points(name):
        assert not any(part[name][players - 1 :])
        return part[name][: players - 1]

    suit_led = at_most_one(part["suit_led"])
    return {
        "hand": cards_of(part["hand"]),
        "gone": cards_of(part["gone"]),
        "trick": trick,
        "winning_card": None if winning is None else RANKS[ranks[winning] - 1] + trick[winning],
        "voids": [{suit for suit, flag in zip(SUITS, row, strict=True) if flag} for row in by_seat("void", 4)],
        "trump": [*SUITS, None][part["trump"].index(1)] if sum(part["trump"]) == 1 else "no single trump",
        "suit_led": None if suit_led is None else SUITS[suit_led],
        "bids": [bid - 1 if bid else None for bid in by_seat("bid")],
        "won": by_seat("won"),
        "needed": by_seat("needed"),
        "over": by_seat("over"),
        "dealer": at_most_one(by_seat("dealer")),
        "phase": {(1, 0): "bidding", (0, 1): "playing", (0, 0): "done"}[tuple(part["phase"])],
        "forbidden": part["forbidden"][0] - 1 if part["forbidden"][0] else None,
        "players": players,
        "cards": part["cards"][0],
        "to_play": part["to_play"][0],
        "winning": winning,
        "ahead": game_points("ahead"),
        "behind": game_points("behind"),
        "rounds_left": part["rounds_left"][0],
        "hook": not part["no_hook"][0],
        "trick_points": bool(part["trick_points"][0]),
    }


def relative_ranks(reference):
    """The relative rank of each card in play, as a card: the highest of its suit is the ace, the next the king."""
    out = set(reference.gone()) - {winning_card(reference)}
    names = {}
    for suit in SUITS:
        in_play = [rank + suit for rank in RANKS if rank + suit not in out]
        names |= dict(zip(reversed(in_play), [rank + suit for rank in reversed(RANKS)], strict=False))
    return names


def suit_names(reference, observer):
    """The encoding's name of each suit for an observer: the list of docs/observation.md."""
    ranks = relative_ranks(reference)
    order = [(observer + place) % reference.players for place in range(reference.players)]
    out = set(reference.gone()) - {winning_card(reference)}
    led = reference.trick[0][1][1] if reference.trick else None
    in_trick = dict(reference.trick)

    def part_played(suit):
        held = [RANKS.index(ranks[card][0]) for card in reference.hand(observer) if card[1] == suit]
        return (
            suit == reference.trump,
            suit == led,
            len(held),
            sorted(held, reverse=True),
            sum(card[1] == suit for card in out),
            [(suit in reference.voids(seat), seat in in_trick and in_trick[seat][1] == suit) for seat in order],
        )

    return dict(zip(sorted(SUITS, key=part_played, reverse=True), SUITS, strict=True))


def card_names(reference, observer):
    """The encoding's name of each card in play, as a card."""
    suits = suit_names(reference, observer)
    return {card: name[0] + suits[name[1]] for card, name in relative_ranks(reference).items()}


def winning_card(reference):
    if not reference.trick:
        return None
    return dict(reference.trick)[trick_winner(reference.trick, reference.trump)]


def facts(reference, observer, totals=None, rounds_left=0):
    """What `decode` has to give for a round of the reference, seen by a seat."""
    names, suits = card_names(reference, observer), suit_names(reference, observer)
    won_by = winning_card(reference)
    players = reference.players
    order = [(observer + place) % players for place in range(players)]
    in_trick = dict(reference.trick)
    totals = totals or [0] * players
    bids = [reference.bids[seat] for seat in order]
    won = [reference.tricks_won[seat] for seat in order]
    bid_and_won = list(zip(bids, won, strict=True))
    to_play = reference.to_play
    return {
        "hand": {names[card] for card in reference.hand(observer)},
        # All that is out of play has the lowest names, which no card in play has.
        "gone": {*PACK} - {name for card, name in names.items() if card != won_by},
        "trick": [suits[in_trick[seat][1]] if seat in in_trick else None for seat in order],
        "winning_card": names.get(won_by),
        "voids": [{suits[suit] for suit in reference.voids(seat)} for seat in order],
        "trump": None if reference.trump is None else suits[reference.trump],
        "suit_led": suits[reference.trick[0][1][1]] if reference.trick else None,
        "bids": bids,
        "won": won,
        "needed": [0 if bid is None else max(bid - tricks, 0) for bid, tricks in bid_and_won],
        "over": [int(bid is not None and tricks > bid) for bid, tricks in bid_and_won],
        "dealer": order.index(reference.dealer),
        "phase": reference.phase,
        "forbidden": reference.forbidden_bid() if to_play == observer else None,
        "players": players,
        "cards": reference.cards,
        "to_play": 0 if to_play is None else order.index(to_play),
        "winning": order.index(trick_winner(reference.trick, reference.trump)) if reference.trick else None,
        "ahead": [min(max(totals[seat] - totals[observer], 0), 255) for seat in order[1:]],
        "behind": [min(max(totals[observer] - totals[seat], 0), 255) for seat in order[1:]],
        "rounds_left": rounds_left,
        "hook": reference.hook,
        "trick_points": reference.scoring == "exact_plus_tricks",
    }
