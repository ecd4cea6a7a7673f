"""What a player of the OpenSpiel game sees, as tensors and as text."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

import blob_zero as bz
from blob_zero.envs.explicit_deal import TRUMPS, ExplicitDeal, Table, trump_words

PACK = 52


class Piece(NamedTuple):
    """A part of the tensor."""

    name: str
    shape: tuple[int, ...]


def pieces(table: Table, *, private: bool, public: bool, recall: bool) -> list[Piece]:
    """The parts of a tensor, in order.

    Args:
        table: players and cards.
        private: whether the observer's own cards are in it.
        public: whether public facts are in it.
        recall: whether it holds everything that the observer has seen, and not only the present.
    """
    players, cards = table.players, table.cards
    parts = [Piece("player", (players,)), Piece("dealt" if recall else "hand", (PACK,))] if private else []
    if not public:
        return parts
    parts += [
        Piece("dealer", (players,)),
        Piece("trump", (len(TRUMPS),)),
        Piece("turned_up", (PACK,)),
        Piece("bids", (players, cards + 1)),
    ]
    if recall:
        return [*parts, Piece("plays", (players * cards, PACK))]
    return [
        *parts,
        Piece("to_play", (players,)),
        Piece("won", (players, cards + 1)),
        Piece("trick", (players, PACK)),
        Piece("gone", (PACK,)),
    ]


class State(Protocol):
    """A state of the game."""

    deal: ExplicitDeal


class BlobObserver:
    """Tensors and texts of one kind of observation, as OpenSpiel's Python observers are.

    Attributes:
        tensor: float32, all parts one after another.
        dict: views of the tensor by name: `player`, `dealt` or `hand`, `dealer`, `trump`, `turned_up`, `bids`, then
            `plays`, or `to_play`, `won`, `trick` and `gone`. Each is one-hot or a set of cards by index.
    """

    def __init__(self, table: Table, *, private: bool, public: bool, recall: bool) -> None:
        parts = pieces(table, private=private, public=public, recall=recall)
        sizes = [int(np.prod(part.shape)) for part in parts]
        self.tensor = np.zeros(sum(sizes), np.float32)
        ends = np.cumsum(sizes)
        self.dict: dict[str, NDArray[np.float32]] = {
            part.name: self.tensor[end - size : end].reshape(part.shape)
            for part, size, end in zip(parts, sizes, ends, strict=True)
        }
        self._private, self._public, self._recall = private, public, recall

    def set_from(self, state: State, player: int) -> None:
        """Writes what a player sees in a state into the tensor."""
        deal = state.deal
        self.tensor.fill(0)
        self._set("player", [player])
        self._set("dealt", deal.dealt_to(player))
        self._set("dealer", [deal.dealer])
        self._set("trump", [deal.trump])
        round_ = deal.round
        if round_ is None:
            self._set("hand", deal.dealt_to(player))
            return
        self._set("hand", [bz.card_index(card) for card in round_.hand(player)])
        self._set("turned_up", [None if round_.turned_up is None else bz.card_index(round_.turned_up)])
        self._set("to_play", [round_.to_play])
        plays = deal.actions[deal.table.players :]
        self._set("gone", plays)
        self._set_rows("bids", enumerate(round_.bids))
        self._set_rows("won", enumerate(round_.tricks_won))
        self._set_rows("plays", enumerate(plays))
        self._set_rows("trick", ((seat, bz.card_index(card)) for seat, card in round_.trick))

    def string_from(self, state: State, player: int) -> str:
        """What a player sees in a state, as text."""
        deal = state.deal
        round_ = deal.round
        words = []
        if self._private:
            hand = [bz.card_text(card) for card in deal.dealt_to(player)]
            if round_ is not None and not self._recall:
                hand = round_.hand(player)
            words += [f"seat {player}", f"{'dealt' if self._recall else 'hand'} {' '.join(hand)}"]
        if self._public:
            words += _public_words(deal, recall=self._recall)
        return "; ".join(words)

    def _set(self, name: str, places: Iterable[int | None]) -> None:
        if name in self.dict:
            self.dict[name][[place for place in places if place is not None]] = 1

    def _set_rows(self, name: str, places: Iterable[tuple[int, int | None]]) -> None:
        if name in self.dict:
            for row, place in places:
                if place is not None:
                    self.dict[name][row, place] = 1


def _public_words(deal: ExplicitDeal, *, recall: bool) -> list[str]:
    words = [] if deal.dealer is None else [f"dealer {deal.dealer}"]
    if deal.trump is not None:
        words.append(trump_words(deal.trump))
    round_ = deal.round
    if round_ is None:
        return words
    if round_.turned_up is not None:
        words.append(f"turned up {round_.turned_up}")
    words.append("bids " + " ".join("-" if bid is None else str(bid) for bid in round_.bids))
    plays = [bz.card_text(card) for card in deal.actions[deal.table.players :]]
    if recall:
        return [*words, "plays " + " ".join(plays)]
    won = " ".join(map(str, round_.tricks_won))
    trick = " ".join(f"{seat}:{card}" for seat, card in round_.trick)
    return [*words, f"won {won}", f"trick {trick}", f"gone {' '.join(sorted(plays))}"]
