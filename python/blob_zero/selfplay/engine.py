"""Self-play: many rounds in which one agent sits in every seat."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Unpack

from blob_zero import _core
from blob_zero.config.search_options import DEFAULT_SEARCH, PolicyOptions, SearchChanges, SearchOptions
from blob_zero.errors import ConfigError
from blob_zero.inference.evaluator import BatchEvaluator, Evaluator, serving_threads
from blob_zero.inference.onnx_evaluator import open_evaluator
from blob_zero.selfplay.carry_over import CarryOver
from blob_zero.selfplay.records import Records, stats
from blob_zero.selfplay.serving import OnProgress, drive
from blob_zero.selfplay.sizes import Sizes


class SelfPlay:
    """Rounds of self-play: a pure function of the arguments and the evaluator. Threads and timing change no byte.

    Args:
        players: 3 to 8.
        cards: cards dealt to each player, 1 to 13, `players * cards <= 52`.
        shapes: replaces `players` and `cards`: (players, cards, weight) of each size of round that is played. A weight
            is a share of decisions: the size of a round is drawn from (seed, round) in proportion to weight over
            expected decisions, so that long rounds do not crowd out short ones.
        result_share: None plays rounds that stand alone. A share m of 0 to 1, in steps of 0.01, plays whole games from
            `cards` down to 1 and up again. Positions then carry scores and rounds left, and a round is worth (1 - m) of
            its score plus m of the game's result: 1 for the first place, -1 for the last. `rounds`, `first_round` and
            `carry_over` count games.
        search: how each decision is searched.
        policy: None searches. Else each decision is made by the evaluator's policy alone, explored in this way, and
            `Records.rounds` has what was played; there are no rows of searches.
        rounds: rounds to play; trump and dealer of each are drawn uniformly.
        seed: together with the number of a round, the source of all its randomness.
        first_round: number of the first round.
        carry_over: 0 plays every round to its end; batches run empty while the last rounds finish. With K of 2 to
            `rounds`, the last K - 1 rounds pause part way, to be finished by a later call: the round at distance e from
            the end of the range pauses once e / K of its bids and cards are played. K near the number of rounds in
            flight keeps batches full.
        range_end: number after the last round of the range that these rounds are a part of; None if they are all of it.
            `carry_over` then counts from the end of that range, so that any split of a range plays the same rounds.
        rules: rule variants; Blob's own if None.
        threads: worker threads; one for each core if None.
        batch_rows: rows of a batch.
        rounds_in_flight: rounds in progress at the same time; if None, enough to fill the batches (`Sizes`).
        cache_entries: evaluations that each round in progress can remember for equal rows to share, 0 to 32768; enough
            for one decision if None. Affects only the number of evaluations.
        search_changes: any field of `SearchOptions`, such as `worlds=5`, in place of the one in `search`.

    Raises:
        ConfigError: a value is out of its range.
    """

    def __init__(
        self,
        *,
        players: int | None = None,
        cards: int | None = None,
        shapes: Sequence[tuple[int, int, float]] | None = None,
        result_share: float | None = None,
        search: SearchOptions = DEFAULT_SEARCH,
        policy: PolicyOptions | None = None,
        rounds: int = 1000,
        seed: int = 0,
        first_round: int = 0,
        carry_over: int = 0,
        range_end: int | None = None,
        rules: _core.RoundRules | None = None,
        threads: int | None = None,
        batch_rows: int = 1024,
        rounds_in_flight: int | None = None,
        cache_entries: int | None = None,
        **search_changes: Unpack[SearchChanges],
    ) -> None:
        self.search = replace(search, **search_changes)
        self.policy = policy
        self.batch_rows = batch_rows
        self._plan = partial(
            _core.Plan,
            players=players,
            cards=cards,
            shapes=None if shapes is None else list(shapes),
            result_share=result_share,
            rounds=rounds,
            seed=seed,
            first_round=first_round,
            carry_over=carry_over,
            range_end=range_end,
            rules=rules,
            threads=threads,
            batch_rows=batch_rows,
            rounds_in_flight=rounds_in_flight,
            cache_entries=cache_entries,
        )
        self.plan()  # refuses wrong settings now rather than in `run`

    def plan(
        self,
        evaluator: str | int = 0,
        *,
        evaluator_threads: int = 1,
        record: bool = True,
    ) -> _core.Plan:
        """The rounds as a plan of the core.

        Args:
            evaluator: a judge of the core, or the number of the model that batches are meant for.
            evaluator_threads: threads that serve that model.
            record: whether decisions are recorded.
        """
        if self.policy is None:
            agent = self.search.spec(evaluator)
        elif isinstance(evaluator, str):
            raise ConfigError(f"the judge {evaluator!r} of the core has no policy to play by; give an evaluator")
        else:
            agent = self.policy.spec(evaluator)
        return self._plan(agents=[agent], evaluator_threads=evaluator_threads, record=record)

    def sizes(self, evaluator_threads: int = 1) -> Sizes:
        """The sizes of a run whose evaluator is served by this number of threads."""
        plan = self.plan(evaluator_threads=evaluator_threads)
        return Sizes(
            batch_rows=self.batch_rows,
            rounds_in_flight=plan.rounds_in_flight,
            search_threads=plan.worker_threads,
            evaluator_threads=evaluator_threads,
        )

    def run(
        self,
        evaluator: Evaluator | BatchEvaluator | str | PathLike[str],
        *,
        carried: CarryOver | None = None,
        progress: OnProgress | None = None,
    ) -> Records:
        """Plays all rounds, after those that an earlier range of the same seed and settings left unfinished.

        Args:
            evaluator: judges positions; called on this thread, and on others if it has `workers` above 1. Or the name
                of a judge of the core: "rollout" (one random playout) or "uniform" (equal priors, values 0). Or the
                path of an .onnx file.
            carried: `carry_over` of the records of the rounds before `first_round`.
            progress: called about four times a second with an object of `rounds_done`, `rounds`, `evaluations`, ...

        Returns:
            The records of all rounds.

        Raises:
            ConfigError: `carried` is not of this game and seed.
            EvaluatorError: the evaluator breaks its contract.
            BaseException: whatever the evaluator raises. Nothing is left running after any of these.
        """
        started = time.perf_counter()
        evaluator = open_evaluator(evaluator)
        if not (isinstance(evaluator, BatchEvaluator | str) or callable(evaluator)):
            raise ConfigError(
                f'evaluator is {evaluator!r}; it is "uniform", "rollout", the path of an .onnx file, '
                "or a callable (features, legal) -> (policy, values)"
            )
        judges = [] if isinstance(evaluator, str) else [evaluator]
        plan = self.plan(
            evaluator if isinstance(evaluator, str) else 0,
            evaluator_threads=serving_threads(judges),
        )
        session = plan.start(None if carried is None else carried.arrays())
        serving = drive(session, judges, progress)
        seconds = time.perf_counter() - started
        columns = session.take_records()
        return Records(
            **columns,
            carry_over=CarryOver(**session.take_carry_over()),
            stats=stats(session, serving, seconds, rounds=len(columns["number"])),
        )
