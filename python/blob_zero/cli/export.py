"""`blob-zero export`: a run's network as one file."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def export(
    run: Annotated[Path, typer.Argument(help="A run, a checkpoint or a weights file.")],
    onnx: Annotated[Path | None, typer.Option(metavar="FILE", help="The ONNX file to write.")] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The .safetensors file to write, in half precision.")
    ] = None,
) -> None:
    """Write a network as an ONNX file, or as a small file of weights.

    The ONNX file is checked by onnxruntime against PyTorch. It maps
    features (rows x 256, float32) and legal actions (rows x 52, bool) to a
    policy (rows x 52) and values (rows x 8). Searches and the arena take
    either file in place of a run.
    """
    from blob_zero.arena.entrant import trained_search
    from blob_zero.run.weights_file import load_network, write_weights

    if onnx is None and weights is None:
        raise typer.BadParameter("give --onnx FILE, --weights FILE or both")
    if weights is not None:
        write_weights(run, weights)
        Console().print(f"{weights}, and its lineage beside it", highlight=False, soft_wrap=True)
    if onnx is None:
        return
    from blob_zero.run.onnx_export import TOLERANCE, export_onnx

    off = export_onnx(load_network(run), onnx, search=trained_search(run))
    text = f"{onnx}: onnxruntime and PyTorch differ by {off:.1e} at most (allowed: {TOLERANCE:.0e})"
    Console().print(text, highlight=False, soft_wrap=True)
