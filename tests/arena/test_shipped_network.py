"""Positions that people complained of: what the network of the package must not do, with its look-ahead and without."""

import pytest

import blob_zero as bz


@pytest.fixture(scope="module", params=["looking ahead", "without search"])
def player(request):
    return bz.Player(search="default" if request.param == "looking ahead" else None)


def deal(hands, *, trump, dealer=0):
    return bz.Round(players=len(hands), cards=len(hands[0]), trump=trump, dealer=dealer, hands=hands)


@pytest.mark.parametrize("players", [3, 4, 5, 6, 7, 8])
def test_the_ace_of_trumps_is_bid_in_a_round_of_one_card(player, players):
    others = ["2C", "3C", "4D", "5D", "6H", "7H", "8C"]
    for seat in range(players - 1):
        # The bids before are 0, so the hook forbids nothing to seats before the dealer.
        cards = [[card] for card in others[: players - 1]]
        cards.insert(seat, ["AS"])
        position = deal(cards, trump="S", dealer=players - 1)
        for _ in range(seat):
            position.play(0)
        assert player.choose(position.observe(seat)) == 1


def test_who_needs_every_trick_leads_no_low_trump(player):
    hands = [["KH", "QD", "4C"], ["AS", "KS", "3S"], ["2H", "5D", "9C"], ["6H", "7D", "8C"]]
    position = deal(hands, trump="S")
    for bid in (3, 0, 0, 1):
        position.play(bid)
    assert position.to_play == 1
    assert bz.card_text(player.choose(position.observe(1))) in ("AS", "KS")


def test_a_sure_trick_that_is_needed_is_taken(player):
    hands = [["KH", "2H"], ["4H", "5C"], ["QH", "6C"]]
    position = deal(hands, trump=None)
    for bid in (0, 1, 2):
        position.play(bid)
    for card in ("4H", "QH"):
        position.play(bz.card_index(card))
    # Both tricks are bid: the king takes this one for sure, and with the deuce one is lost.
    assert bz.card_text(player.choose(position.observe(0))) == "KH"
