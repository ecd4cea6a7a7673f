"""Workers on the machines of a Ray cluster."""

import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from types import ModuleType
from typing import Any

from blob_zero.cluster.agreement import Identity, check_alike, kinds_of_gpu
from blob_zero.cluster.node import Crew, Node, Task
from blob_zero.cluster.places import Place, chosen_places, counted
from blob_zero.cluster.pool import WorkerLostError
from blob_zero.errors import BlobError, ClusterError, ConfigError, MissingPackageError
from blob_zero.learning.display import Notice

Actor = Any
"""A `Node` on another machine; its methods are Ray's."""


START_SECONDS = 120.0
"""Time for a worker to start: it imports PyTorch, from a cold disk at worst."""

_ANSWER_SECONDS = 10.0
"""Time for a cluster's head to answer."""


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
def ray_nodes(where: str, *, workers: int | None, device: str, crew: Crew, notice: Notice) -> Iterator[RayNodes]:
    """Connects to a cluster and starts a worker at each of its places; ends them, and what it started, at the end.

    Args:
        where: `auto` for the cluster that this machine belongs to, `local` to start Ray here, or HOST:PORT of a head.
        workers: places to use; all if None.
        device: `auto` takes GPUs if the cluster has any; `cpu` and `cuda` ask for one kind.
        crew: makes a worker's self-player and judge.
        notice: takes a line on the workers.

    Raises:
        MissingPackageError: Ray is not installed.
        ConfigError: `where` cannot be read, or fewer workers are there than were asked for.
        ClusterError: there is no such cluster, or its workers do not answer, or they would not play the same rounds.
    """
    with connected(where) as ray:
        chosen = chosen_places(ray.nodes(), device=device, workers=workers)
        with _started(chosen, crew) as actors:
            answers = _identities(actors, chosen)
            found = [answer for answer in answers if not isinstance(answer, str)]
            problems = [answer for answer in answers if isinstance(answer, str)]
            if not found or (workers is not None and problems):
                raise ClusterError("; ".join(problems))
            check_alike(found)
            for problem in problems:
                notice(f"{problem}; going on without it")
            there = [k for k, answer in enumerate(answers) if not isinstance(answer, str)]
            kind = found[0]["device"]
            machines = len({chosen[k].node for k in there})
            notice(f"{counted(len(there), 'worker')} ({kind}) on {counted(machines, 'machine')}")
            kinds = kinds_of_gpu(found)
            if kinds is not None:
                notice(kinds)
            yield RayNodes([actors[k] for k in there], device=kind)


def identities(chosen: Sequence[Place]) -> list[Identity | str]:
    """The identity of a worker at each place; a line on what is wrong where none starts."""
    with _started(chosen, Crew(player=None, judge=None)) as actors:
        return _identities(actors, chosen)


@contextmanager
def connected(where: str) -> Iterator[ModuleType]:
    """Ray, connected to a cluster; see `ray_nodes`."""
    ray = _ray()
    if ray.is_initialized():
        yield ray
        return
    _connect(where)
    try:
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def _started(chosen: Sequence[Place], crew: Crew) -> Iterator[list[Actor]]:
    actors: list[Actor] = []
    try:
        actors += [_start(place, crew) for place in chosen]
        yield actors
    finally:
        for actor in actors:
            with suppress(Exception):
                _ray().kill(actor)


def _identities(actors: Sequence[Actor], chosen: Sequence[Place]) -> list[Identity | str]:
    ray = _ray()
    asked = [actor.describe.remote(place.address) for actor, place in zip(actors, chosen, strict=True)]
    ready, _ = ray.wait(asked, num_returns=len(asked), timeout=START_SECONDS)
    answers: list[Identity | str] = []
    for handle, place in zip(asked, chosen, strict=True):
        worker = f"the worker on {place.address}"
        if handle not in ready:
            answers.append(f"{worker} does not start within {START_SECONDS:.0f} s: is its machine in use?")
            continue
        try:
            answers.append(ray.get(handle))
        except Exception as error:  # what goes wrong there, and what Ray raises itself, have no common base
            answers.append(f"{worker} fails: {_cause(error)}")
    return answers


def _cause(error: Exception) -> str:
    """The last line of an error; Ray puts the remote traceback before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _ray() -> ModuleType:
    # Without these Ray reports its use, warns of a GPU that a worker of CPUs does not get, and starts an idle process
    # for each core of this machine.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_prestart_worker_first_driver", "0")
    try:
        import ray
    except ImportError:
        raise MissingPackageError.of("--ray", "ray", extra="ray") from None
    return ray


def _check_head(where: str) -> None:
    """Checks that somebody listens there: Ray itself would try for ten minutes."""
    host, _, port = where.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal() and len(port) <= 5):
        raise ConfigError(f"--ray {where}: should be auto, local or HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise ClusterError(f"cannot reach a Ray cluster at {where!r}: {error}; is its head running there?") from error


def _connect(where: str) -> None:
    if where not in ("auto", "local"):
        _check_head(where)
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
    # Ray prints the log of a machine that dies to standard output, also where that is JSON, and no option prevents it.
    vars(import_module("ray._private.worker"))["print_to_stdstream"] = _print_nothing


def _print_nothing(*_arguments: object, **_more: object) -> None:
    pass


def _start(place: Place, crew: Crew) -> Actor:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # num_cpus is given because Ray sets OMP_NUM_THREADS by it, to 1 without.
    remote = _ray().remote(
        num_cpus=place.cpus,
        num_gpus=place.gpus,
        max_restarts=0,
        max_task_retries=0,
        scheduling_strategy=NodeAffinitySchedulingStrategy(place.node, soft=False),
    )
    return remote(Node).remote(place.device, threads=int(place.cpus) or None, crew=crew)
