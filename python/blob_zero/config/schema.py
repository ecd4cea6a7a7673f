"""The settings of a run: typed, frozen, and strict about unknown keys.

A configuration is one TOML file. Every knob has its meaning here and its reason in the presets (`config/presets`).
"""

from dataclasses import replace
from typing import Annotated, Literal, Unpack

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    model_validator,
)

from blob_zero import _core
from blob_zero.config.bots import BOT_NAMES, find_bot
from blob_zero.config.choices import Dtype, Switch
from blob_zero.config.schedule import Scheduled
from blob_zero.config.search_options import DEFAULT_SEARCH, SearchChanges, SearchOptions

BatchRows = int | Literal["auto"]
"""Rows of a batch, or the choice of `blob_zero.selfplay.sizes.auto_batch_rows`."""


def _check_opponent(name: str) -> str:
    bot = find_bot(name)
    if name != "untrained" and (bot is None or bot.kind == "openspiel"):
        raise ValueError(f"unknown opponent {name!r}: should be untrained, {BOT_NAMES}")
    return name


FixedOpponent = Annotated[str, AfterValidator(_check_opponent)]
"""An opponent that networks are measured against: `untrained`, which is what the run began with, or the name of a bot
(`config/bots.py`)."""


class _Section(BaseModel):
    """Values are taken as they are written: no unknown keys, no strings read as numbers, no later changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, int) else value


def _check_batch_rows(value: object) -> object:
    if value == "auto" or (type(value) is int and value >= 1):
        return value
    raise ValueError(f"{value!r} should be auto or a whole number of at least 1")


_BatchRows = Annotated[BatchRows, PlainValidator(_check_batch_rows)]
_OneOrMore = BeforeValidator(_one_or_more)
_Players = Annotated[int, Field(ge=3, le=8)]
_Cards = Annotated[int, Field(ge=1, le=13)]


class RunConfig(_Section):
    """Length of the run, and what it saves."""

    seed: int = Field(default=0, ge=0, lt=2**63)
    """Source of all randomness of the run."""
    iterations: int = Field(default=500, ge=1)
    """Iterations of self-play, training and judging."""
    keep_checkpoints: int = Field(default=3, ge=2)
    """Newest checkpoints kept beside the best and that of the start; at least 2, in case one is damaged."""
    torch_threads: int | None = Field(default=None, ge=1)
    """Threads of PyTorch on the CPU; PyTorch's own choice if left out."""
    tensorboard: bool = False
    """Whether metrics are also written for TensorBoard, to RUN/tensorboard."""
    save_rounds: int = Field(default=0, ge=0)
    """Rounds of each iteration's self-play that are also written as text, to RUN/rounds."""
    start: str = ""
    """Network whose weights the run begins with: `shipped`, or the path of a run, checkpoint or weights file; empty for
    an untrained one. A critic comes along from a run or a checkpoint where it fits (docs/training.md)."""


class ShapeConfig(_Section):
    """Rounds of one or several sizes: every pair of `players` and `cards` that the pack allows."""

    players: Annotated[tuple[_Players, ...], Field(min_length=1, strict=False), _OneOrMore]
    """A number, or several."""
    cards: Annotated[tuple[_Cards, ...], Field(min_length=1, strict=False), _OneOrMore]
    """A number, or several."""
    weight: float = Field(default=1.0, gt=0)
    """Share of the decisions, split evenly over the pairs."""

    def pairs(self) -> list[tuple[int, int]]:
        """Players and cards of each size."""
        return [(players, cards) for players in self.players for cards in self.cards if players * cards <= 52]

    @model_validator(mode="after")
    def _can_be_dealt(self) -> "ShapeConfig":
        if not self.pairs():
            raise ValueError(
                f"players {list(self.players)} with cards {list(self.cards)}: all need more than the 52 cards of a pack"
            )
        return self


class RulesConfig(_Section):
    """Rule variants of other tables, as in `RoundRules`; Blob's own by default."""

    hook: bool = True
    """Whether the dealer may not make the bids sum to the number of cards dealt."""
    scoring: Literal["exact", "exact_plus_tricks"] = "exact"
    """`exact`: 10 + bid for a bid made exactly, else 0. `exact_plus_tricks`: a point a trick, and 10 more."""
    turn_up: bool = False
    """Whether trump is the suit of a card turned up after the deal."""

    def variants(self) -> _core.RoundRules:
        """The variants as the core takes them."""
        return _core.RoundRules(hook=self.hook, scoring=self.scoring, turn_up=self.turn_up)


