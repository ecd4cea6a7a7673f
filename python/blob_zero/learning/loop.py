"""The training run: self-play, learning, judging, and again."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import torch

from blob_zero.arena.final_table import STANDINGS, SavedStandings, Standing
from blob_zero.arena.judge import Judge, LocalJudge, MatchSummary
from blob_zero.arena.ratings import network_name
from blob_zero.cli.display import Display
from blob_zero.config.schedule import at
from blob_zero.config.schema import Config, FixedOpponent
from blob_zero.errors import DeviceError
from blob_zero.inference.devices import resolve_device
from blob_zero.metrics.log import Value
from blob_zero.metrics.steps import step_frame
from blob_zero.metrics.tensorboard import TensorBoard, check_installed
from blob_zero.run.folder import Run, open_run
from blob_zero.run.lock import lock_run
from blob_zero.seeds import Purpose, stream, stream_seed
from blob_zero.selfplay.worker import LocalSelfPlay, RoundRange, SelfPlayer, configured_self_play


def train(
    config: Config,
    folder: Path,
    *,
    display: Display,
    device: str = "auto",
    override: bool = False,
    player: SelfPlayer | None = None,
    judge: Judge | None = None,
) -> list[Standing]:
    """Train in a run's folder until all iterations are done, going on where an earlier call stopped.

    It can be interrupted at any point: what was committed is whole, and the iteration in progress is played
    again, with the same rounds and the same minibatches.

    Args:
        config: the settings.
        folder: the run's folder.
        display: is told how it goes.
        device: `auto`, `cpu`, `cuda` or `cuda:N`, for self-play, learning and judging alike.
        override: go on with a run even if its settings differ.
        player: plays the rounds; in this process by default.
        judge: plays the matches; in this process by default.

    Returns:
        The best network against each opponent, on deals that nothing in the run has seen.

    Raises:
        BlobError: a setting, device or folder cannot be used, another process is at work in the folder, or training
        met only losses that are not finite.
    """
    where = resolve_device(device)
    # Before anything is begun: a folder with settings that cannot be used would refuse the right ones.
    _check_playable(config, where)
    if config.run.tensorboard:
        check_installed()
    configure_torch(config, where)
    player = player or LocalSelfPlay(config, device=str(where), notice=display.message)
    judge = judge or _local_judge(config, device=str(where))
    try:
        with lock_run(folder):
            run = open_run(config, folder, device=where, override=override, notice=display.message)
            with _tensorboard(run) as board:
                _iterate(run, player, judge, display, board)
            return _final_standings(run, judge, display)
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            f"the memory of {where} is exhausted: lower selfplay.batch_rows, training.batch_size or "
            "training.replay_rows (with --override), or end what else uses it; what is committed is whole"
        ) from error


def _check_playable(config: Config, device: torch.device) -> None:
    """Let the core refuse what it cannot play, in the first iteration or the last."""
    options = config.selfplay
    for iteration in (0, config.run.iterations - 1):
        rounds = RoundRange(
            seed=0,
            first_round=0,
            rounds=at(options.rounds, iteration),
            worlds=None if options.worlds is None else at(options.worlds, iteration),
            simulations=None if options.simulations is None else at(options.simulations, iteration),
        )
        configured_self_play(config, rounds, device=device)


@contextmanager
def _tensorboard(run: Run) -> Iterator[TensorBoard | None]:
    if not run.config.run.tensorboard or run.iteration >= run.config.run.iterations:
        yield None
        return
    with closing(TensorBoard(run.folder, iteration=run.iteration, step=run.steps)) as board:
        yield board


def _iterate(run: Run, player: SelfPlayer, judge: Judge, display: Display, board: TensorBoard | None) -> None:
    """Do the iterations that the run still lacks, each committed at its end."""
    config = run.config
    seed, iterations = config.run.seed, config.run.iterations

    while run.iteration < iterations:
        options, rounds = config.selfplay, at(config.selfplay.rounds, run.iteration)
        by_playouts = run.iteration < options.playout_iterations
        to_play = RoundRange(
            seed=stream_seed(seed, Purpose.SELF_PLAY),
            first_round=run.rounds,
            rounds=rounds,
            worlds=None if options.worlds is None else at(options.worlds, run.iteration),
            simulations=None if options.simulations is None else at(options.simulations, run.iteration),
            carried=run.carried,
            carry_over=_carry_over(run, rounds),
        )
        sizes = None if by_playouts else player.prepare(run.best, to_play)
        display.iteration_started(run.iteration + 1, iterations)
        began = time.perf_counter()
        played = player.play(
            None if by_playouts else run.best,
            to_play,
            progress=partial(
                display.self_play,
                batch_rows=None if sizes is None else sizes.batch_rows,
                unit="games" if config.game.whole_games else "rounds",
            ),
        )
        run.sizes = sizes
        run.carried = played.carry_over
        run.replay.append(played.rows, root_value_weight=config.training.root_value_weight)
        run.rounds += rounds
        played_at = time.perf_counter()

        learned = run.trainer.train(
            run.replay,
            stream(seed, Purpose.MINIBATCHES, run.iteration),
            iteration=run.iteration,
            progress=display.training,
            notice=display.message,
        )
        run.undo_broken_training(display.message)
        run.iteration += 1
        run.steps += len(learned.rates)
        learned_at = time.perf_counter()

        promotion = _promotion(run, judge, display)
        due = run.iteration % config.evaluation.every == 0 or run.iteration == iterations
        standings = _standings(run, judge, display) if due else []
        judged_at = time.perf_counter()

        row: dict[str, Value] = {
            "iteration": run.iteration,
            "rounds": run.rounds,
            "rows": len(played.rows.features),
            "replay_rows": len(run.replay),
            "rounds_per_minute": 60 * played.rounds / played.seconds,
            "batch_fill": played.batch_fill,
            "selfplay_points": played.points,
            "selfplay_exact": played.exact,
            "policy_loss": learned.policy_loss,
            "policy_entropy": learned.policy_entropy,
            "policy_kl": learned.policy_kl,
            "value_loss": learned.value_loss,
            "value_error": learned.value_error,
            "gradient_norm": learned.gradient_norm,
            "learning_rate": learned.learning_rate,
            "steps": learned.steps,
            "skipped_steps": learned.skipped_steps,
            "training_undone": run.rollbacks > 0,
            "examples_per_second": learned.examples_per_second,
            **promotion,
            "best_iteration": run.best_iteration,
            "selfplay_seconds": played_at - began,
            "training_seconds": learned_at - played_at,
            "judging_seconds": judged_at - learned_at,
        }
        for standing in standings:
            row |= _standing_columns(standing)
        row |= _rating_columns(run)
        steps = step_frame(
            learned.by_step, learned.rates, iteration=run.iteration, first_step=run.steps - len(learned.rates) + 1
        )
        # Before the commit: what was shown and not committed is shown anew, what was not shown never would be.
        if board is not None:
            board.write(row, steps)
        run.commit(row, steps)
        display.iteration_done(row)


def _carry_over(run: Run, rounds: int) -> int:
    """How many rounds this iteration may leave unfinished: none where no batches run empty, or no iteration follows."""
    options = run.config.selfplay
    if run.iteration < options.playout_iterations or run.iteration + 1 == run.config.run.iterations:
        return 0
    return min(options.carry_over, rounds)


def _promotion(run: Run, judge: Judge, display: Display) -> dict[str, Value]:
    """Make the learner's network the best if it is shown to be, and tell of it in the metrics' columns."""
    options = run.config.promotion
    if not options.enabled:
        run.promote()
        return {"promoted": True}
    display.judging("the best network so far")
    # Fresh deals each time: a candidate must not be chosen for the luck of always the same ones.
    seed = stream_seed(run.config.run.seed, Purpose.PROMOTION, run.iteration)
    match = judge.match(run.learner, run.best, deals=options.deals, seed=seed)
    _rate(run, run.iteration, network_name(run.best_iteration), match, predecessor=run.best_iteration)
    promoted = match.low > options.margin
    if promoted:
        run.promote()
    return {
        "promotion_difference": match.difference,
        "promotion_low": match.low,
        "promotion_high": match.high,
        "promoted": promoted,
    }


def _standings(run: Run, judge: Judge, display: Display) -> list[Standing]:
    """The best network against each opponent, on the deals of every measurement; its rating follows."""
    options = run.config.evaluation
    standings = [
        _standing(run, judge, display, opponent, deals=options.deals, purpose=Purpose.EVALUATION)
        for opponent in options.opponents
    ]
    # The same network on the same deals again would be no new evidence.
    if run.measured_iteration != run.best_iteration:
        for standing in standings:
            opponent = network_name(0) if standing.opponent == "untrained" else standing.opponent
            _rate(run, run.best_iteration, opponent, standing.match, predecessor=run.measured_iteration)
        run.measured_iteration = run.best_iteration
    return standings


def _rate(run: Run, iteration: int, opponent: str, match: MatchSummary, *, predecessor: int) -> None:
    """Let a match of an iteration's network move both ratings; before its first it is expected at its predecessor's."""
    name = network_name(iteration)
    run.ratings.begin_at(name, network_name(predecessor))
    run.ratings.add_match(name, opponent, won=match.won, tied=match.tied, lost=match.deals - match.won - match.tied)


def _final_standings(run: Run, judge: Judge, display: Display) -> list[Standing]:
    """The same on fresh deals; what the run's folder has of them already is not played again."""
    options = run.config.evaluation
    saved = SavedStandings(run.folder / STANDINGS, net=run.best, config=run.config)
    for opponent in options.opponents[len(saved.standings) :]:
        standing = _standing(run, judge, display, opponent, deals=options.final_deals, purpose=Purpose.FINAL_TABLE)
        saved.append(standing)
    return saved.standings


