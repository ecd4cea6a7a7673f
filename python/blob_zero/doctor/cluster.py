"""The machines of a Ray cluster: who they are, whether they agree, and the workers of a run on them."""

from collections.abc import Iterator, Sequence

from blob_zero.cluster.agreement import differences_among, kinds_of_gpu
from blob_zero.cluster.places import counted
from blob_zero.cluster.survey import Machine, Survey, survey
from blob_zero.doctor.findings import Finding
from blob_zero.doctor.known import Known
from blob_zero.errors import BlobError, MissingPackageError


def check_cluster(known: Known) -> Iterator[Finding]:
    """Asks each machine of the cluster that the request names; nothing if it names none."""
    request = known.request
    if request.cluster is None:
        return
    try:
        found = survey(request.cluster, device=request.device, workers=request.workers)
    except MissingPackageError as error:
        what, _, remedy = str(error).rpartition(": ")
        yield Finding("cluster", "failure", what, remedy)
        return
    except BlobError as error:
        remedy = (
            "start it (docs/machines.md), name the HOST:PORT of its head, or ask for fewer workers or another --device"
        )
        yield Finding("cluster", "failure", str(error), remedy)
        return
    yield _cluster(found)
    for machine in found.machines:
        yield _machine(machine)
    yield from _agreement(found)
    yield _workers(found, asked=request.workers)


def _cluster(found: Survey) -> Finding:
    machines = len(found.machines)
    cpus, gpus = sum(machine.cpus for machine in found.machines), sum(machine.gpus for machine in found.machines)
    return Finding(
        "cluster",
        "ok",
        f"Ray {found.ray}, {counted(machines, 'machine')}, {counted(cpus, 'CPU')}, {counted(gpus, 'GPU')}",
        figures={"ray": found.ray, "machines": machines, "cpus": cpus, "gpus": gpus},
    )


def _machine(machine: Machine) -> Finding:
    has = f"{counted(machine.cpus, 'CPU')}, {counted(machine.gpus, 'GPU')}"
    figures = {"cpus": machine.cpus, "gpus": machine.gpus, "workers": len(machine.workers)}
    broken = [worker for worker in machine.workers if isinstance(worker, str)]
    if broken:
        remedy = "install blob-zero[ray] of this version there, and end what else uses its CPUs or GPUs"
        return Finding(machine.address, "failure", f"{has}; {'; '.join(broken)}", remedy, figures)
    if not machine.workers:
        return Finding(machine.address, "ok", f"{has}, no worker", figures=figures)
    (one, *_) = [worker for worker in machine.workers if not isinstance(worker, str)]
    kind = one["gpu"] or one["cpu_features"]
    return Finding(
        machine.address,
        "ok",
        f"{has}, {counted(len(machine.workers), 'worker')}; {kind}, {one['dtype']}, blob-zero {one['version']}, "
        f"core {one['core']}, torch {one['torch']}",
        figures={**figures, **{name: str(value) for name, value in one.items()}},
    )


def _agreement(found: Survey) -> Iterator[Finding]:
    differences = differences_among(found.found)
    if differences:
        remedy = "give all machines the same installation, on CPUs of one kind; a run on this cluster is refused"
        yield Finding("agreement", "failure", "; ".join(differences), remedy, {"different": len(differences)})
    elif found.found:
        yield Finding("agreement", "ok", "all workers and this process have the same version, core and PyTorch")
    kinds = kinds_of_gpu(found.found)
    if kinds is not None:
        yield Finding("kinds of GPU", "warning", kinds, "use GPUs of one kind if runs should repeat byte for byte")


def _workers(found: Survey, *, asked: int | None) -> Finding:
    count = len(found.places)
    gpus = sum(place.gpus for place in found.places)
    threads = sorted({int(place.cpus) for place in found.places})
    each = "one for each GPU" if gpus else "one for each machine with CPUs"
    option = "auto takes all places" if asked is None else str(asked)
    return Finding(
        "workers",
        "ok",
        f"--workers {option}: {counted(count, 'worker')}, {each}, with {_listed(threads)} search threads",
        figures={"workers": count, "device": "cuda" if gpus else "cpu"},
    )


def _listed(threads: Sequence[int]) -> str:
    return " or ".join(str(number) if number else "all" for number in threads)