class GameConfig(_Section):
    """What is played."""

    players: int = Field(default=4, ge=3, le=8)
    """Players of matches, and of self-play where no `shapes` are given."""
    cards: int = Field(default=5, ge=1, le=13)
    """Cards dealt to each player there."""
    shapes: Annotated[tuple[ShapeConfig, ...], Field(strict=False)] = ()
    """Sizes of round in self-play, by weight; only `players` with `cards` if empty."""
    whole_games: bool = False
    """Whether self-play and matches play whole games, from `cards` down to 1 and up again. A game then counts as a
    round in `selfplay.rounds` and `selfplay.carry_over`, and as a deal in matches."""
    rules: RulesConfig = RulesConfig()
    """Rule variants."""
    result_share: float = Field(default=0.25, ge=0, le=1)
    """Weight of the game's result in the value of whole games, in steps of 0.01; the rest is the round's score."""

    def played(self) -> list[tuple[int, int, float]]:
        """Players, cards and share of the decisions of every size of round in self-play."""
        sizes = [(shape.pairs(), shape.weight) for shape in self.shapes] or [([(self.players, self.cards)], 1.0)]
        return [(players, cards, weight / len(pairs)) for pairs, weight in sizes for players, cards in pairs]

    @model_validator(mode="after")
    def _result_in_hundredths(self) -> "GameConfig":
        if abs(100 * self.result_share - round(100 * self.result_share)) > 1e-6:
            raise ValueError(f"result_share is {self.result_share}; it goes in steps of 0.01")
        return self

    def cards_text(self) -> str:
        """The cards of matches, in words."""
        cards = f"{self.cards} card{'' if self.cards == 1 else 's'}"
        return f"whole games from {cards}" if self.whole_games else cards

    @property
    def game_result(self) -> float | None:
        """`result_share` where whole games are played; None where rounds stand alone."""
        return self.result_share if self.whole_games else None

    @model_validator(mode="after")
    def _a_card_is_left_to_turn_up(self) -> "GameConfig":
        whole = [(players, cards) for players, cards, _ in self.played() if players * cards == 52]
        if self.rules.turn_up and (whole or self.players * self.cards == 52):
            players, cards = whole[0] if whole else (self.players, self.cards)
            raise ValueError(f"rules.turn_up needs a card that is not dealt; {players} x {cards} deals the whole pack")
        return self

    @model_validator(mode="after")
    def _fits_in_a_deck(self) -> "GameConfig":
        if self.players * self.cards > 52:
            raise ValueError(
                f"{self.players} players with {self.cards} cards each need {self.players * self.cards} of "
                f"52; at most {52 // self.players} cards for {self.players} players"
            )
        return self


class SearchConfig(_Section):
    """The search that self-play and judging share."""

    worlds: int = Field(default=DEFAULT_SEARCH.worlds, ge=1)
    """Deals drawn for each decision."""
    simulations: int = Field(default=DEFAULT_SEARCH.simulations, ge=1)
    """Simulations in each world."""
    c_puct: float = Field(default=DEFAULT_SEARCH.c_puct, ge=0)
    """Weight of the prior against the value in PUCT."""
    fpu_reduction: float = Field(default=DEFAULT_SEARCH.fpu_reduction, ge=0)
    """First-play urgency: an unvisited action is valued this far below its parent."""
    leaves_in_flight: int = Field(default=DEFAULT_SEARCH.leaves_in_flight, ge=1)
    """Leaves of one tree that may wait for the network at a time."""
    virtual_loss: int = Field(default=DEFAULT_SEARCH.virtual_loss, ge=0)
    """Lost visits that a leaf counts as while it waits."""
    own_view: bool = DEFAULT_SEARCH.own_view
    """Whether the searcher's own value of a leaf comes from what the searcher knows there, for which self-play records
    what a second seat knows at each decision."""

    def options(self, **changes: Unpack[SearchChanges]) -> SearchOptions:
        """This search as options, with some of them changed."""
        return replace(SearchOptions(**self.model_dump()), **changes)


