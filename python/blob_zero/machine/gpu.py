"""How busy a GPU is, as NVIDIA's driver reports it."""

from collections.abc import Callable


def gpu_meter(device: str) -> Callable[[], float] | None:
    """A function that returns the use of a GPU over the last moment, 0 to 1.

    Use is the share of time in which any kernel runs. None where the device is not a GPU, or where nvidia-ml-py or
    the driver do not report it.
    """
    if not device.startswith("cuda"):
        return None
    import torch

    where = torch.device(device)
    try:
        torch.cuda.utilization(where)
    except Exception:  # no nvidia-ml-py, no driver, or a GPU that does not report: each has an error of its own
        return None
    return lambda: torch.cuda.utilization(where) / 100
