"""Which decisions of an iteration are learned from: the more one moves the networks, the likelier it is drawn."""

import numpy as np
import numpy.typing as npt

_FLOOR = 0.1
"""Added to each decision's norm, in mean norms: none is left out for good, and none counts for more than ten others."""

_ROUNDING = 1e-9


def chances_to_learn(norms: npt.NDArray[np.float32], share: float) -> npt.NDArray[np.float64]:
    """The chance of each decision to be drawn: in proportion to the norm of its gradient, where that is below 1.

    With a drawn decision's loss divided by its chance, the gradient stays that of all decisions in expectation, and of
    all such chances these let it vary least (Katharopoulos and Fleuret 2018, "Not all samples are created equal").

    Args:
        norms: [N], at least 0, of each decision's gradient.
        share: of the decisions that are drawn, in (0, 1]; two of them at least.

    Returns:
        float64[N] in (0, 1], with the mean `share`.
    """
    share = max(share, 2 / max(1, len(norms)))
    if share >= 1:
        return np.ones(len(norms))
    wanted: npt.NDArray[np.float64] = norms.astype(np.float64)
    wanted += _FLOOR * wanted.mean() if wanted.any() else 1.0
    # As many of the largest norms as have to be certain leave this scale to the others.
    largest = np.sort(wanted)[::-1]
    scales = (share * len(wanted) - np.arange(len(wanted))) / np.cumsum(largest[::-1])[::-1]
    scale: np.float64 = scales[np.argmax(scales * largest <= 1 + _ROUNDING)]
    return np.minimum(1.0, scale * wanted)


def draw(chances: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draws each place with its chance, in a random order (systematic sampling).

    Args:
        chances: [N] in [0, 1].
        rng: draws.

    Returns:
        The places, as many as the sum of the chances, rounded up or down.
    """
    order = rng.permutation(len(chances))
    reached = np.floor(np.cumsum(chances[order]) + rng.random())
    return order[np.diff(reached, prepend=0.0) > 0]