class SelfPlayConfig(_Section):
    """How rounds are played for training."""

    agent: Literal["search", "policy"] = "search"
    """Who plays: a search that the network guides, or the network's policy alone. A search is learned from by its
    visits; a policy by what came of its actions, which takes a network of kind outcome."""

    rounds: Scheduled = 10_000
    """Rounds in an iteration; may change by iteration."""
    worlds: Scheduled | None = None
    """Worlds of a search in self-play, may change by iteration; as in [search] if left out."""
    simulations: Scheduled | None = None
    """Simulations in each world in self-play, may change by iteration; as in [search] if left out."""
    playout_iterations: int = Field(default=0, ge=0)
    """First iterations in which the search judges positions by random playouts instead of the untrained network."""
    carry_over: int = Field(default=0, ge=0)
    """Rounds at the end of an iteration that the next one may finish, so that batches stay full; 0 waits for them.

    At most `rounds`. The last iteration waits for its rounds, and so does one that is judged by playouts.
    """
    lag: Literal[0, 1] = 0
    """0: the newest network plays. 1: the one before it does, so that workers of a cluster play the next iteration
    while the learner still learns from this one. In one process it only changes which network plays."""
    batch_rows: _BatchRows = "auto"
    """Rows in one batch to the network; auto is by device and rounds (`blob_zero.selfplay.sizes`)."""
    rounds_in_flight: int | None = Field(default=None, ge=1)
    """Rounds in progress at the same time; if left out, enough to fill the batches (`blob_zero.selfplay.sizes`)."""
    threads: int | None = Field(default=None, ge=1)
    """Search threads; one for each core if left out."""
    noise_fraction: float = Field(default=DEFAULT_SEARCH.noise_fraction, ge=0, le=1)
    """Share of Dirichlet noise in the priors at the root."""
    noise_alpha: float = Field(default=DEFAULT_SEARCH.noise_alpha, gt=0)
    """Concentration of that noise."""
    temperature: float = Field(default=DEFAULT_SEARCH.temperature, ge=0)
    """Actions are drawn in proportion to `visits ** (1 / temperature)`, or without a search to
    `probability ** (1 / temperature)`; 0 takes the most visited, or the likeliest."""
    random_share: float = Field(default=0.05, ge=0, le=1)
    """Share of the actions of a policy that are drawn uniformly from the legal ones instead."""
    final_temperature: float = Field(default=DEFAULT_SEARCH.final_temperature, ge=0)
    """Temperature after the first `temperature_decisions` decisions of a round; of searches alone."""
    temperature_decisions: int = Field(default=DEFAULT_SEARCH.temperature_decisions, ge=0)
    """Decisions of a round, of all seats together, that are drawn with `temperature`."""


class NetworkConfig(_Section):
    """Kind and sizes of the network; the defaults are the full BlobNet. It always has a value for each of 8 seats."""

    kind: Literal["blobnet", "outcome"] = "blobnet"
    """`blobnet` has a policy and values, and learns from searches; `outcome` judges the result of each action, and
    learns from play without search. `heads` and all below it are BlobNet's alone."""
    width: int = Field(default=256, ge=8)
    """Size of BlobNet's token, or hidden units of a layer of the other."""
    own: str | None = Field(default=None, pattern=r"^[\w.]+:\w+$")
    """`module:Class` of a network of your own in place of it, with the same outputs (docs/researchers.md)."""
    layers: int = Field(default=6, ge=1)
    """Encoder layers, or hidden layers."""
    heads: int = Field(default=8, ge=1)
    feed_forward: int = Field(default=1024, ge=1)
    policy_hidden: int = Field(default=256, ge=1)
    value_hidden: int = Field(default=128, ge=1)

    @model_validator(mode="after")
    def _belongs_to_its_kind(self) -> "NetworkConfig":
        # Saved settings state the defaults of all.
        foreign = {
            name
            for name, field in type(self).model_fields.items()
            if f"network.{name}" not in _OF_EVERY_NETWORK and getattr(self, name) != field.default
        }
        if self.kind == "outcome" and foreign:
            raise ValueError(f"{', '.join(sorted(foreign))}: a network of kind outcome has width and layers alone")
        return self

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "NetworkConfig":
        if self.kind == "blobnet" and self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")
        return self


