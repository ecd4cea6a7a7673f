"""`blob-zero doctor`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from blob_zero.cli.place_options import Device, Ray, Workers, cluster_of


def doctor(
    run_dir: Annotated[Path | None, typer.Option(help="Folder of the run. (default: runs/NAME)")] = None,
    preset: Annotated[
        str | None, typer.Option(help="A preset. (default: the settings of the run in the folder, or reference)")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file with settings, instead of a preset.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one setting; may be given many times."),
    ] = None,
    device: Device = "auto",
    ray: Ray = None,
    workers: Workers = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else to standard output.")] = False,
) -> None:
    """Check whether a run will work on this machine, and list what it would use.

    Versions, cores, memory, device, precision, a few rounds of self-play,
    disk, and what the run's folder holds; with --ray also the machines of the
    cluster, and whether they agree. Every warning and failure names
    its remedy; the exit status is 1 if there is a failure.
    """
    from blob_zero.doctor import Request, examine
    from blob_zero.doctor.screen import show

    cluster, count = cluster_of(ray, workers, device=device)
    request = Request(
        run_dir=run_dir,
        preset=preset,
        config=config,
        device=device,
        changes=tuple(set_ or ()),
        cluster=cluster,
        workers=count,
    )
    with Console(stderr=True).status("") as status:
        diagnosis = examine(request, notice=status.update)
    if json:
        typer.echo(diagnosis.to_json())
    else:
        show(diagnosis, Console())
    if not diagnosis.healthy:
        raise typer.Exit(1)
