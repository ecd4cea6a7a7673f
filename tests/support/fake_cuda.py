"""A machine with two GPUs, played by the CPU, that checks CUDA's rules about devices, streams and graphs.

Work runs at once. What a graph captures does not run until it is replayed, and then on the same memory: a number that
was read in Python while capturing stays what it was.
"""

import threading
from contextlib import contextmanager

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def _tensors(*values):
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]


class FakeStream:
    """A stream of the device that was current when it was made."""

    def __init__(self, cuda, device=None):
        self.cuda = cuda
        self.device_index = cuda.current if device is None else torch.device(device).index
        self.number = len(cuda.streams)
        cuda.streams.append(self)

    def wait_event(self, event):
        assert event.recorded_on is not None, "waits for an event that was not recorded"
        self.cuda.log.append(f"{self.number} waits for {event.recorded_on.number}")

    def wait_stream(self, other):
        self.cuda.log.append(f"{self.number} waits for {other.number}")

    def synchronize(self):
        self.cuda.log.append(f"host waits for {self.number}")


class FakeEvent:
    """An event that remembers the stream it was recorded on."""

    def __init__(self, cuda, blocking):
        assert blocking, "a waiting thread would keep its core busy"
        self.cuda = cuda
        self.recorded_on = None
        cuda.events.append(self)

    def record(self, stream):
        assert self.cuda.current == stream.device_index, "an event is recorded on another device's stream"
        self.recorded_on = stream

    def synchronize(self):
        self.cuda.log.append(f"host waits for {self.recorded_on.number}")


class FakeGraph(TorchDispatchMode):
    """The operations that were captured, and the memory that they were captured on."""

    def __init__(self, cuda):
        super().__init__()
        self.cuda = cuda
        self.operations = []
        self.before = {}
        cuda.graphs.append(self)

    def __torch_dispatch__(self, function, _types, args=(), kwargs=None):
        for tensor in _tensors(args, kwargs):
            storage = tensor.untyped_storage()
            self.before.setdefault(storage.data_ptr(), (storage, storage.clone()))
        result = function(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            self.before.setdefault(storage.data_ptr(), (storage, None))
        self.operations.append((function, args, kwargs or {}, result))
        return result

    def captured(self):
        """Undo what the capture computed: on a GPU it computes nothing."""
        for storage, content in self.before.values():
            if content is not None:
                storage.copy_(content)
        self.before = {}

    def replay(self):
        stream = self.cuda.current_stream()
        assert stream.device_index == self.device, "a graph is replayed on another device"
        self.cuda.log.append(f"replay on {stream.number}")
        with torch.no_grad():
            for function, args, kwargs, result in self.operations:
                again = function(*args, **kwargs)
                for old, new in zip(_tensors(result), _tensors(again), strict=True):
                    if old.data_ptr() != new.data_ptr():
                        old.detach().copy_(new)


class FakeRuntime:
    """CUDA's calls for page-locking memory, which refuse what CUDA refuses."""

    ALREADY_REGISTERED, NOT_REGISTERED = 712, 713

    def __init__(self):
        self.locked = {}
        self.calls = []
        self.refusal = 0

    def cudaHostRegister(self, address, nbytes, _flags):  # noqa: N802 - CUDA's name
        self.calls.append(("lock", address))
        if self.refusal:
            return self.refusal
        if any(address < start + size and start < address + nbytes for start, size in self.locked.items()):
            return self.ALREADY_REGISTERED
        self.locked[address] = nbytes
        return 0

    def cudaHostUnregister(self, address):  # noqa: N802 - CUDA's name
        self.calls.append(("unlock", address))
        return self.NOT_REGISTERED if self.locked.pop(address, None) is None else 0

    def holds(self, array):
        """Whether an array lies in locked memory."""
        start = array.ctypes.data
        return any(first <= start and start + array.nbytes <= first + size for first, size in self.locked.items())


class FakeCuda(TorchFunctionMode):
    """Stands in for `torch.cuda`, and within its context tensors of its devices can be made."""

    def __init__(self):
        super().__init__()
        self.streams, self.events, self.graphs, self.pools, self.log = [], [], [], [], []
        self.threads = threading.local()
        self.capturing = False
        self.runtime = FakeRuntime()
        self.default = [FakeStream(self, f"cuda:{k}") for k in range(2)]

    def __torch_function__(self, function, _types, args=(), kwargs=None):
        def here(value):
            if isinstance(value, torch.device) and value.type == "cuda":
                return torch.device("cpu")
            return "cpu" if isinstance(value, str) and value.startswith("cuda") else value

        if function is torch.device:
            return function(*args, **(kwargs or {}))
        kwargs = {name: here(value) for name, value in (kwargs or {}).items() if name != "pin_memory"}
        return function(*map(here, args), **kwargs)

    @property
    def current(self):
        return getattr(self.threads, "device", 0)

    def current_stream(self, device=None):
        index = self.current if device is None else torch.device(device).index
        stream = getattr(self.threads, "stream", None)
        return stream if stream is not None and stream.device_index == index else self.default[index]

    @contextmanager
    def device(self, device):
        before, self.threads.device = self.current, torch.device(device).index
        try:
            yield
        finally:
            self.threads.device = before

    @contextmanager
    def stream(self, stream):
        before = getattr(self.threads, "stream", None), self.current
        self.threads.stream, self.threads.device = stream, stream.device_index
        try:
            yield
        finally:
            self.threads.stream, self.threads.device = before

    @contextmanager
    def graph(self, graph, pool=None, stream=None, capture_error_mode="global"):
        assert self.current == stream.device_index, "a graph is captured while another device is current"
        assert capture_error_mode == "thread_local", "other threads' work would end the capture"
        self.pools.append(pool)
        self.log.append(f"capture on {stream.number}")
        graph.device, self.capturing = stream.device_index, True
        try:
            with self.stream(stream), graph:
                yield
        finally:
            self.capturing = False
        graph.captured()

    def install(self, monkeypatch):
        def silent(*_args, **_kwargs):
            return 0

        for name, value in {
            "is_available": lambda: True,
            "device_count": lambda: 2,
            "get_device_name": lambda *_: "a fake",
            "is_bf16_supported": lambda **_: True,
            "current_device": lambda: self.current,
            "current_stream": self.current_stream,
            "device": self.device,
            "stream": self.stream,
            "graph": self.graph,
            "Stream": lambda device=None: FakeStream(self, device),
            "Event": lambda blocking=False: FakeEvent(self, blocking),
            "CUDAGraph": lambda: FakeGraph(self),
            "graph_pool_handle": object,
            "is_current_stream_capturing": lambda: self.capturing,
            "synchronize": lambda device=None: self.log.append(f"host waits for device {torch.device(device).index}"),
            "cudart": lambda: self.runtime,
            "empty_cache": lambda: self.log.append("memory freed"),
            "memory_allocated": silent,
            "max_memory_allocated": silent,
            "reset_peak_memory_stats": silent,
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)
        monkeypatch.setattr("blob_zero.inference.gpu._gpus", {})


@pytest.fixture
def fake_cuda(monkeypatch):
    """Two GPUs for the length of a test, on its own thread."""
    cuda = FakeCuda()
    cuda.install(monkeypatch)
    with cuda:
        yield cuda