class InferenceConfig(_Section):
    """How the network is computed for the search."""

    dtype: Dtype = "auto"
    """Number format of the computation; auto is fp16 on CUDA, bf16 on a CPU with instructions for it, else fp32."""
    fold: bool = True
    """Whether attention, feature scale and heads are folded into fewer operations; the function stays the same."""
    pack: Switch = "auto"
    """Whether weights are laid out for the CPU's matrix units; auto is on a CPU, for a network not compiled."""
    compile: Switch = "auto"
    """Whether torch.compile builds the network first; auto is on CUDA only, as packing is faster on a CPU."""
    cuda_graphs: bool = True
    """On CUDA, whether a batch's work is captured once and replayed."""
    pinned_memory: bool = True
    """On CUDA, whether the core's batches lie in page-locked memory while they are played."""
    copy_streams: bool = True
    """On CUDA, whether copies overlap with other batches' computation."""


class TrainingConfig(_Section):
    """How the network learns from the rounds."""

    epochs: Scheduled = 10
    """Passes over the replay ring in an iteration, or of policies over the iteration's own rounds; may change by
    iteration."""
    learned_share: float = Field(default=1.0, gt=0, le=1)
    """Of policies alone: share of an iteration's decisions that a pass learns from. Those that move the network more
    are likelier, and count for as much less."""
    td_lambda: float = Field(default=0.5, ge=0, le=1)
    """Of policies alone: what the critic is told of an action; 0 its own judgement of the seat's next decision, 1 the
    round's result."""
    critic_width: int | None = Field(default=None, ge=1)
    """Of policies alone: hidden units of each layer of the critic; None is as many as the network has."""
    critic_layers: int | None = Field(default=None, ge=1)
    """Of policies alone: hidden layers of the critic; None is as many as the network has."""
    critic_warmup: int = Field(default=1, ge=0)
    """Of policies alone: first iterations in which the critic learns from results, and nothing but the chances to make
    the bid moves the policy. A network that is trained already (`run.start`) stays as it is in them; where its
    critic comes along there are none."""
    policy_weight: float = Field(default=0.3, gt=0)
    """Of policies alone: weight of the policy's loss. Advantages in it are in units of their root mean square over the
    iteration."""
    entropy_weight: float = Field(default=0.02, ge=0)
    """Of policies alone: weight of the policy's entropy, which keeps it trying; it falls to a tenth over the run."""
    batch_size: int = Field(default=2048, ge=1)
    """Rows in one optimizer step."""
    replay_rows: int = Field(default=500_000, ge=1)
    """Capacity of the replay. Of searches 448 bytes each; of policies about 30 in memory and 10 on disk (4 x 5), since
    whole rounds are kept."""
    root_value_weight: float = Field(default=0.0, ge=0, le=1)
    """Share of the search's own expectation in the value target; the rest is how the round ended."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Peak of the schedule."""
    warmup_iterations: float = Field(default=1.0, ge=0)
    """Iterations over which the rate rises from zero to its peak."""
    final_learning_rate: float = Field(default=0.05, ge=0, le=1)
    """Learning rate at the end of the cosine, as a share of the peak."""
    weight_decay: float = Field(default=1e-2, ge=0)
    """Decoupled decay of the weight matrices; biases and norms do not decay."""
    gradient_clip: float = Field(default=1.0, gt=0)
    """Largest norm of a step's gradient."""
    value_weight: float = Field(default=1.0, ge=0)
    """Weight of the value loss beside the others."""
    make_weight: float = Field(default=0.5, ge=0)
    """Of policies alone: weight of the chances to make the bid, which the policy begins with."""
    outcome_weight: float = Field(default=0.1, ge=0)
    """Of policies alone: weight of the numbers of tricks, which analysis shows."""
    precision: Dtype = "auto"
    """Mixed precision; auto is bf16 where the device computes in it, fp16 on older GPUs, else fp32."""
    compile: Switch = "auto"
    """Whether torch.compile builds the training step; auto is on CUDA only."""
    tf32: bool = True
    """Whether a GPU may round fp32 matrix products to TF32."""


