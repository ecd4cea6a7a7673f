"""The encoding: it decodes back to the round, is relative to the observer, and holds nothing hidden."""

import dataclasses

import numpy as np
from hypothesis import assume, given, settings
from support.deals import positions, random_deals, with_hidden_cards_moved
from support.evaluators import hashing
from support.feature_table import SCALE, TABLE, card_names, decode, facts, to_bytes
from support.reference_rules import card_index

import blob_zero as bz


def test_the_table_covers_every_feature_once():
    assert [start for _, start, _, _ in TABLE] == [0, *(end for _, _, end, _ in TABLE[:-1])]
    assert TABLE[-1][2] == bz.FEATURES == 256
    assert bz.ENCODING_VERSION == 3
    np.testing.assert_array_equal(bz.feature_scale(), SCALE)
    assert bz.feature_scale().dtype == np.float32


@given(random_deals())
@settings(max_examples=40)
def test_every_view_decodes_back_at_every_step(drawn):
    deal, rng = drawn
    engine, reference = deal.engine(), deal.reference()
    while True:
        for seat in range(reference.players):
            observation = engine.observe(seat)
            assert observation.seat == seat
            features = observation.encode()
            assert features.shape == (256,)
            assert features.dtype == np.float32
            assert decode(features) == facts(reference, seat)
        if reference.phase == "done":
            break
        assert engine.observe().seat == reference.to_play
        np.testing.assert_array_equal(engine.observe().encode(), engine.observe(reference.to_play).encode())
        action = rng.choice(reference.legal_actions())
        engine.play(action)
        reference.play(action)


def test_bytes_times_scale_are_the_features():
    """Every byte that occurs in a long game comes back exactly, also through half precision."""
    game = bz.Game(players=3, cards=6, seed=4)
    seen = set()
    while not game.done:
        features = game.round.observe().encode()
        raw = to_bytes(features)
        np.testing.assert_array_equal(raw.astype(np.float16).astype(np.float32) * bz.feature_scale(), features)
        seen |= set(raw.tolist())
        legal = game.round.legal_actions()
        game.play(legal[len(seen) % len(legal)])
    assert len(seen) > 15


@given(positions())
def test_legal_actions_are_encoded_by_relative_rank_and_suit(position):
    deal, reference, _ = position
    observation = deal.engine_after(reference.history).observe()
    names = observation.encoded_actions()
    assert (names.shape, names.dtype) == ((52,), np.uint8)
    if reference.phase == "bidding":
        np.testing.assert_array_equal(names, np.arange(52))
    else:
        cards = card_names(reference, reference.to_play)
        for card in map(bz.card_text, observation.legal_actions()):
            assert bz.card_text(int(names[card_index(card)])) == cards[card]


def seen_by_seat_0(hands, actions):
    engine = bz.Round(players=4, trump="H", dealer=0, hands=[hand.split() for hand in hands])
    for action in actions.split():
        engine.play(int(action) if action.isdecimal() else card_index(action))
    return engine.observe(0).encode().tobytes()


def test_positions_that_the_game_cannot_tell_apart_are_one_row():
    here = seen_by_seat_0(["2S KS", "AS 2C", "3S 3C", "4S 4C"], "1 0 0 0 AS 3S 4S 2S")
    # With the ace gone the king is the highest spade; with the king gone the ace is.
    assert here == seen_by_seat_0(["2S AS", "KS 2C", "3S 3C", "4S 4C"], "1 0 0 0 KS 3S 4S 2S")
    # Another three cards of that suit are gone, none of which stood between others.
    assert here == seen_by_seat_0(["2S KS", "AS 2C", "6S 3C", "5S 4C"], "1 0 0 0 AS 6S 5S 2S")
    # A card that counts for more once others are gone: the queen is not the highest.
    assert here != seen_by_seat_0(["2S QS", "AS 2C", "3S 3C", "4S 4C"], "1 0 0 0 AS 3S 4S 2S")
    # In a running trick a beaten card is out of play already, the winning one is not.
    there = seen_by_seat_0(["2S KS", "QS 2C", "3S 3C", "4S 4C"], "1 0 0 0 QS 3S")
    assert there == seen_by_seat_0(["2S KS", "QS 2C", "9S 3C", "4S 4C"], "1 0 0 0 QS 9S")
    assert there != seen_by_seat_0(["2S KS", "QS 2C", "AS 3C", "4S 4C"], "1 0 0 0 QS AS")


@given(positions())
def test_cards_that_a_seat_cannot_see_change_nothing_that_it_observes(position):
    deal, reference, rng = position
    for observer in range(reference.players):
        moved = with_hidden_cards_moved(deal, reference, observer, rng)
        here = deal.engine_after(reference.history).observe(observer)
        there = moved.engine_after(reference.history).observe(observer)
        assert here.encode().tobytes() == there.encode().tobytes()
        np.testing.assert_array_equal(here.sample_worlds(3, seed=5), there.sample_worlds(3, seed=5))


@given(positions(min_cards=2, max_cards=5))
@settings(max_examples=25)
def test_cards_that_the_seat_to_play_cannot_see_change_nothing_in_its_search(position):
    deal, reference, rng = position
    moved = with_hidden_cards_moved(deal, reference, reference.to_play, rng)
    assume(moved != deal)
    here, there = deal.engine_after(reference.history), moved.engine_after(reference.history)
    for evaluator in ["uniform", "rollout", hashing()]:
        results = [bz.search(engine, evaluator=evaluator, worlds=2, simulations=12, seed=9) for engine in (here, there)]
        for name in ["policy", "visits", "values"]:
            one, two = (getattr(result, name) for result in results)
            assert one.tobytes() == two.tobytes(), f"{name} with {evaluator}"
        assert results[0].evaluations == results[1].evaluations


@given(positions())
def test_only_relative_seats_count(position):
    deal, reference, rng = position
    players = reference.players
    turn = rng.randrange(1, players)
    turned = dataclasses.replace(
        deal,
        hands=tuple(deal.hands[(seat - turn) % players] for seat in range(players)),
        dealer=(deal.dealer + turn) % players,
    )
    here, there = deal.engine_after(reference.history), turned.engine_after(reference.history)
    for seat in range(players):
        one, two = here.observe(seat).encode(), there.observe((seat + turn) % players).encode()
        assert one.tobytes() == two.tobytes()


def test_a_hidden_hand_reads_nowhere():
    """The observer's features name exactly its own cards, never the cards of the seat beside it."""
    engine = bz.Round(players=4, cards=13, trump="S", dealer=0, seed=1)
    features = engine.observe(2).encode()
    hand = {card_index(card) for card in engine.hand(2)}
    suits = [{card % 13 for card in hand if card // 13 == suit} for suit in range(4)]
    encoded = set(np.flatnonzero(features[:52]).tolist())
    named = [{card % 13 for card in encoded if card // 13 == suit} for suit in range(4)]
    # Spades are trump and come first, the others by length, then by their cards.
    assert named == [
        suits[0],
        *sorted(suits[1:], key=lambda ranks: (len(ranks), sorted(ranks, reverse=True)), reverse=True),
    ]
    assert not features[52:104].any()
