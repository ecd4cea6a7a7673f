"""How much better an action was than what the critic expected."""

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[np.float32]

_MOST_DECISIONS = 14
"""Of a seat in a round: a bid and 13 cards."""


def advantages(values: Column, results: Column, following: npt.NDArray[np.int64], gae_lambda: float) -> Column:
    """Generalized advantage estimates without discount (Schulman et al. 2016, equation 16).

    An estimate is the weighted sum of what the critic's value changes by from each decision of the seat to its next
    one, the last time to the result. With `gae_lambda` 1 only the result and the value at the decision count, with 0
    only the next value.

    Args:
        values: [N], the critic's value at each decision.
        results: [N], the seat's value at the end of the round.
        following: [N], the place of the seat's next decision in the round, -1 where there is none.
        gae_lambda: weight of each further step, in [0, 1].

    Returns:
        float32[N].
    """
    again = following >= 0
    change = np.where(again, values[following], results) - values
    estimate = change
    for _ in range(_MOST_DECISIONS - 1):
        estimate = change + np.where(again, np.float32(gae_lambda) * estimate[following], np.float32(0))
    return estimate
