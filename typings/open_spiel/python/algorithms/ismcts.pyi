from collections.abc import Callable

import numpy as np
from open_spiel.python.algorithms.mcts import RandomRolloutEvaluator

class ISMCTSBot:
    def __init__(
        self,
        *,
        game: object,
        evaluator: RandomRolloutEvaluator,
        uct_c: float,
        max_simulations: int,
        random_state: np.random.RandomState,
    ) -> None: ...
    def set_resampler(self, cb: Callable[[object, int], object]) -> None: ...
    def step(self, state: object) -> int: ...
