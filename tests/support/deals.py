"""Deals for tests: the same round for the engine and for the reference, and ways to draw one."""

import dataclasses
import random

from hypothesis import strategies as st

import blob_zero as bz
from support.reference_rules import PACK, SUITS, ReferenceRound, card_index

TRUMPS = ["S", "H", "C", "D", None]


def most_cards(players, turn_up=False):
    return min(13, (52 - turn_up) // players)


SHAPES = [(players, cards) for players in range(3, 9) for cards in range(1, most_cards(players) + 1)]


@dataclasses.dataclass(frozen=True)
class Deal:
    """Everything that fixes a round before its first bid."""

    hands: tuple[tuple[str, ...], ...]
    trump: str | None
    dealer: int
    hook: bool = True
    scoring: str = "exact"
    turned_up: str | None = None

    def reference(self):
        return ReferenceRound(**dataclasses.asdict(self))

    def engine(self):
        rules = bz.RoundRules(hook=self.hook, scoring=self.scoring, turn_up=self.turned_up is not None)
        turned_up = {"turned_up": self.turned_up} if self.turned_up else {}
        return bz.Round(
            players=len(self.hands),
            trump=None if self.turned_up else self.trump,
            dealer=self.dealer,
            hands=[list(hand) for hand in self.hands],
            rules=rules,
            **turned_up,
        )

    def engine_after(self, history):
        """The engine's round after the actions of a `ReferenceRound.history`."""
        engine = self.engine()
        for _, text in history:
            engine.play(int(text) if text.isdecimal() else card_index(text))
        return engine


def random_deal(rng, *, players, cards, trump=None, dealer=0, hook=True, scoring="exact", turn_up=False):
    pack = PACK.copy()
    rng.shuffle(pack)
    hands = tuple(tuple(pack[seat * cards : (seat + 1) * cards]) for seat in range(players))
    turned_up = pack[players * cards] if turn_up else None
    return Deal(hands, None if turn_up else trump, dealer, hook, scoring, turned_up)


def play_some(rng, reference, actions):
    """Plays up to a number of random legal actions."""
    for _ in range(actions):
        if reference.phase == "done":
            break
        reference.play(rng.choice(reference.legal_actions()))
    return reference


@st.composite
def random_deals(draw, min_cards=1, max_cards=13):
    """A deal of any shape and rules, with a random generator for the play."""
    players = draw(st.integers(3, 8))
    turn_up = draw(st.booleans())
    most = min(max_cards, most_cards(players, turn_up))
    rng = random.Random(draw(st.integers(0, 2**32)))
    deal = random_deal(
        rng,
        players=players,
        cards=draw(st.integers(min(min_cards, most), most)),
        trump=draw(st.sampled_from(TRUMPS)),
        dealer=draw(st.integers(0, players - 1)),
        hook=draw(st.booleans()),
        scoring=draw(st.sampled_from(["exact", "exact_plus_tricks"])),
        turn_up=turn_up,
    )
    return deal, rng


@st.composite
def positions(draw, min_cards=1, max_cards=13):
    """A deal, a round of the reference somewhere on its way, not done, and a random generator."""
    deal, rng = draw(random_deals(min_cards, max_cards))
    reference = deal.reference()
    length = reference.players * (reference.cards + 1)
    play_some(rng, reference, draw(st.integers(0, length - 1)))
    return deal, reference, rng


def hidden_cards(reference, observer):
    """Cards that the observer cannot place."""
    seen = reference.gone() + reference.hand(observer)
    return [card for card in PACK if card not in seen]


def with_hidden_cards_moved(deal, reference, observer, rng):
    """Another deal that looks the same to the observer up to here, by random swaps of cards it cannot see."""
    holder = dict.fromkeys(hidden_cards(reference, observer), None)
    for seat in range(reference.players):
        if seat != observer:
            holder.update(dict.fromkeys(reference.hand(seat), seat))
    may_hold = {seat: set(SUITS) - reference.voids(seat) for seat in range(reference.players)} | {None: set(SUITS)}
    cards = list(holder)
    for _ in range(200 if len(cards) > 1 else 0):
        one, two = rng.sample(cards, 2)
        if one[1] in may_hold[holder[two]] and two[1] in may_hold[holder[one]]:
            holder[one], holder[two] = holder[two], holder[one]
    played = [
        [card for trick in reference.tricks for player, card in trick if player == seat]
        for seat in range(reference.players)
    ]
    hands = tuple(
        deal.hands[seat]
        if seat == observer
        else tuple(played[seat] + [card for card, place in holder.items() if place == seat])
        for seat in range(reference.players)
    )
    return dataclasses.replace(deal, hands=hands)
