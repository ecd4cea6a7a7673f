"""`blob-zero export`: a run's network in the format of other programs."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def export(
    run: Annotated[Path, typer.Argument(help="A run, a checkpoint or a weights file.")],
    onnx: Annotated[Path, typer.Option(metavar="FILE", help="The ONNX file to write.")],
) -> None:
    """Write a network as an ONNX file, checked by onnxruntime against PyTorch.

    It maps features (rows x 256, float32) and legal actions (rows x 52,
    bool) to a policy (rows x 52) and values (rows x 8). Searches and the
    arena take the file in place of a run.
    """
    from blob_zero.arena.entrant import trained_search
    from blob_zero.run.checkpoint import load_network
    from blob_zero.run.onnx_export import TOLERANCE, export_onnx

    off = export_onnx(load_network(run), onnx, search=trained_search(run))
    text = f"{onnx}: onnxruntime and PyTorch differ by {off:.1e} at most (allowed: {TOLERANCE:.0e})"
    Console().print(text, highlight=False, soft_wrap=True)
