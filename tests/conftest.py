"""What all tests share: one thread for PyTorch, Ctrl-C, the golden files' option, and hypothesis' settings."""

import os
import pathlib
import signal

import hypothesis
import pytest

# Networks of tests are tiny: more threads would only wait for each other. Set before torch loads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Where a shell starts the tests in the background it is ignored, and tests send it to themselves and to others.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A shared machine can stall for longer than any deadline; a slow example is no failure.
hypothesis.settings.register_profile("blob-zero", deadline=None)
hypothesis.settings.load_profile("blob-zero")

# No test can cut the power, and flushing takes most of the time of a small run. That runs flush is checked by
# support.disk_faults, which counts these calls.
os.fsync = lambda _: None

GOLDEN = pathlib.Path(__file__).parent / "golden"


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden from what the engine does now")


@pytest.fixture
def golden(request):
    """Compares text with a golden file, or rewrites the file under --update-golden."""

    def compare(name, text):
        path = GOLDEN / f"{name}.txt"
        if request.config.getoption("--update-golden"):
            GOLDEN.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing: write it with --update-golden"
        assert text == path.read_text(encoding="utf-8")

    return compare
