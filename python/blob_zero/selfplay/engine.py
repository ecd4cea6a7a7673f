"""Self-play: many rounds in which one searching agent sits in every seat, and the training rows they leave."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from blob_zero import _core
from blob_zero.errors import ConfigError
from blob_zero.selfplay.carry_over import CarryOver
from blob_zero.selfplay.serving import BatchEvaluator, Evaluator, OnProgress, Serving, drive, serving_threads
from blob_zero.selfplay.sizes import Sizes


@dataclass(frozen=True, kw_only=True)
class Stats:
    """What a run did.

    Attributes:
        rounds: rounds finished, those of whole games one by one.
        decisions: decisions taken, forced actions not counted.
        simulations: simulations of all searches.
        evaluations: evaluations that searches asked for.
        repeats: leaves that shared the evaluation of an equal row of their round.
        batches: batches handed to the evaluator.
        rows: filled rows of these batches.
        batch_rows: rows of a full batch.
        seconds: time from start to end.
        serving: how the evaluator's threads spent that time.
    """

    rounds: int
    decisions: int
    simulations: int
    evaluations: int
    repeats: int
    batches: int
    rows: int
    batch_rows: int
    seconds: float
    serving: Serving

    @property
    def rounds_per_minute(self) -> float:
        """Rounds a minute."""
        return 60 * self.rounds / self.seconds

    @property
    def batch_fill(self) -> float | None:
        """Share of the batches' rows that were filled, above 0 and at most 1; None where no batch was sent."""
        return self.rows / (self.batches * self.batch_rows) if self.batches else None


@dataclass(frozen=True, kw_only=True)
class Records:
    """What self-play leaves: a row for each searched decision, sorted by round, then decision, and one for each round.

    Attributes:
        features: uint8[N, 256], encoded observations; times `feature_scale()`.
        legal: bool[N, 52], legal actions; cards by relative rank, as in the encoding.
        policy: float16[N, 52], shares of the actions in the root's visits, cards by relative rank; each row sums to 1.
        values: float32[N, 8], the round's result in [-1, 1] for each relative seat from the row's; 0 past the players.
            With `result_share` m it is (1 - m) of it and m of the game's.
        root_values: float32[N, 8], the mean value of the search's simulations, in the same order.
        round: uint64[N], number of the row's round, or of its game.
        seat: uint8[N], the seat that moved.
        number: uint64[rounds], numbers of the finished rounds, ascending; with whole games, of their games.
        game_round: uint8[rounds], number of the round in its game, from 0; 0 where rounds stand alone.
        players: uint8[rounds], how many played.
        cards: uint8[rounds], how many cards each had.
        points: int16[rounds, players], points of each seat; with several shapes int16[rounds, 8], 0 past the players.
        bids: the same of the bids.
        tricks: the same of the tricks won.
        carry_over: the rounds left unfinished, with the rows recorded of them so far.
        stats: what the run did.
    """

    features: NDArray[np.uint8]
    legal: NDArray[np.bool_]
    policy: NDArray[np.float16]
    values: NDArray[np.float32]
    root_values: NDArray[np.float32]
    round: NDArray[np.uint64]
    seat: NDArray[np.uint8]
    number: NDArray[np.uint64]
    game_round: NDArray[np.uint8]
    players: NDArray[np.uint8]
    cards: NDArray[np.uint8]
    points: NDArray[np.int16]
    bids: NDArray[np.int16]
    tricks: NDArray[np.int16]
    carry_over: CarryOver
    stats: Stats


