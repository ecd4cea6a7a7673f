"""A deal that fits what one seat knows, from the cards that were played."""

from collections.abc import Sequence

from blob_zero.errors import BlobError

_PACK = [rank + suit for suit in "SHCD" for rank in "23456789TJQKA"]


class UnfitError(BlobError):
    """What is known contradicts itself; `field` says where."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def fill_hands(
    *,
    players: int,
    cards: int,
    trump: str | None,
    leader: int,
    gone: Sequence[str],
    bids: int,
    plays: Sequence[str],
    hand: Sequence[str],
) -> tuple[list[list[str]], int]:
    """Hands as dealt that agree with the cards played and with the hand of the seat to act, and that seat.

    Args:
        players: number of players.
        cards: cards dealt to each.
        trump: the trump suit; None for no trump.
        leader: the seat that bids first and leads the first trick.
        gone: cards that lie open, neither dealt nor played.
        bids: number of bids made.
        plays: the cards played, in order.
        hand: what the seat to act holds now.

    Raises:
        UnfitError: no deal agrees.
    """
    if len(plays) >= players * cards:
        raise UnfitError("plays", f"{len(plays)} cards played of {players} x {cards}: the round is over")
    seen: set[str] = set(gone)
    for card in plays:
        if card in seen:
            raise UnfitError("plays", f"{card} is turned up or was played before")
        seen.add(card)
    seats, to_play, voids = _follow(players, trump, leader, plays)
    if bids < players:
        to_play = (leader + bids) % players
    dealt: list[list[str]] = [[] for _ in range(players)]
    for seat, card in zip(seats, plays, strict=True):
        dealt[seat].append(card)
    held = cards - len(dealt[to_play])
    if len(hand) != held:
        raise UnfitError("hand", f"{len(hand)} cards; seat {to_play} holds {held} of {cards} now")
    for place, card in enumerate(hand):
        if card in seen:
            raise UnfitError("hand", f"{card} was played, is turned up or stands twice (card {place + 1})")
        if card[1] in voids[to_play]:
            raise UnfitError("hand", f"{card}, but seat {to_play} did not follow when its suit was led")
        seen.add(card)
    dealt[to_play] += hand
    unseen = [card for card in _PACK if card not in seen]
    _fill(dealt, [cards - len(own) for own in dealt], voids, unseen)
    return dealt, to_play


def _follow(
    players: int, trump: str | None, leader: int, plays: Sequence[str]
) -> tuple[list[int], int, list[set[str]]]:
    """The seat of each card played, the seat to play, and the suits in which each seat showed a void."""
    seats: list[int] = []
    voids: list[set[str]] = [set() for _ in range(players)]
    for start in range(0, len(plays), players):
        trick = plays[start : start + players]
        led = trick[0][1]
        for place, card in enumerate(trick):
            seat = (leader + place) % players
            if card[1] in voids[seat]:
                raise UnfitError("plays", f"{card} of seat {seat}, which did not follow when its suit was led before")
            if card[1] != led:
                voids[seat].add(led)
            seats.append(seat)
        if len(trick) < players:
            return seats, (leader + len(trick)) % players, voids
        leader = (leader + max(range(players), key=lambda place: _height(trick[place], led, trump))) % players
    return seats, leader, voids


def _height(card: str, led: str, trump: str | None) -> int:
    """What a card is worth in a trick; of the higher one wins."""
    rank = "23456789TJQKA".index(card[0])
    return rank + 200 if card[1] == trump else rank + 100 if card[1] == led else rank


def _fill(dealt: list[list[str]], needs: list[int], voids: list[set[str]], unseen: list[str]) -> None:
    """Gives each seat the cards it needs, none of a suit in which it is void, by augmenting paths (Kuhn 1955)."""
    places = [seat for seat, need in enumerate(needs) for _ in range(need)]
    # Seats with more voids first: then few paths are needed.
    places.sort(key=lambda seat: -len(voids[seat]))
    holder: dict[str, int] = {}

    def place_card(place: int, tried: set[str]) -> bool:
        fitting = [card for card in unseen if card not in tried and card[1] not in voids[places[place]]]
        for card in sorted(fitting, key=holder.__contains__):  # a free card needs no path
            if card in tried:
                continue
            tried.add(card)
            if card not in holder or place_card(holder[card], tried):
                holder[card] = place
                return True
        return False

    for place in range(len(places)):
        if not place_card(place, set()):
            raise UnfitError(
                "plays", "no deal fits: too few cards are left outside of the suits that seats have shown to lack"
            )
    for card, place in holder.items():
        dealt[places[place]].append(card)
