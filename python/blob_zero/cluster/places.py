"""Where workers run: one for each GPU of a cluster, or for each machine if it has none."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from blob_zero.errors import ClusterError, ConfigError


class Place(NamedTuple):
    """Where a worker runs."""

    node: str
    address: str
    cpus: float
    gpus: int

    @property
    def device(self) -> str:
        """The worker's device."""
        return "cuda" if self.gpus else "cpu"


def places(nodes: Sequence[Mapping[str, Any]], *, device: str) -> list[Place]:
    """A place for each GPU of the cluster, or for each machine if there are none or `cpu` was asked for.

    Args:
        nodes: the cluster's machines, as `ray.nodes()` lists them.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
    """
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


def chosen_places(nodes: Sequence[Mapping[str, Any]], *, device: str, workers: int | None) -> list[Place]:
    """The first `workers` places, or all of them.

    Raises:
        ConfigError: there are fewer.
        ClusterError: there is none.
    """
    found = places(nodes, device=device)
    if not found:
        kind = "GPUs" if device.startswith("cuda") else "CPUs or GPUs"
        raise ClusterError(f"the cluster has no machine with {kind} for a worker")
    if workers is not None and workers > len(found):
        raise ConfigError(
            f"{workers} workers were asked for; the cluster has {len(found)} places: one a GPU, or one a machine"
        )
    return found[:workers]


def unused_gpus(device: str) -> str | None:
    """A line for a run in one process on a machine with several GPUs, of which `auto` takes one."""
    count = torch.cuda.device_count()
    if device != "auto" or count < 2:
        return None
    return f"this machine has {count} GPUs and the run uses one of them: --workers auto plays on all (docs/machines.md)"


def counted(count: float, noun: str) -> str:
    """A number of things: `1 worker`, `3 workers`."""
    return f"{count:g} {noun}{'' if count == 1 else 's'}"


def where_to_play(ray: str | None, workers: str | None, *, device: str) -> tuple[str | None, int | None]:
    """The cluster to play on, and the number of workers there, as `--ray` and `--workers` ask for them.

    Args:
        ray: `auto`, `local` or HOST:PORT; None for no cluster.
        workers: `auto` for all places, or a number. `auto` without a cluster starts Ray on a machine with several GPUs.
        device: as given.

    Returns:
        The cluster, None to play in this process; and the number of workers, None for all places.

    Raises:
        ConfigError: the number is none, or stands without a cluster.
    """
    if workers is None or workers == "auto":
        several = workers == "auto" and device in ("auto", "cuda") and torch.cuda.device_count() > 1
        return ray or ("local" if several else None), None
    if not workers.isdecimal() or int(workers) < 1:
        raise ConfigError(f"--workers {workers}: should be auto or a number of at least 1")
    if ray is None:
        raise ConfigError(f"--workers {workers} needs --ray auto, local or HOST:PORT")
    return ray, int(workers)