class SelfPlay:
    """Rounds of self-play, a pure function of its arguments and the evaluator: threads and timing change no byte.

    Args:
        players: 3 to 8.
        cards: cards dealt to each, 1 to 13, `players * cards <= 52`.
        shapes: instead of both, (players, cards, weight) of each shape that is played. A weight is a share of
            decisions: the shape of a round is drawn from (seed, round) in proportion to weight over expected decisions,
            so that long rounds do not crowd out short ones.
        result_share: None plays rounds that stand alone. A share of 0 to 1, in steps of 0.01, plays whole games from
            `cards` down to 1 and up again: positions carry scores and rounds left, and so much of what a round is worth
            is the game's result (1 for the first place, -1 for the last), the rest the round's score. `rounds`,
            `first_round` and `carry_over` then count games.
        worlds: worlds drawn for each search.
        simulations: simulations in each world.
        rounds: rounds to play; trump and dealer of each are drawn uniformly.
        seed: with the number of a round, all its randomness.
        first_round: number of the first round.
        carry_over: 0 plays every round to its end, and batches run empty while the last ones finish. With K of 2 to
            `rounds` the last K - 1 rounds pause part way for a later run to go on with: the round at distance e from
            the end of the range once e / K of its bids and cards are played. About as many as are in progress at once
            keep batches full.
        rules: rule variants; Blob's own if None.
        threads: worker threads; one for each core if None.
        batch_rows: rows of a batch.
        rounds_in_flight: rounds in progress at once; if None, enough for a full batch at each thread of the evaluator,
            two at least, and three more.
        cache_entries: evaluations that each round in progress can remember, 0 to 32768, for equal rows to share; those
            of one decision if None. It changes how many evaluations are asked for and nothing else.
        c_puct: weight of the prior against the value.
        fpu_reduction: how much less than its parent an unvisited action is taken to be worth.
        noise_fraction: share of Dirichlet noise in the priors of the root; 0 for none.
        noise_alpha: concentration of that noise.
        temperature: actions are drawn in proportion to `visits ** (1 / temperature)`; 0 takes the most visited.
        final_temperature: the same, after the first `temperature_decisions` decisions of a round.
        temperature_decisions: see above.
        worlds_in_flight: worlds of one search whose trees grow at the same time, all if None; it changes no result.
        leaves_in_flight: leaves of one tree that may wait at once; more than 1 costs strength.
        virtual_loss: lost visits that a waiting leaf counts as.

    Raises:
        ConfigError: for a value out of its range.
    """

    def __init__(
        self,
        *,
        players: int | None = None,
        cards: int | None = None,
        shapes: Sequence[tuple[int, int, float]] | None = None,
        result_share: float | None = None,
        worlds: int = 3,
        simulations: int = 30,
        rounds: int = 1000,
        seed: int = 0,
        first_round: int = 0,
        carry_over: int = 0,
        rules: _core.RoundRules | None = None,
        threads: int | None = None,
        batch_rows: int = 1024,
        rounds_in_flight: int | None = None,
        cache_entries: int | None = None,
        c_puct: float = 1.5,
        fpu_reduction: float = 0.25,
        noise_fraction: float = 0.25,
        noise_alpha: float = 1.0,
        temperature: float = 1.0,
        final_temperature: float = 0.5,
        temperature_decisions: int = 8,
        worlds_in_flight: int | None = None,
        leaves_in_flight: int = 1,
        virtual_loss: int = 1,
    ) -> None:
        def plan(evaluator: Literal["uniform", "rollout"] | int, evaluator_threads: int = 1) -> _core.Plan:
            agent = _core.AgentSpec.search(
                evaluator=evaluator,
                worlds=worlds,
                simulations=simulations,
                c_puct=c_puct,
                fpu_reduction=fpu_reduction,
                worlds_in_flight=worlds_in_flight,
                leaves_in_flight=leaves_in_flight,
                virtual_loss=virtual_loss,
                noise_fraction=noise_fraction,
                noise_alpha=noise_alpha,
                temperature=temperature,
                final_temperature=final_temperature,
                temperature_decisions=temperature_decisions,
            )
            return _core.Plan(
                players=players,
                cards=cards,
                shapes=None if shapes is None else list(shapes),
                result_share=result_share,
                agents=[agent],
                rounds=rounds,
                seed=seed,
                first_round=first_round,
                carry_over=carry_over,
                rules=rules,
                threads=threads,
                batch_rows=batch_rows,
                rounds_in_flight=rounds_in_flight,
                evaluator_threads=evaluator_threads,
                cache_entries=cache_entries,
            )

        plan(0)  # refuses wrong settings now rather than in `run`
        self._batch_rows = batch_rows
        self._plan = plan

    def sizes(self, evaluator_threads: int = 1) -> Sizes:
        """The sizes of a run whose evaluator is served by so many threads."""
        plan = self._plan(0, evaluator_threads)
        return Sizes(
            batch_rows=self._batch_rows,
            rounds_in_flight=plan.rounds_in_flight,
            search_threads=plan.worker_threads,
            evaluator_threads=evaluator_threads,
        )

    def run(
        self,
        evaluator: Evaluator | BatchEvaluator | Literal["uniform", "rollout"],
        *,
        carried: CarryOver | None = None,
        progress: OnProgress | None = None,
    ) -> Records:
        """Plays all rounds, after those that an earlier range of the same seed and settings left unfinished.

        Args:
            evaluator: judges positions, called on this thread (and on others, if it has `workers` above 1); or the name
                of a judge of the core: "rollout" (one random playout) or "uniform" (equal priors, values 0).
            carried: `carry_over` of the records of the rounds before `first_round`.
            progress: called about four times a second with an object of `rounds_done`, `rounds`, `evaluations`, ...

        Returns:
            The records of all rounds.

        Raises:
            ConfigError: if `carried` is none of this game and seed.
            EvaluatorError: if the evaluator breaks its contract.
            BaseException: whatever the evaluator raises. Nothing is left running after any of these.
        """
        started = time.perf_counter()
        if not (isinstance(evaluator, BatchEvaluator | str) or callable(evaluator)):
            raise ConfigError(
                f'evaluator is {evaluator!r}; it is "uniform", "rollout", '
                "or a callable (features, legal) -> (policy, values)"
            )
        earlier = None if carried is None else carried.arrays()
        if isinstance(evaluator, str):
            session = self._plan(evaluator).start(earlier)
            serving = drive(session, [], progress)
        else:
            session = self._plan(0, serving_threads([evaluator])).start(earlier)
            serving = drive(session, [evaluator], progress)
        seconds = time.perf_counter() - started
        columns = session.take_records()
        return Records(
            **columns,
            carry_over=CarryOver(**session.take_carry_over()),
            stats=stats(session, serving, seconds, rounds=len(columns["number"])),
        )


def stats(session: _core.Session, serving: Serving, seconds: float, *, rounds: int) -> Stats:
    """What a finished session did in `seconds`."""
    done = session.progress()
    return Stats(
        rounds=rounds,
        decisions=done.decisions,
        simulations=done.simulations,
        evaluations=done.evaluations,
        repeats=done.repeats,
        batches=done.batches,
        rows=done.rows,
        batch_rows=session.batch_rows,
        seconds=seconds,
        serving=serving,
    )