class EvaluationConfig(_Section):
    """How strength is measured; these matches never choose what is trained."""

    every: int = Field(default=5, ge=1)
    """Iterations between two measurements; the last iteration is always measured."""
    deals: int = Field(default=200, ge=2)
    """Deals against each opponent, each played from every seat."""
    final_deals: int = Field(default=1000, ge=2)
    """Fresh deals against each opponent in the table that ends the run."""
    opponents: Annotated[tuple[FixedOpponent, ...], Field(strict=False)] = ("untrained", "random", "rule")
    """Opponents: untrained, random, rule, one rollout:WxS, one ismcts:N and one flat:W; always on the same deals."""
    batch_rows: _BatchRows = "auto"
    """Rows in one batch to the network in a match; auto as in [selfplay]."""

    @model_validator(mode="after")
    def _has_columns_for_each(self) -> "EvaluationConfig":
        kinds = [name.partition(":")[0] for name in self.opponents]
        twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
        if twice:
            met = [name for name in self.opponents if name.partition(":")[0] in twice]
            raise ValueError(f"opponents {', '.join(met)} would share the metrics of {twice[0]}: keep one of them")
        return self


class PromotionConfig(_Section):
    """The match that a new network plays against the best one before it makes the rounds to learn from."""

    enabled: bool = True
    """Whether there is a match; without one, the newest network always plays."""
    deals: int = Field(default=200, ge=2)
    """Fresh deals between the candidate and the best, each played from every seat."""
    margin: float = 0.0
    """Points a round that the whole 95 % interval of the candidate's difference must exceed. 0 demands that it is shown
    to be better, a negative margin that it is shown to be at most this much worse. `deals` decide how often an equal
    network passes (docs/training.md)."""


_OF_POLICIES = frozenset(
    {"selfplay.random_share"}
    | {
        f"training.{name}"
        for name in (
            "learned_share",
            "td_lambda",
            "critic_width",
            "critic_layers",
            "critic_warmup",
            "policy_weight",
            "entropy_weight",
            "make_weight",
            "outcome_weight",
        )
    }
)
_OF_SEARCHES = frozenset(
    {f"selfplay.{name}" for name in ("worlds", "simulations", "playout_iterations", "noise_fraction", "noise_alpha")}
    | {"selfplay.final_temperature", "selfplay.temperature_decisions"}
    | {"inference.fold", "training.root_value_weight"}
)
_OF_EVERY_NETWORK = frozenset({"network.kind", "network.own", "network.width", "network.layers"})


class Config(_Section):
    """All settings of a run. The device is not a setting: it does not change what a run is."""

    run: RunConfig = RunConfig()
    game: GameConfig = GameConfig()
    search: SearchConfig = SearchConfig()
    selfplay: SelfPlayConfig = SelfPlayConfig()
    network: NetworkConfig = NetworkConfig()
    inference: InferenceConfig = InferenceConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    promotion: PromotionConfig = PromotionConfig()

    def without_effect(self) -> frozenset[str]:
        """The settings, as `section.key`, that do nothing with the agent of self-play."""
        if self.selfplay.agent == "search":
            return _OF_POLICIES
        of_search = {f"search.{name}" for name in SearchConfig.model_fields}
        of_blobnet = {f"network.{name}" for name in NetworkConfig.model_fields} - _OF_EVERY_NETWORK
        return _OF_SEARCHES | of_search | of_blobnet

    def play_text(self) -> str:
        """How decisions are made outside of self-play, in words."""
        if self.selfplay.agent == "policy":
            return "without search"
        return f"search {self.search.worlds}x{self.search.simulations}"

    @model_validator(mode="after")
    def _network_fits_agent(self) -> "Config":
        policy, outcome = self.selfplay.agent == "policy", self.network.kind == "outcome"
        if policy != outcome:
            kind = "outcome" if policy else "blobnet"
            raise ValueError(
                f"network.kind is {self.network.kind}: selfplay.agent = {self.selfplay.agent} learns with {kind}"
            )
        if policy and self.selfplay.playout_iterations:
            raise ValueError("selfplay.playout_iterations: play without search begins with the network's own policy")
        if policy and self.selfplay.temperature != 1:
            raise ValueError(
                f"selfplay.temperature is {self.selfplay.temperature}: a policy learns from its own play, which is at 1"
            )
        if policy and self.run.start and self.training.critic_warmup >= self.run.iterations:
            raise ValueError(
                f"training.critic_warmup is {self.training.critic_warmup}: should be below run.iterations = "
                f"{self.run.iterations}, since the network of run.start learns nothing before"
            )
        return self
