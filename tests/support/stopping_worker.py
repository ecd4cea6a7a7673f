"""A worker that is interrupted, as by Ctrl-C, when it has played some iterations."""

from blob_zero.selfplay.worker import LocalWorker


class StoppingWorker(LocalWorker):
    """Plays `calls` iterations, and is interrupted in the next."""

    def __init__(self, config, *, calls):
        super().__init__(config, device="cpu")
        self.left = calls

    def play(self, net, rounds, *, progress=None):
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        return super().play(net, rounds, progress=progress)
