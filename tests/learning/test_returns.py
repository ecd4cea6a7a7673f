"""Returns are what their definition says, decision by decision."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from blob_zero.learning.returns import returns


@given(
    st.lists(st.lists(st.floats(-1, 1, width=16), min_size=1, max_size=14), min_size=1, max_size=5),
    st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    st.randoms(use_true_random=False),
)
def test_returns_are_weighted_means_of_later_values_and_the_result(seats, td_lambda, random):
    # The decisions of several seats, mixed, each seat's in order.
    order = [seat for seat, values in enumerate(seats) for _ in values]
    random.shuffle(order)
    at = [[place for place, seat in enumerate(order) if seat == wanted] for wanted in range(len(seats))]
    values, results, following = np.zeros(len(order), np.float32), np.zeros(len(order), np.float32), [-1] * len(order)
    expected = np.zeros(len(order))
    for seat, places in enumerate(at):
        result = random.uniform(-1, 1)
        for k, place in enumerate(places):
            values[place], results[place] = seats[seat][k], result
            following[place] = places[k + 1] if k + 1 < len(places) else -1
            later = seats[seat][k + 1 :]
            weights = [(1 - td_lambda) * td_lambda**step for step in range(len(later))]
            expected[place] = np.dot(weights, later) + td_lambda ** len(later) * result
    found = returns(values, results, np.array(following), td_lambda)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
