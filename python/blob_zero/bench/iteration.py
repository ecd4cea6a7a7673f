"""`bench iteration`: one whole iteration of training, self-play and learning apart."""

import time
from collections.abc import Callable
from dataclasses import asdict

from blob_zero.bench.tables import Measurement
from blob_zero.config.schema import Config
from blob_zero.machine.memory import peak_memory
from blob_zero.selfplay.serving import OnProgress

COLUMNS = {
    "rounds_per_min": "self-play, rounds/min",
    "selfplay_seconds": "self-play, seconds",
    "rows": "rows of it",
    "examples_per_s": "training, examples/s",
    "training_seconds": "training, seconds",
    "steps": "steps",
    "iteration_seconds": "both, seconds",
    "peak_memory_bytes": "peak memory, bytes",
    "device": "device",
}


def bench_iteration(
    config: Config,
    *,
    device: str,
    notice: Callable[[str], None] = lambda _: None,
    progress: OnProgress | None = None,
) -> Measurement:
    """Plays an iteration's rounds with the untrained network and trains on them, as `blob-zero train` does.

    Compilation precedes the clock, for self-play and for training: a run pays it once. The replay holds only the rows
    of this iteration.

    Args:
        config: the settings of a run.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        notice: called with a line before each step.
        progress: called about four times a second during self-play.
    """
    from blob_zero.bench.training import warm_up
    from blob_zero.config.schedule import at
    from blob_zero.inference.devices import resolve_device
    from blob_zero.learning.learner import Learner
    from blob_zero.learning.played import count_rows, new_replay, rows_to_learn
    from blob_zero.model.networks import configured_shape, seeded_network
    from blob_zero.seeds import Purpose, stream, stream_seed
    from blob_zero.selfplay.worker import LocalWorker, RoundRange

    where = resolve_device(device)
    seed = config.run.seed
    net = seeded_network(configured_shape(config), seed=stream_seed(seed, Purpose.INITIAL_WEIGHTS))
    worker = LocalWorker(config, device=str(where), notice=notice)
    rounds = at(config.selfplay.rounds, config.run.iterations - 1)
    to_play = RoundRange(seed=stream_seed(seed, Purpose.SELF_PLAY), first_round=0, rounds=rounds)
    sizes = worker.prepare(net, to_play)
    notice(f"self-play, {rounds:,} rounds")
    began = time.perf_counter()
    played = worker.play(net, to_play, progress=progress)
    played_at = time.perf_counter()
    replay = new_replay(config)
    replay.append(rows_to_learn(config, played.records))
    learner = Learner(net, config.training, device=where, iterations=config.run.iterations)
    notice("warming up the learner, and compiling where asked for")
    warm_up(learner, replay, notice)
    notice("training")
    learning = time.perf_counter()
    learned = learner.train(replay, stream(seed, Purpose.MINIBATCHES, 0), iteration=0)
    learned_at = time.perf_counter()
    return {
        "rounds_per_min": 60 * played.rounds / (played_at - began),
        "selfplay_seconds": played_at - began,
        "rounds": played.rounds,
        "rows": count_rows(played.records),
        "batch_fill_mean": played.batch_fill,
        "examples_per_s": learned.examples_per_second,
        "training_seconds": learned_at - learning,
        "steps": learned.steps,
        "iteration_seconds": played_at - began + learned_at - learning,
        "peak_memory_bytes": peak_memory(),
        "device": str(where),
        **asdict(sizes),
    }
