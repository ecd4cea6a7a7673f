"""Independent random streams from one seed.

No generator lives on from one use to the next: each use has its own stream, named by purpose and iteration. So a
continued run needs no saved random state to go on as if it had not stopped.
"""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What randomness is for; the numbers are part of every run's meaning and never change."""

    INITIAL_WEIGHTS = 0
    SELF_PLAY = 1
    MINIBATCHES = 2
    EVALUATION = 3
    PROMOTION = 4
    FINAL_TABLE = 5
    BOOTSTRAP = 6
    ARENA = 7


def stream_seed(seed: int, purpose: Purpose, iteration: int = 0) -> int:
    """A seed in [0, 2**63) for one purpose in one iteration of the run with this seed."""
    sequence = np.random.SeedSequence([seed, purpose, iteration])
    return int(sequence.generate_state(1, np.uint64)[0]) >> 1


def stream(seed: int, purpose: Purpose, iteration: int = 0) -> np.random.Generator:
    """A generator for one purpose in one iteration of the run with this seed."""
    # PCG64 by name: the library's default may change.
    return np.random.Generator(np.random.PCG64(stream_seed(seed, purpose, iteration)))
