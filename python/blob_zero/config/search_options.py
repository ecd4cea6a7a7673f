"""How one decision is searched, and how an action is chosen from the visits.

`SearchOptions` is the one place that names these options and their defaults. Self-play, matches, benchmarks and the
`[search]` section of a configuration all use it. Importing it needs numpy alone.
"""

import re
from dataclasses import dataclass, replace
from typing import Self, TypedDict

from blob_zero import _core
from blob_zero.errors import ConfigError

POLICY_TEMPERATURE = 0.3
"""Points that an action counts in a look-ahead's own judgement for being e times as likely in the policy."""


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """Options of a determinized PUCT search; the defaults explore, as self-play needs.

    Attributes:
        worlds: deals drawn for each decision, at least 1.
        simulations: simulations in each world, at least 1.
        c_puct: weight of the prior against the value in PUCT.
        fpu_reduction: first-play urgency: how far below its parent an unvisited action is valued.
        worlds_in_flight: worlds of one search whose trees grow at the same time; None for all.
        leaves_in_flight: leaves of one tree that may wait for an evaluation; more than 1 costs strength.
        virtual_loss: lost visits that a waiting leaf counts as.
        own_view: whether the searcher's own value of a leaf where another seat moves comes from a row of what the
            searcher knows there, and not from that seat's, which does not show the searcher's hand. It is for networks
            that were trained with it, and costs nearly twice the evaluations. Playouts see all hands in any case.
        noise_fraction: share of Dirichlet noise in the priors at the root; 0 for none.
        noise_alpha: concentration of that noise.
        temperature: actions are drawn in proportion to `visits ** (1 / temperature)`; 0 takes the most visited.
        final_temperature: temperature after the first `temperature_decisions` decisions of a round.
        temperature_decisions: number of decisions, of all seats together, that are drawn with `temperature`.

    Raises:
        ConfigError: a value is out of its range.
    """

    worlds: int = 3
    simulations: int = 30
    c_puct: float = 1.5
    fpu_reduction: float = 0.25
    worlds_in_flight: int | None = None
    leaves_in_flight: int = 1
    virtual_loss: int = 1
    own_view: bool = False
    noise_fraction: float = 0.25
    noise_alpha: float = 1.0
    temperature: float = 1.0
    final_temperature: float = 0.25
    temperature_decisions: int = 8

    def __post_init__(self) -> None:
        self.spec("uniform")  # refuses what is out of range

    def __str__(self) -> str:
        """The search as `WxS`."""
        return f"{self.worlds}x{self.simulations}"

    @property
    def leaves(self) -> int:
        """Rows of one round that may wait for an evaluation at the same time: a leaf's one, or two with `own_view`."""
        return (1 + self.own_view) * self.leaves_in_flight * min(self.worlds, self.worlds_in_flight or self.worlds)

    def greedy(self) -> Self:
        """The same search without exploration: no noise, and always the most visited action."""
        return replace(self, noise_fraction=0.0, temperature=0.0, final_temperature=0.0)

    def spec(self, evaluator: str | int) -> _core.AgentSpec:
        """The searching agent as the core takes it.

        Args:
            evaluator: "uniform", "rollout", or the number of the model that judges positions.
        """
        return _core.AgentSpec.search(
            evaluator=evaluator,
            worlds=self.worlds,
            simulations=self.simulations,
            c_puct=self.c_puct,
            fpu_reduction=self.fpu_reduction,
            worlds_in_flight=self.worlds_in_flight,
            leaves_in_flight=self.leaves_in_flight,
            virtual_loss=self.virtual_loss,
            own_view=self.own_view,
            noise_fraction=self.noise_fraction,
            noise_alpha=self.noise_alpha,
            temperature=self.temperature,
            final_temperature=self.final_temperature,
            temperature_decisions=self.temperature_decisions,
        )


@dataclass(frozen=True, kw_only=True)
class LookAhead:
    """Options of one step ahead with a network that plays well without search.

    Each promising action is tried in the same sampled worlds, where all seats play the round out by the network's
    policy.

    Attributes:
        worlds: worlds in which each promising action is tried, 1 to 65,536; twice as many cost twice the time. Where
            playing the actions out in a world may cost more than 120 evaluations, in long rounds, as many fewer that
            the cost is the same; judging what the others did costs some 40 more for each world, at most.
        own_share: weight of the network's own judgement of the actions beside that of the worlds, 0 to 1.
        belief: how far worlds are drawn by what the others did so far, 0 to 1: the power of the chance that they
            would have done so by the network's policy. Observations that know no past take all worlds as equally
            likely.

    Raises:
        ConfigError: a value is out of its range.
    """

    worlds: int = 64
    own_share: float = 0.5
    belief: float = 1.0

    def __post_init__(self) -> None:
        self.spec(0)  # refuses what is out of range

    def __str__(self) -> str:
        """The look-ahead by its worlds."""
        return str(self.worlds)

    @property
    def leaves(self) -> int:
        """Rows of one round that wait for an evaluation at the same time while some three actions are tried."""
        return 3 * self.worlds

    def greedy(self) -> Self:
        """The same: a look-ahead takes the best action and does not explore."""
        return self

    def spec(self, evaluator: str | int) -> _core.AgentSpec:
        """The agent as the core takes it; `evaluator` is the number of the model that its batches name."""
        if isinstance(evaluator, str):
            raise ConfigError(f"a look-ahead needs a network; the judge {evaluator!r} of the core has no policy")
        return _core.AgentSpec.look_ahead(
            evaluator,
            worlds=self.worlds,
            own_share=self.own_share,
            policy_temperature=POLICY_TEMPERATURE,
            belief=self.belief,
        )


class LookAheadOptions(TypedDict, total=False):
    """The fields of `LookAhead` as keyword arguments."""

    worlds: int
    own_share: float
    belief: float


class SearchChanges(TypedDict, total=False):
    """Keyword arguments that replace fields of `SearchOptions`, for calls such as `SelfPlay(simulations=50)`."""

    worlds: int
    simulations: int
    c_puct: float
    fpu_reduction: float
    worlds_in_flight: int | None
    leaves_in_flight: int
    virtual_loss: int
    own_view: bool
    noise_fraction: float
    noise_alpha: float
    temperature: float
    final_temperature: float
    temperature_decisions: int


DEFAULT_SEARCH = SearchOptions()


@dataclass(frozen=True, kw_only=True)
class PolicyOptions:
    """Options of play by a network's policy alone; the defaults explore, as self-play needs.

    Attributes:
        temperature: actions are drawn in proportion to `probability ** (1 / temperature)`; 0 takes the likeliest.
        random_share: share of the actions that are drawn uniformly from the legal ones instead, 0 to 1.

    Raises:
        ConfigError: a value is out of its range.
    """

    temperature: float = 1.0
    random_share: float = 0.05

    def __post_init__(self) -> None:
        self.spec(0)  # refuses what is out of range

    def spec(self, model: int) -> _core.AgentSpec:
        """The agent as the core takes it; `model` is the number that its batches name."""
        return _core.AgentSpec.policy(model, temperature=self.temperature, random_share=self.random_share)


def parse_search(text: str) -> SearchOptions:
    """Reads `WxS`, worlds x simulations in each; all other options have their defaults.

    Raises:
        ConfigError: the text has another form.
    """
    form = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", text)
    if form is None:
        raise ConfigError(f"cannot read the search {text!r}; should be WxS, such as 3x30: worlds x simulations")
    return SearchOptions(worlds=int(form[1]), simulations=int(form[2]))
