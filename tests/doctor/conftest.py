import pytest
import torch
from support.examinations import CONFIG
from support.training_fakes import FakeJudge, FakeWorker, SilentDisplay

from blob_zero.config.load import to_toml
from blob_zero.learning.loop import train


@pytest.fixture(autouse=True)
def _torch_as_it_was():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(to_toml(CONFIG))
    return path


@pytest.fixture
def finished(tmp_path):
    """The folder of a finished run, played and judged by stand-ins."""
    folder = tmp_path / "run"
    train(CONFIG, folder, display=SilentDisplay(), device="cpu", worker=FakeWorker(), judge=FakeJudge())
    return folder
