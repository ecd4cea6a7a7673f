"""Options that say where a command computes: the device, and the machines of a cluster."""

from typing import Annotated

import typer

Device = Annotated[
    str, typer.Option(help="auto (a GPU if there is one), cpu, cuda or cuda:N. Never replaced by another.")
]

Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="WHERE",
        help="Play on a Ray cluster: auto (the one of this machine), HOST:PORT of its head, or local, which starts Ray "
        "here.",
    ),
]

Workers = Annotated[
    str | None,
    typer.Option(
        metavar="auto|N",
        help="Workers: auto (the default with --ray) is one for each GPU of the cluster, or for each machine if it has "
        "none. auto without --ray plays on all GPUs of this machine.",
    ),
]


def cluster_of(ray: str | None, workers: str | None, *, device: str) -> tuple[str | None, int | None]:
    """The cluster to play on, None for this process, and the number of workers, None for all.

    Raises:
        ConfigError: the options do not fit each other.
    """
    if ray is None and workers is None:
        return None, None  # without importing PyTorch
    from blob_zero.cluster.places import where_to_play

    return where_to_play(ray, workers, device=device)
