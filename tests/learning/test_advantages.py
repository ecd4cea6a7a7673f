"""Advantages are what their definition says, decision by decision."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from blob_zero.learning.advantages import advantages


@given(
    st.lists(st.lists(st.floats(-1, 1, width=16), min_size=1, max_size=14), min_size=1, max_size=5),
    st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    st.randoms(use_true_random=False),
)
def test_estimates_are_the_weighted_sums_of_changes(seats, gae_lambda, random):
    # The decisions of several seats, mixed, each seat's in order.
    order = [seat for seat, values in enumerate(seats) for _ in values]
    random.shuffle(order)
    at = [[place for place, seat in enumerate(order) if seat == wanted] for wanted in range(len(seats))]
    values, results, following = np.zeros(len(order), np.float32), np.zeros(len(order), np.float32), [-1] * len(order)
    expected = np.zeros(len(order))
    for seat, places in enumerate(at):
        result = random.uniform(-1, 1)
        steps = [*seats[seat], result]
        for k, place in enumerate(places):
            values[place], results[place] = seats[seat][k], result
            following[place] = places[k + 1] if k + 1 < len(places) else -1
            expected[place] = sum(
                gae_lambda ** (later - k) * (steps[later + 1] - steps[later]) for later in range(k, len(places))
            )
    found = advantages(values, results, np.array(following), gae_lambda)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
