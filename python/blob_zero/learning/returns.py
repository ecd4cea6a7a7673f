"""What a seat made of an action, by what the critic says of its later decisions and by how the round ended."""

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[np.float32]

_MOST_DECISIONS = 14
"""Of a seat in a round: a bid and 13 cards."""


def returns(values: Column, results: Column, following: npt.NDArray[np.int64], td_lambda: float) -> Column:
    """The lambda-return of the action taken at each decision, without discount (Sutton and Barto 2018, section 12.1).

    It is the mean of the seat's later values and of the result: the first value is weighted by `1 - td_lambda`, each
    further one by `td_lambda` times as much, and the result by what is left.

    Args:
        values: [N], the critic's value at each decision, expected over the policy's actions.
        results: [N], the seat's value at the end of the round.
        following: [N], the place of the seat's next decision in the round, -1 where there is none.
        td_lambda: weight of what comes later, in [0, 1].

    Returns:
        float32[N].
    """
    again = following >= 0
    weight = np.float32(td_lambda)
    found = results
    for _ in range(_MOST_DECISIONS):
        found = np.where(again, (1 - weight) * values[following] + weight * found[following], results)
    return found
