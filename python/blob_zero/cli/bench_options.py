"""Options that several `bench` commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Players = Annotated[int, typer.Option(help="Seats, 3 to 8.")]
Cards = Annotated[int, typer.Option(help="Cards dealt to each, 1 to 13.")]
Agent = Annotated[
    Literal["search", "policy"],
    typer.Option(help="policy plays without search, by a network that judges outcomes.", show_choices=True),
]
Search = Annotated[str, typer.Option(metavar="WxS", help="Worlds x simulations in each.")]
Rounds = Annotated[int, typer.Option(help="Rounds to play.")]
Device = Annotated[str, typer.Option(help="auto (a GPU if there is one), cpu, cuda or cuda:N.")]
Threads = Annotated[
    int | None, typer.Option(help="Threads of the search, and on a CPU of the network. (default: one for each core)")
]
BatchRows = Annotated[
    int | None,
    typer.Option(help="Rows of a batch. (default: 2048 on a CPU, 4096 on a GPU, 1024 without a network)"),
]
InFlight = Annotated[int | None, typer.Option(help="Rounds in progress at once. (default: enough to fill the batches)")]
CacheEntries = Annotated[
    int | None, typer.Option(help="Evaluations that a round remembers, 0 for none. (default: enough for one decision)")
]
Network = Annotated[
    Path | None,
    typer.Option(
        "--net", help="A run or checkpoint. (default: untrained; full BlobNet, or with --agent policy quick's)"
    ),
]
Evaluator = Annotated[
    Literal["network", "null"], typer.Option(help="null returns at once and computes nothing.", show_choices=True)
]
Dtype = Annotated[Literal["auto", "fp32", "bf16", "fp16"], typer.Option(help="Number format of the network.")]
Compile = Annotated[
    bool | None,
    typer.Option(
        "--compile/--no-compile", help="Whether the network is compiled. (default: on a GPU)", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else to standard output.")]
Out = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the rows to FILE.parquet, FILE.csv or FILE.json.")
]
