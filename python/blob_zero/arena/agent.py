"""Agents: ways to choose actions in a match."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from os import PathLike
from typing import Literal, Self, Unpack

import numpy as np

from blob_zero import _core
from blob_zero.config.bots import Bot, BotKind
from blob_zero.config.search_options import DEFAULT_SEARCH, LookAhead, LookAheadOptions, SearchChanges, SearchOptions
from blob_zero.errors import ConfigError
from blob_zero.inference.evaluator import BatchEvaluator, Evaluator
from blob_zero.inference.onnx_evaluator import open_evaluator

AgentFunction = Callable[[_core.Observation, np.random.Generator], int]
"""Chooses an action for an observation, as `Round.play` takes it; all its randomness comes from the generator."""


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A way to choose actions. Agents that search play the most visited action, without noise.

    Attributes:
        kind: the kind of a bot; "network" for a search or a look-ahead whose positions an evaluator judges; "policy"
            for the policy of an evaluator, without search; "function" for a Python function.
        search: the search of an agent that searches, with its exploration taken out; None for others.
        evaluator: the evaluator of a network or a policy.
        size: simulations of "ismcts", worlds of "flat"; None for others.
        function: chooses the actions of a "function"; None for others.
    """

    kind: BotKind | Literal["network", "policy", "function"]
    search: SearchOptions | LookAhead | None = None
    evaluator: Evaluator | BatchEvaluator | None = None
    size: int | None = None
    function: AgentFunction | None = None

    def __post_init__(self) -> None:
        if self.search is not None:
            object.__setattr__(self, "search", self.search.greedy())

    @classmethod
    def random(cls) -> Self:
        """An agent that plays uniformly over the legal actions."""
        return cls(kind="random")

    @classmethod
    def rule(cls) -> Self:
        """The rule bot."""
        return cls(kind="rule")

    @classmethod
    def rollout(cls, search: SearchOptions = DEFAULT_SEARCH, **changes: Unpack[SearchChanges]) -> Self:
        """A search that judges positions by random playouts; `changes` are fields of `SearchOptions`."""
        return cls(kind="rollout", search=replace(search, **changes))

    @classmethod
    def ismcts(cls, simulations: int) -> Self:
        """The yardstick `ismcts:N`: one tree over information states, with playouts by the rule bot."""
        return cls(kind="ismcts", size=simulations)

    @classmethod
    def flat(cls, worlds: int) -> Self:
        """The yardstick `flat:W`: each legal action in the same worlds, with playouts by the rule bot."""
        return cls(kind="flat", size=worlds)

    @classmethod
    def network(
        cls,
        evaluator: Evaluator | BatchEvaluator | str | PathLike[str],
        *,
        search: SearchOptions = DEFAULT_SEARCH,
        **changes: Unpack[SearchChanges],
    ) -> Self:
        """A search that judges positions by an evaluator, or an .onnx file; `changes` are fields of `SearchOptions`."""
        return cls(kind="network", search=replace(search, **changes), evaluator=_opened(evaluator))

    @classmethod
    def policy(cls, evaluator: Evaluator | BatchEvaluator | str | PathLike[str]) -> Self:
        """The likeliest action by an evaluator's policy, without search: one evaluation a decision."""
        return cls(kind="policy", evaluator=_opened(evaluator))

    @classmethod
    def look_ahead(
        cls, evaluator: Evaluator | BatchEvaluator | str | PathLike[str], **options: Unpack[LookAheadOptions]
    ) -> Self:
        """One step ahead by an evaluator's policy; the options are `LookAhead`'s."""
        return cls(kind="network", search=LookAhead(**options), evaluator=_opened(evaluator))

    @classmethod
    def of_function(cls, function: AgentFunction) -> Self:
        """Your own bot: a function of an observation and a random generator that returns an action.

        It is asked where more than one action is legal. Matches with it run in Python, on one thread.
        """
        return cls(kind="function", function=function)

    @classmethod
    def bot(cls, bot: Bot) -> Self:
        """A bot that `read_bot` read."""
        if bot.kind == "openspiel":
            from blob_zero.arena.openspiel_ismcts import OpenSpielIsmcts

            return cls.of_function(OpenSpielIsmcts(bot.size or 1))
        return cls(kind=bot.kind, search=bot.search, size=bot.size)

    @property
    def leaves(self) -> int:
        """Rows of one round that may wait for this agent's evaluator at the same time."""
        if self.evaluator is None:
            return 0
        return 1 if self.search is None else self.search.leaves

    def spec(self, model: int) -> _core.AgentSpec:
        """The agent as the core takes it; `model` is the number that its batches name."""
        match self.kind, self.search or self.size:
            case "random", _:
                return _core.AgentSpec.random()
            case "rule", _:
                return _core.AgentSpec.rule()
            case "rollout", SearchOptions() as search:
                return search.spec("rollout")
            case "network", (SearchOptions() | LookAhead()) as search:
                return search.spec(model)
            case "policy", None:
                return _core.AgentSpec.policy(model)
            case "ismcts", int() as simulations:
                return _core.AgentSpec.ismcts(simulations)
            case "flat", int() as worlds:
                return _core.AgentSpec.flat(worlds)
            case "function", _:
                raise ConfigError(
                    "an agent of kind 'function' plays in Python, not in the core; bz.play_match takes it"
                )
            case _:
                needed = "size" if self.kind in ("ismcts", "flat") else "search"
                raise ConfigError(f"an agent of kind {self.kind!r} needs a {needed}")


def _opened(evaluator: Evaluator | BatchEvaluator | str | PathLike[str]) -> Evaluator | BatchEvaluator:
    opened: Evaluator | BatchEvaluator | str = open_evaluator(evaluator)
    if isinstance(opened, str):
        raise ConfigError(f"evaluator is {opened!r}; it is an evaluator or the path of an .onnx file")
    return opened
