"""What a cluster is made of, asked of each of its machines."""

from collections.abc import Sequence
from dataclasses import dataclass

from blob_zero.cluster.agreement import Identity
from blob_zero.cluster.places import Place, chosen_places
from blob_zero.cluster.ray_nodes import connected, identities


@dataclass(frozen=True)
class Machine:
    """A machine of the cluster.

    Attributes:
        address: its network address.
        cpus: CPUs that it has for Ray's use.
        gpus: GPUs likewise.
        workers: identities of the workers there; a line on what is wrong where one does not start.
    """

    address: str
    cpus: float
    gpus: int
    workers: tuple[Identity | str, ...]


@dataclass(frozen=True)
class Survey:
    """A cluster, and the workers of a run on it."""

    ray: str
    """Ray's version."""
    machines: tuple[Machine, ...]
    places: tuple[Place, ...]
    """Where the workers run."""

    @property
    def found(self) -> list[Identity]:
        """The workers that start."""
        return [worker for machine in self.machines for worker in machine.workers if not isinstance(worker, str)]

    @property
    def problems(self) -> list[str]:
        """A line for each worker that does not start."""
        return [worker for machine in self.machines for worker in machine.workers if isinstance(worker, str)]


def survey(where: str, *, device: str, workers: int | None) -> Survey:
    """Connects to a cluster and starts a worker at each place of a run; see `ray_nodes` for the arguments.

    Raises:
        BlobError: there is no such cluster, or no place for that many workers.
    """
    with connected(where) as ray:
        nodes = [node for node in ray.nodes() if node["Alive"]]
        chosen = chosen_places(nodes, device=device, workers=workers)
        answers = identities(chosen)
        machines = tuple(
            Machine(
                address=node["NodeManagerAddress"],
                cpus=node["Resources"].get("CPU", 0),
                gpus=int(node["Resources"].get("GPU", 0)),
                workers=_at(node["NodeID"], chosen, answers),
            )
            for node in nodes
        )
        return Survey(ray.__version__, machines, tuple(chosen))


def _at(node: str, chosen: Sequence[Place], answers: Sequence[Identity | str]) -> tuple[Identity | str, ...]:
    return tuple(answer for place, answer in zip(chosen, answers, strict=True) if place.node == node)
