"""Decisions of an agent for observations, outside of the core's scheduler."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blob_zero import _core
from blob_zero.arena.agent import Agent, AgentFunction
from blob_zero.config.search_options import POLICY_TEMPERATURE, LookAhead, SearchOptions
from blob_zero.errors import ConfigError, IllegalActionError
from blob_zero.inference.evaluator import BatchEvaluator, Evaluator, Outputs


def choose(agent: Agent, observations: Sequence[_core.Observation], seeds: Sequence[int]) -> list[int]:
    """The action of an agent for each observation, as `Round.play` takes it.

    Args:
        agent: any agent.
        observations: of seats to play.
        seeds: a seed for each decision, 0 to 2^63 - 1.

    Raises:
        ConfigError: an observation is of a seat that is not to play.
        IllegalActionError: the function of an agent chose an action that is not legal.
        EvaluatorError: an evaluator breaks its contract.
    """
    legal = [observation.legal_actions() for observation in observations]
    for index, (observation, actions) in enumerate(zip(observations, legal, strict=True)):
        if not actions:
            raise ConfigError(f"observation {index} is of seat {observation.seat}, which is not to play")
    chosen = [actions[0] for actions in legal]
    open_ = [index for index, actions in enumerate(legal) if len(actions) > 1]
    if open_:
        decided = _decide(agent, [observations[index] for index in open_], [seeds[index] for index in open_])
        for index, action in zip(open_, decided, strict=True):
            chosen[index] = action
    return chosen


def _decide(agent: Agent, observations: Sequence[_core.Observation], seeds: Sequence[int]) -> list[int]:
    seeded = list(zip(observations, seeds, strict=True))
    match agent.kind, agent.search or agent.size:
        case "random", _:
            return [int(_generator(seed).choice(one.legal_actions())) for one, seed in seeded]
        case "rule", _:
            return [_core.rule_action(observation) for observation in observations]
        case "function", _:
            assert agent.function is not None
            return [_called(agent.function, one, seed) for one, seed in seeded]
        case "ismcts", int() as simulations:
            found = (_core.ismcts(one, simulations=simulations, seed=seed) for one, seed in seeded)
            return [int(result.visits.argmax()) for result in found]
        case "flat", int() as worlds:
            judged = _core.action_playouts(observations, seeds=seeds, worlds=worlds)
            return [
                one.legal_actions()[int(points[:, one.seat].argmax())]
                for one, (_, _, points) in zip(observations, judged, strict=True)
            ]
        case "rollout", SearchOptions() as search:
            return _by_search("rollout", search, observations, seeds)
        case _, search:
            assert agent.evaluator is not None
            evaluate = _callable(agent.evaluator)
            if isinstance(search, SearchOptions):
                return _by_search(evaluate, search, observations, seeds)
            if isinstance(search, LookAhead):
                ahead = _core.look_ahead(
                    observations,
                    evaluate,
                    seeds=seeds,
                    worlds=search.worlds,
                    own_share=search.own_share,
                    policy_temperature=POLICY_TEMPERATURE,
                    belief=search.belief,
                )
                return [action for action, *_ in ahead]
            return _by_policy(evaluate, observations)


def _called(function: AgentFunction, observation: _core.Observation, seed: int) -> int:
    action = function(observation, _generator(seed))
    legal = observation.legal_actions()
    if action not in legal:
        raise IllegalActionError(f"{function!r} chose {action!r} for {observation!r}; legal are {legal}")
    return int(action)


def _by_search(
    evaluator: Evaluator | str, search: SearchOptions, observations: Sequence[_core.Observation], seeds: Sequence[int]
) -> list[int]:
    results = _core.search_many(
        observations,
        evaluator,
        seeds=seeds,
        worlds=search.worlds,
        simulations=search.simulations,
        c_puct=search.c_puct,
        fpu_reduction=search.fpu_reduction,
        leaves_in_flight=search.leaves_in_flight,
        virtual_loss=search.virtual_loss,
        own_view=search.own_view,
    )
    return [int(result.visits.argmax()) for result in results]


def _by_policy(evaluate: Evaluator, observations: Sequence[_core.Observation]) -> list[int]:
    legal = [observation.legal_actions() for observation in observations]
    # The place of each legal action in the policy.
    places = [one.encoded_actions()[actions] for one, actions in zip(observations, legal, strict=True)]
    masks = np.zeros((len(observations), _core.ACTIONS), np.bool_)
    for mask, place in zip(masks, places, strict=True):
        mask[place] = True
    policy, _ = evaluate(np.stack([observation.encode() for observation in observations]), masks)
    return [actions[int(row[place].argmax())] for row, place, actions in zip(policy, places, legal, strict=True)]


def _callable(evaluator: Evaluator | BatchEvaluator) -> Evaluator:
    """The evaluator as a function of features, which not every `BatchEvaluator` is."""
    if callable(evaluator):
        return evaluator

    def evaluate(features: NDArray[np.float32], legal: NDArray[np.bool_]) -> Outputs:
        raw = np.rint(features / _core.feature_scale()).astype(np.uint8)
        policy, values = evaluator.evaluate_batch(raw, legal)
        return policy, values

    return evaluate


def _generator(seed: int) -> np.random.Generator:
    # PCG64 by name: the library's default may change.
    return np.random.Generator(np.random.PCG64(seed))
