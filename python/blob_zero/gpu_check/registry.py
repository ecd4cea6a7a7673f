"""All checks in the order in which they run: what is most worth knowing comes first."""

from collections.abc import Callable
from dataclasses import dataclass

from blob_zero.bench.tables import Measurement
from blob_zero.gpu_check.place import Place


@dataclass(frozen=True)
class Check:
    """A check.

    Attributes:
        name: of the check, and on the command line.
        part: `checks`, `bench` or `training`.
        seconds: the longest it may take on a GPU.
        run: does it; returns figures, and raises where something is wrong.
        needs_gpu: whether a CPU cannot run it.
    """

    name: str
    part: str
    seconds: int
    run: Callable[[Place], Measurement | list[Measurement]]
    needs_gpu: bool = False


def all_checks() -> list[Check]:
    """Every check; PyTorch is imported here."""
    from functools import partial

    from blob_zero.gpu_check import inference_checks, speed_checks, training_checks

    return [
        *(
            Check(f"inference in {dtype}", "checks", 90, partial(inference_checks.precision, dtype=dtype))
            for dtype in ("fp16", "bf16", "fp32")
        ),
        *(
            Check(f"training in {dtype}", "checks", 120, partial(training_checks.precision, dtype=dtype))
            for dtype in ("bf16", "fp16", "fp32")
        ),
        Check("outcomes", "checks", 120, inference_checks.outcomes),
        Check("learning outcomes", "checks", 150, training_checks.outcomes),
        Check("forms of inference", "checks", 90, inference_checks.forms),
        Check("batches in place", "checks", 60, inference_checks.in_place),
        Check("new weights under graphs", "checks", 60, inference_checks.reload),
        Check("every device", "checks", 60, inference_checks.every_device),
        Check("memory short in capture", "checks", 60, inference_checks.short_memory, needs_gpu=True),
        Check("memory short in a step", "checks", 60, training_checks.short_memory, needs_gpu=True),
        Check("ten shapes", "checks", 120, inference_checks.ten_shapes),
        Check("a run continued", "checks", 90, partial(training_checks.continued, agent="search")),
        Check("a run without search continued", "checks", 60, partial(training_checks.continued, agent="policy")),
        Check("bench inference", "bench", 120, speed_checks.inference),
        *(
            Check(f"bench selfplay, {rows:,} rows", "bench", 60, partial(speed_checks.selfplay, rows=rows))
            for rows in (4096, 8192, 16_384, 32_768, 65_536)
        ),
        *(
            Check(f"bench train, {rows:,} rows", "bench", 90, partial(speed_checks.training, rows=rows))
            for rows in (2048, 8192)
        ),
        Check("bench selfplay without search", "bench", 60, speed_checks.selfplay_without_search),
        Check("bench train, outcomes", "bench", 60, speed_checks.training_of_outcomes),
        Check("bench iteration", "bench", 120, speed_checks.iteration),
        Check("bench compare", "bench", 90, speed_checks.compare),
        Check("training, five minutes", "training", 330, speed_checks.run),
    ]
