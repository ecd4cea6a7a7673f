"""What changes over a run: the learning rate, and the weight of the policy's entropy."""

import math

from blob_zero.config.schema import TrainingConfig


def learning_rate(at: float, *, iterations: int, config: TrainingConfig, first: int = 0) -> float:
    """The learning rate at a point of the run: a linear warm-up, then a cosine (Loshchilov and Hutter 2017, SGDR).

    Args:
        at: iterations done, including the finished part of the current one, in [0, iterations].
        iterations: iterations of the whole run.
        config: peak, warm-up and final rate.
        first: iterations before the warm-up, in which the rate is 0.
    """
    if at <= first:
        return 0.0
    at, iterations = at - first, iterations - first
    # A short run may have fewer iterations than the warm-up; the warm-up then takes half of the run.
    warmup = min(config.warmup_iterations, iterations / 2)
    if at < warmup:
        return config.learning_rate * at / warmup
    done = min(1.0, (at - warmup) / (iterations - warmup))
    cosine = (1 + math.cos(math.pi * done)) / 2
    return config.learning_rate * (config.final_learning_rate + (1 - config.final_learning_rate) * cosine)


def entropy_weight(iteration: int, *, iterations: int, config: TrainingConfig) -> float:
    """The weight of the policy's entropy in an iteration: it falls in a straight line to a tenth.

    Args:
        iteration: iterations done.
        iterations: iterations of the whole run.
        config: the weight at the start.
    """
    return config.entropy_weight * (1 - 0.9 * min(1.0, iteration / iterations))
