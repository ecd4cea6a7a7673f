"""The rules of Blob once more, slow and plain, from docs/rules.md alone: the oracle of the engine.

Cards are text, hands are lists, everything is recomputed. It has as much of the face of `bz.Round` as
tests need.
"""

SUITS = "SHCD"
RANKS = "23456789TJQKA"
PACK = [rank + suit for suit in SUITS for rank in RANKS]


def card_index(text):
    return SUITS.index(text[1]) * 13 + RANKS.index(text[0])


def trick_winner(trick, trump):
    """The seat that wins a trick, complete or running, given as (seat, card) in order of play."""
    suit_led = trick[0][1][1]
    trumps = [play for play in trick if play[1][1] == trump]
    contenders = trumps or [play for play in trick if play[1][1] == suit_led]
    return max(contenders, key=lambda play: RANKS.index(play[1][0]))[0]


class ReferenceRound:
    """One round from its deal on. `history` holds (seat, action text) of all that was done."""

    def __init__(self, *, hands, trump, dealer, hook=True, scoring="exact", turned_up=None):
        self.players = len(hands)
        self.cards = len(hands[0])
        self.trump = turned_up[1] if turned_up else trump
        self.dealer = dealer
        self.hook = hook
        self.scoring = scoring
        self.turned_up = turned_up
        self.dealt = [list(hand) for hand in hands]
        self.bidding_order = [(dealer + 1 + place) % self.players for place in range(self.players)]
        self.history = []
        self.bids = [None] * self.players
        self.tricks = []  # All tricks, the running one last; each a list of (seat, card).

    @property
    def phase(self):
        if None in self.bids:
            return "bidding"
        return "done" if sum(len(trick) for trick in self.tricks) == self.players * self.cards else "playing"

    @property
    def trick(self):
        """The running trick; empty between tricks."""
        return self.tricks[-1] if self.tricks and len(self.tricks[-1]) < self.players else []

    @property
    def complete_tricks(self):
        return [trick for trick in self.tricks if len(trick) == self.players]

    @property
    def tricks_won(self):
        winners = [trick_winner(trick, self.trump) for trick in self.complete_tricks]
        return [winners.count(seat) for seat in range(self.players)]

    @property
    def to_play(self):
        if self.phase == "done":
            return None
        if self.phase == "bidding":
            return self.bidding_order[sum(bid is not None for bid in self.bids)]
        if self.trick:
            return (self.trick[-1][0] + 1) % self.players
        if self.complete_tricks:
            return trick_winner(self.complete_tricks[-1], self.trump)
        return self.bidding_order[0]

    def hand(self, seat):
        played = [card for trick in self.tricks for _, card in trick]
        return [card for card in self.dealt[seat] if card not in played]

    def gone(self):
        """Cards that are out of play for all to see."""
        turned_up = [self.turned_up] if self.turned_up else []
        return turned_up + [card for trick in self.tricks for _, card in trick]

    def voids(self, seat):
        """Suits that the seat has shown it does not hold."""
        shown = set()
        for trick in self.tricks:
            suit_led = trick[0][1][1]
            shown |= {suit_led for player, card in trick if player == seat and card[1] != suit_led}
        return shown

    def forbidden_bid(self):
        """What the hook forbids to the seat that is to bid, or None."""
        if not self.hook or self.phase != "bidding" or self.to_play != self.dealer:
            return None
        bid = self.cards - sum(bid for bid in self.bids if bid is not None)
        return bid if bid >= 0 else None

    def legal_texts(self):
        """Bids as numbers, cards as text, both in the order of their action numbers."""
        if self.phase == "done":
            return []
        if self.phase == "bidding":
            return [str(bid) for bid in range(self.cards + 1) if bid != self.forbidden_bid()]
        hand = self.hand(self.to_play)
        if self.trick:
            suit_led = self.trick[0][1][1]
            hand = [card for card in hand if card[1] == suit_led] or hand
        return sorted(hand, key=card_index)

    def legal_actions(self):
        return [int(text) if self.phase == "bidding" else card_index(text) for text in self.legal_texts()]

    def play(self, action):
        assert action in self.legal_actions()
        seat = self.to_play
        if self.phase == "bidding":
            self.bids[seat] = action
            self.history.append((seat, str(action)))
            return
        card = PACK[action]
        if not self.trick:
            self.tricks.append([])
        self.tricks[-1].append((seat, card))
        self.history.append((seat, card))

    def scores(self):
        assert self.phase == "done"
        if self.scoring == "exact_plus_tricks":
            return [won + (10 if won == bid else 0) for bid, won in zip(self.bids, self.tricks_won, strict=True)]
        return [10 + bid if won == bid else 0 for bid, won in zip(self.bids, self.tricks_won, strict=True)]
