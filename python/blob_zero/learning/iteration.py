"""One iteration: self-play, training, matches, and the row of metrics about them."""

import time
from functools import partial

import polars as pl

from blob_zero.config.schedule import at
from blob_zero.learning.display import Display
from blob_zero.learning.matches import Matches
from blob_zero.learning.rollback import undo_broken_training
from blob_zero.learning.run import Run
from blob_zero.learning.saved_rounds import save_rounds
from blob_zero.learning.summary import TrainingSummary
from blob_zero.metrics.log import MetricsRow, MetricValue
from blob_zero.metrics.steps import step_frame
from blob_zero.model.networks import Network
from blob_zero.seeds import Purpose, stream, stream_seed
from blob_zero.selfplay.worker import RoundRange, SelfPlayResult, SelfPlayWorker


def play_and_learn(
    run: Run, worker: SelfPlayWorker, matches: Matches, display: Display
) -> tuple[MetricsRow, pl.DataFrame]:
    """Advances a run by one iteration, which is not committed yet.

    Returns:
        The iteration's metrics, and its optimizer steps' metrics.
    """
    net, to_play = _to_play(run, run.iteration)
    run.sizes = None if net is None else worker.prepare(net, to_play)
    display.iteration_started(run.iteration + 1, run.config.run.iterations)

    began = time.perf_counter()
    on_progress = partial(
        display.self_play,
        batch_rows=None if run.sizes is None else run.sizes.batch_rows,
        unit="games" if run.config.game.whole_games else "rounds",
    )
    played = worker.play(net, to_play, progress=on_progress)
    run.carried = played.carry_over
    rows = run.add_rows(played.records)
    save_rounds(run, played.records)
    run.rounds += to_play.rounds
    run.choose_next_player()
    if run.config.selfplay.lag and run.iteration + 1 < run.config.run.iterations:
        worker.begin(*_to_play(run, run.iteration + 1))
    played_at = time.perf_counter()

    learned = run.learner.train(
        run.replay,
        stream(run.config.run.seed, Purpose.MINIBATCHES, run.iteration),
        iteration=run.iteration,
        progress=display.training,
        notice=display.message,
    )
    undo_broken_training(run, display.message)
    held_out = run.learner.measure_held_out(run.replay, has_bid_chances=_has_bid_chances(run))
    first_step = run.steps + 1
    run.steps += len(learned.rates)
    run.iteration += 1
    learned_at = time.perf_counter()
    worker.learned(learned_at - played_at)

    match_metrics = {**matches.promotion(), **matches.measurement()}
    judged_at = time.perf_counter()

    row: MetricsRow = {
        "iteration": run.iteration,
        "rounds": run.rounds,
        "rows": rows,
        **_self_play_metrics(played),
        "replay_rows": len(run.replay),
        **_training_metrics(learned),
        "training_undone": run.rollbacks > 0,
        **held_out,
        **match_metrics,
        "best_iteration": run.best_iteration,
        "selfplay_seconds": played_at - began,
        "training_seconds": learned_at - played_at,
        "judging_seconds": judged_at - learned_at,
        "commit_seconds": run.commit_seconds,
    }
    return row, step_frame(
        tuple(learned.losses), learned.by_step, learned.rates, iteration=run.iteration, first_step=first_step
    )


def _to_play(run: Run, iteration: int) -> tuple[Network | None, RoundRange]:
    """The network that plays an iteration, None for playouts, and its rounds; all rounds before it are played."""
    options = run.config.selfplay
    rounds = at(options.rounds, iteration)
    net = None if iteration < options.playout_iterations else run.player
    return net, RoundRange(
        seed=stream_seed(run.config.run.seed, Purpose.SELF_PLAY),
        first_round=run.rounds,
        rounds=rounds,
        worlds=None if options.worlds is None else at(options.worlds, iteration),
        simulations=None if options.simulations is None else at(options.simulations, iteration),
        carried=run.carried,
        carry_over=_carry_over(run, iteration, rounds),
    )


def _carry_over(run: Run, iteration: int, rounds: int) -> int:
    """The number of rounds that may stay unfinished; none where playouts judge, and none in the last iteration."""
    options = run.config.selfplay
    if iteration < options.playout_iterations or iteration + 1 == run.config.run.iterations:
        return 0
    return min(options.carry_over, rounds)


def _has_bid_chances(run: Run) -> bool:
    """Whether the value targets are the rounds' own results, from which the chance of a bid follows."""
    return not run.config.game.game_result and not run.config.training.root_value_weight


def _self_play_metrics(played: SelfPlayResult) -> MetricsRow:
    return {
        "rounds_per_minute": 60 * played.rounds / played.seconds,
        "batch_fill": played.batch_fill,
        "selfplay_points": played.points,
        "selfplay_exact": played.exact,
    }


def _divergence(losses: dict[str, float]) -> dict[str, MetricValue]:
    if "policy_loss" not in losses:
        return {}
    return {"policy_kl": losses["policy_loss"] - losses["policy_entropy"]}


def _training_metrics(learned: TrainingSummary) -> dict[str, MetricValue]:
    return {
        **learned.losses,
        **_divergence(learned.losses),
        "gradient_norm": learned.gradient_norm,
        "learning_rate": learned.learning_rate,
        "steps": learned.steps,
        "skipped_steps": learned.skipped_steps,
        "examples_per_second": learned.examples_per_second,
    }
