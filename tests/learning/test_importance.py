"""Decisions are learned from in proportion to what they move, and count as if all had been learned from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blob_zero.learning.importance import chances_to_learn, draw

NORMS = st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=60).map(lambda norms: np.array(norms, np.float32))


@given(NORMS, st.floats(0.05, 1.0))
def test_chances_have_the_share_as_their_mean_and_follow_the_norms(norms, share):
    chances = chances_to_learn(norms, share)
    assert chances.mean() == pytest.approx(min(1.0, max(share, 2 / len(norms))), rel=1e-3)
    assert (chances > 0).all()
    assert (chances <= 1).all()
    assert (np.diff(chances[np.argsort(norms)]) >= 0).all()


def test_chances_are_proportional_below_one_and_no_decision_is_left_out():
    norms = np.array([0.0, 1.0, 2.0, 3.0, 100.0], np.float32)
    chances = chances_to_learn(norms, 0.5)
    floor = 0.1 * norms.mean()
    assert chances[-1] == 1.0
    np.testing.assert_allclose(chances[1:4] / chances[0], (norms[1:4] + floor) / floor)
    np.testing.assert_array_equal(chances_to_learn(norms, 1.0), np.ones(5))
    np.testing.assert_allclose(chances_to_learn(np.zeros(8, np.float32), 0.25), 0.25)


@given(NORMS, st.floats(0.05, 1.0), st.integers(0, 2**32))
def test_a_drawing_has_no_place_twice_and_as_many_as_the_chances_say(norms, share, seed):
    chances = chances_to_learn(norms, share)
    places = draw(chances, np.random.default_rng(seed))
    assert len(np.unique(places)) == len(places)
    assert abs(len(places) - chances.sum()) < 1 + 1e-6
    assert len(places)


def test_places_are_drawn_as_often_as_their_chances_and_in_any_order():
    chances, drawings = np.array([0.1, 0.25, 0.5, 0.95, 1.0]), 20_000
    rng = np.random.default_rng(1)
    counts, first = np.zeros(5), np.zeros(5)
    for _ in range(drawings):
        places = draw(chances, rng)
        counts[places] += 1
        first[places[0]] += 1
    deviation = np.sqrt(drawings * chances * (1 - chances))
    assert (np.abs(counts - drawings * chances) <= 5 * deviation + 1e-9).all()
    assert (first > 0).all()
