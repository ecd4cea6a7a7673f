"""Workers on the machines of a Ray cluster: one for each GPU, or for each machine without one."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, NamedTuple

import torch

from blob_zero.arena.judge import LocalJudge
from blob_zero.cluster.node import Identity, MatchTask, Node, PlayTask, identity
from blob_zero.cluster.pool import WorkerLostError
from blob_zero.errors import BlobError, ClusterError, ConfigError, MissingPackageError
from blob_zero.learning.display import Notice
from blob_zero.selfplay.worker import LocalWorker

Actor = Any
"""A `Node` on another machine; its methods are Ray's."""


class Task(NamedTuple):
    """A call of a `Node`: the method, what it is to do, and the networks, which are put once for all tasks."""

    method: str
    what: PlayTask | MatchTask
    networks: object


class Place(NamedTuple):
    """Where a worker runs."""

    node: str
    address: str
    cpus: float
    gpus: int


class RayNodes:
    """The workers of a cluster as the pool's futures.

    Retries are the pool's: Ray's own can hang, and it notices a machine that stopped only after a minute.

    Args:
        actors: one for each worker.
        device: `cpu` or `cuda`, the same for all.
    """

    def __init__(self, actors: Sequence[Actor], *, device: str) -> None:
        self._actors = actors
        self.device = device

    @property
    def workers(self) -> int:
        """Number of workers."""
        return len(self._actors)

    def put(self, value: object) -> object:
        """Hands a value to the cluster once, to be named in many tasks."""
        return _ray().put(value)

    def submit(self, worker: int, task: Task) -> object:
        """Hands a task to a worker."""
        return getattr(self._actors[worker], task.method).remote(task.what, task.networks)

    def wait(self, handles: Sequence[object], *, seconds: float) -> Sequence[object]:
        """The tasks among these that ended, with their results here."""
        return _ray().wait(list(handles), num_returns=len(handles), timeout=seconds)[0] if handles else ()

    def result(self, handle: object) -> bytes:
        """The result of a task that ended; see `Futures.result`."""
        from ray.exceptions import RayError, RayTaskError

        try:
            packed: bytes = _ray().get(handle)
        except RayTaskError as error:
            cause = error.cause
            if isinstance(cause, BlobError):
                raise cause from None
            raise ClusterError(f"a worker failed: {error}") from error
        except RayError as error:
            raise WorkerLostError(str(error).strip().partition("\n")[0] or type(error).__name__) from error
        return packed


@contextmanager
def ray_nodes(
    where: str,
    *,
    workers: int | None,
    device: str,
    player: Callable[[torch.device], LocalWorker] | None,
    judge: Callable[[torch.device], LocalJudge],
    notice: Notice,
) -> Iterator[RayNodes]:
    """Connects to a cluster and starts a worker at each of its places; ends them, and what it started, at the end.

    Args:
        where: `auto` for the cluster that this machine belongs to, `local` to start Ray here, or HOST:PORT of a head.
        workers: places to use; all if None.
        device: `auto` takes GPUs if the cluster has any; `cpu` and `cuda` ask for one kind.
        player: makes a worker's self-player.
        judge: makes a worker's judge.
        notice: takes a line on the workers.

    Raises:
        MissingPackageError: Ray is not installed.
        ConfigError: fewer workers are there than were asked for.
        ClusterError: there is no such cluster, or its workers would not play the same rounds.
    """
    ray = _ray()
    connected = ray.is_initialized()
    if not connected:
        _connect(where)
    actors: list[Actor] = []
    try:
        places = _places(ray.nodes(), device=device)
        if workers is not None and workers > len(places):
            raise ConfigError(
                f"{workers} workers were asked for; the cluster has {len(places)} places: one a GPU, or one a machine"
            )
        chosen = places[:workers]
        if not chosen:
            raise ClusterError("the cluster has no machine with CPUs or GPUs for a worker")
        kind = "cuda" if chosen[0].gpus else "cpu"
        actors = [_start(place, kind, player, judge) for place in chosen]
        check_alike(
            [ray.get(actor.describe.remote(place.address)) for actor, place in zip(actors, chosen, strict=True)]
        )
        notice(f"{len(actors)} workers ({kind}) on {len({place.node for place in chosen})} machines")
        yield RayNodes(actors, device=kind)
    finally:
        for actor in actors:
            with suppress(Exception):
                ray.kill(actor)
        if not connected:
            ray.shutdown()


def check_alike(found: Sequence[Identity]) -> None:
    """Checks that all workers, and this process, would play the same rounds with the same bytes.

    Raises:
        ClusterError: they would not; the message names who differs in what.
    """
    here = identity("this process", torch.device("cpu"))
    for other in found:
        names = ["version", "core", "torch"]
        if other["device"] == "cpu":
            names += ["cpu_features", "dtype"]
        # This process deals and judges by the same core; a learner on a GPU has CPUs of any kind beside it.
        for one in (here, *found[:1]) if other["device"] == "cpu" else (here,):
            differ = [f"{name} {other[name]!r} and not {one[name]!r}" for name in names if other[name] != one[name]]  # type: ignore[literal-required]
            if differ:
                raise ClusterError(
                    f"the worker on {other['node']} differs from {one['node']}: {'; '.join(differ)}. All machines need "
                    "the same installation and the same kind of CPU, or runs could not be repeated"
                )


def _ray() -> ModuleType:
    # Without these Ray reports its use, and warns of a GPU that a worker of CPUs does not get.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise MissingPackageError.of("--ray", "ray", extra="ray") from None
    return ray


def _connect(where: str) -> None:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if where == "local":
            _ray().init(address="local", include_dashboard=False, log_to_driver=False, logging_level="error")
        else:
            _ray().init(address=where, log_to_driver=False, logging_level="error")
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ClusterError(
            f"cannot reach a Ray cluster at {where!r}: {str(error).strip().partition(chr(10))[0]}"
        ) from error
    finally:
        # Ray sets a handler of its own, which would end the process amid a commit.
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _places(nodes: Sequence[dict[str, Any]], *, device: str) -> list[Place]:
    """A place for each GPU of the cluster, or for each machine if there are none or `cpu` was asked for."""
    alive = [node for node in nodes if node["Alive"]]
    gpus = [
        Place(node["NodeID"], node["NodeManagerAddress"], node["Resources"].get("CPU", 0) // count, 1)
        for node in alive
        if (count := int(node["Resources"].get("GPU", 0)))
        for _ in range(count)
    ]
    if device.startswith("cuda") or (gpus and device == "auto"):
        return gpus
    return [
        Place(node["NodeID"], node["NodeManagerAddress"], cpus, 0)
        for node in alive
        if (cpus := node["Resources"].get("CPU", 0)) >= 1
    ]


def _start(
    place: Place,
    device: str,
    player: Callable[[torch.device], LocalWorker] | None,
    judge: Callable[[torch.device], LocalJudge],
) -> Actor:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # num_cpus is given because Ray sets OMP_NUM_THREADS by it, to 1 without.
    remote = _ray().remote(
        num_cpus=place.cpus,
        num_gpus=place.gpus,
        max_restarts=0,
        max_task_retries=0,
        scheduling_strategy=NodeAffinitySchedulingStrategy(place.node, soft=False),
    )
    return remote(Node).remote(device, player=player, judge=judge)
