import numpy as np
import pytest
import torch
from support.examinations import failures, findings_of, run_doctor
from support.training_fakes import SilentDisplay, small_config

from blob_zero.config.load import to_toml
from blob_zero.doctor.needs import Needs
from blob_zero.inference.host_lane import HostLane
from blob_zero.inference.inference import Inference
from blob_zero.learning.loop import train


def test_outputs_that_are_not_finite_are_a_failure(monkeypatch, capsys, tmp_path, settings):
    honest = HostLane.evaluate

    def broken(self, batch, *, locked):
        honest(self, batch, locked=locked)
        batch.values[0, 0] = np.nan

    original = Inference.__init__

    def only_as_the_run_has_it(self, *args, **kwargs):
        original(self, *args, **kwargs)
        if kwargs.get("dtype") != "fp32":
            monkeypatch.setattr(HostLane, "evaluate", broken)

    monkeypatch.setattr(Inference, "__init__", only_as_the_run_has_it)
    arguments = ("--config", settings, "--run-dir", tmp_path / "run", "--device", "cpu")
    status, found = run_doctor(monkeypatch, capsys, *arguments)
    assert status == 1
    assert failures(found) == {("network", "precision"), ("network", "self-play")}
    assert "not finite in 1 of 16 rows" in found["network", "precision"].found
    assert "not finite" in found["network", "self-play"].found


@pytest.mark.parametrize(("off", "failed"), [(0.0, False), (0.05, True)])
def test_a_precision_that_is_off_is_a_failure(monkeypatch, capsys, tmp_path, settings, off, failed):
    class Off(Inference):
        def evaluate_batch(self, features, legal):
            policy, values = super().evaluate_batch(features, legal)
            return policy, values + np.float32(off if self.dtype != torch.float32 else 0)

    monkeypatch.setattr("blob_zero.doctor.network.Inference", Off)
    text = settings.read_text()
    settings.write_text(text.replace('dtype = "auto"', 'dtype = "bf16"'))
    arguments = ("--config", settings, "--run-dir", tmp_path / "run", "--device", "cpu")
    status, found = run_doctor(monkeypatch, capsys, *arguments)
    assert (status == 1) == failed
    assert (("network", "precision") in failures(found)) == failed
    assert found["network", "precision"].figures["values"] == pytest.approx(off, abs=0.02)


def test_a_fold_that_is_off_is_a_failure(monkeypatch, tmp_path, settings):
    class Off(Inference):
        def evaluate_batch(self, features, legal):
            policy, values = super().evaluate_batch(features, legal)
            return policy, values + np.float32(1e-4 if "folded" in self.form else 0)

    monkeypatch.setattr("blob_zero.doctor.network.Inference", Off)
    found = findings_of(config=settings, run_dir=tmp_path / "run", device="cpu")
    assert found["network", "folding"].mark == "failure"
    assert "should be 1e-05" in found["network", "folding"].found


def test_a_network_that_cannot_be_compiled_is_a_warning(monkeypatch, tmp_path, settings):
    from torch._inductor.exc import InvalidCxxCompiler

    def no_compiler():
        raise InvalidCxxCompiler

    monkeypatch.setattr("blob_zero.inference.forward._compiled_answer", no_compiler)
    settings.write_text(settings.read_text().replace('compile = "auto"', "compile = true"))
    found = findings_of(config=settings, run_dir=tmp_path / "run", device="cpu")
    assert found["network", "compilation"].mark == "warning"
    assert "C++ compiler" in found["network", "compilation"].found
    assert found["network", "self-play"].mark == "ok"


def test_a_batch_too_large_for_the_memory_is_a_warning_of_its_own(monkeypatch, tmp_path, settings):
    forward, calls = HostLane.evaluate, []

    def short_once(self, batch, *, locked):
        calls.append(len(batch.features))
        if len(calls) == 3:  # after the plain network and the folded one
            raise torch.OutOfMemoryError("CUDA out of memory")
        forward(self, batch, locked=locked)

    monkeypatch.setattr(HostLane, "evaluate", short_once)
    found = findings_of(config=settings, run_dir=tmp_path / "run", device="cpu")
    assert found["network", "memory"].mark == "warning"
    assert "rows at a time" in found["network", "memory"].found
    assert ("network", "compilation") not in found


def test_a_run_without_search_is_examined_with_its_own_network(monkeypatch, capsys, tmp_path):
    path = tmp_path / "policy.toml"
    config = small_config(
        game={"players": 3, "cards": 2},
        selfplay={"agent": "policy", "batch_rows": 16},
        network={"kind": "outcome", "width": 16, "layers": 2},
    )
    path.write_text(to_toml(config))
    status, found = run_doctor(monkeypatch, capsys, "--config", path, "--run-dir", tmp_path / "run", "--device", "cpu")
    assert (status, failures(found)) == (0, set())
    assert "without search, by" in found["use", "self-play"].found
    assert found["network", "self-play"].figures["rows"] > 16
    assert found["network", "precision"].figures["policy"] < 0.2
    assert ("network", "folding") not in found


def test_needs_of_a_run_without_search_hold_for_a_real_one(tmp_path):
    config = small_config(
        selfplay={"agent": "policy", "rounds": 2000, "batch_rows": 256},
        network={"kind": "outcome", "width": 16, "layers": 1},
        training={"replay_rows": 100_000, "batch_size": 1024},
        evaluation={"deals": 2, "final_deals": 2, "opponents": ["random"]},
        run={"iterations": 2},
    )
    train(config, tmp_path, display=SilentDisplay(), device="cpu")
    needs = Needs(config, device=torch.device("cpu"))
    replay = sum(file.stat().st_size for file in (tmp_path / "replay").iterdir())
    assert replay <= needs.memory["replay ring"] < 10 * replay
    assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) < needs.disk