def _standing(
    run: Run, judge: Judge, display: Display, opponent: FixedOpponent, *, deals: int, purpose: Purpose
) -> Standing:
    display.judging(opponent)
    match = judge.match(
        run.best,
        run.untrained if opponent == "untrained" else opponent,
        deals=deals,
        seed=stream_seed(run.config.run.seed, purpose),
    )
    return Standing(opponent, match)


def _standing_columns(standing: Standing) -> dict[str, Value]:
    name, match = standing.opponent.partition(":")[0], standing.match  # rollout:WxS has the columns of rollout
    return {
        f"{name}_difference": match.difference,
        f"{name}_low": match.low,
        f"{name}_high": match.high,
        f"{name}_points": match.first.points,
        f"{name}_exact": match.first.exact,
    }


def _rating_columns(run: Run) -> dict[str, Value]:
    rating = run.ratings.get(network_name(run.best_iteration))
    return {} if rating is None else {"rating": rating.mean, "rating_sigma": rating.sigma}


def _local_judge(config: Config, *, device: str) -> LocalJudge:
    return LocalJudge(
        players=config.game.players,
        cards=config.game.cards,
        search=config.search,
        inference=config.inference,
        device=device,
        batch_rows=config.evaluation.batch_rows,
        threads=config.selfplay.threads,
        result_share=config.game.game_result,
    )


def configure_torch(config: Config, device: torch.device) -> None:
    """Set what PyTorch keeps for the whole process, where the configuration asks for it."""
    if config.run.torch_threads is not None:
        torch.set_num_threads(config.run.torch_threads)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high" if config.training.tf32 else "highest")
