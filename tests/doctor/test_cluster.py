"""The section of a cluster, over surveys that machines might answer with."""

import importlib

import pytest
import torch
from support.examinations import run_doctor

from blob_zero.cluster.agreement import identity
from blob_zero.cluster.places import Place
from blob_zero.cluster.survey import Machine, Survey
from blob_zero.doctor.cluster import check_cluster
from blob_zero.doctor.known import Known, Request
from blob_zero.errors import ClusterError, ConfigError, MissingPackageError


def hello(node, **changes):
    return {**identity(node, torch.device("cpu")), **changes}


def gpu(node, name):
    return hello(node, device="cuda", gpu=name, dtype="fp16")


def machine(address, *workers, cpus=8.0, gpus=0):
    return Machine(address, cpus, gpus, workers)


def surveyed(*machines):
    places = [
        Place(one.address, one.address, one.cpus // max(one.gpus, 1), min(one.gpus, 1))
        for one in machines
        for _ in one.workers
    ]
    return Survey("2.60.0", tuple(machines), tuple(places))


def findings(monkeypatch, answer, **request):
    def survey(where, *, device, workers):
        del device, workers
        assert where == "10.0.0.1:6379"
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(importlib.import_module("blob_zero.doctor.cluster"), "survey", survey)
    found = check_cluster(Known(Request(cluster="10.0.0.1:6379", **request)))
    return {finding.check: finding for finding in found}


def test_machines_are_listed_with_what_they_have_and_who_works_there(monkeypatch):
    found = findings(
        monkeypatch,
        surveyed(machine("head", cpus=0.0), machine("a", hello("a")), machine("b", hello("b"), cpus=4.0)),
    )
    assert {finding.mark for finding in found.values()} == {"ok"}
    assert found["cluster"].found == "Ray 2.60.0, 3 machines, 12 CPUs, 0 GPUs"
    assert found["head"].found == "0 CPUs, 0 GPUs, no worker"
    here = identity("a", torch.device("cpu"))
    assert found["a"].found.startswith("8 CPUs, 0 GPUs, 1 worker; ")
    for part in (here["cpu_features"], here["version"], here["core"], here["torch"]):
        assert part in found["a"].found
    assert found["workers"].found == (
        "--workers auto takes all places: 2 workers, one for each machine with CPUs, with 4 or 8 search threads"
    )
    assert found["workers"].figures["workers"] == 2


def test_machines_that_differ_are_a_failure_that_names_each(monkeypatch):
    found = findings(
        monkeypatch,
        surveyed(machine("a", hello("a")), machine("b", hello("b", core="0")), machine("c", hello("c", torch="1.0"))),
    )
    assert found["agreement"].mark == "failure"
    assert "the worker on b differs from this process: core '0'" in found["agreement"].found
    assert "the worker on c differs from this process: torch '1.0'" in found["agreement"].found
    assert "same installation" in found["agreement"].remedy


def test_a_machine_whose_worker_does_not_start_is_a_failure_of_its_own(monkeypatch):
    problem = "the worker on b fails: ModuleNotFoundError: No module named 'blob_zero'"
    found = findings(monkeypatch, surveyed(machine("a", hello("a")), machine("b", problem)))
    assert (found["a"].mark, found["b"].mark, found["agreement"].mark) == ("ok", "failure", "ok")
    assert problem in found["b"].found
    assert "install blob-zero[ray]" in found["b"].remedy


def test_gpus_are_workers_and_several_kinds_are_a_warning(monkeypatch):
    four = machine("a", *[gpu("a", "NVIDIA L4")] * 4, cpus=64.0, gpus=4)
    found = findings(monkeypatch, surveyed(four), workers=4)
    assert "64 CPUs, 4 GPUs, 4 workers; NVIDIA L4, fp16" in found["a"].found
    assert found["workers"].found == "--workers 4: 4 workers, one for each GPU, with 16 search threads"
    assert "kinds of GPU" not in found
    mixed = findings(monkeypatch, surveyed(four, machine("b", gpu("b", "NVIDIA H200"), gpus=1)))
    assert mixed["kinds of GPU"].mark == "warning"
    assert "NVIDIA H200, NVIDIA L4" in mixed["kinds of GPU"].found


@pytest.mark.parametrize(
    ("error", "found_words", "remedy"),
    [
        (ClusterError("cannot reach a Ray cluster at '10.0.0.1:6379'"), "cannot reach", "docs/machines.md"),
        (ConfigError("9 workers were asked for; the cluster has 2 places"), "2 places", "fewer workers"),
        (MissingPackageError.of("--ray", "ray", extra="ray"), "not installed", "pip install 'blob-zero[ray]'"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_one_failure_with_its_remedy(monkeypatch, error, found_words, remedy):
    found = findings(monkeypatch, error)
    assert list(found) == ["cluster"]
    assert found["cluster"].mark == "failure"
    assert found_words in found["cluster"].found
    assert remedy in found["cluster"].remedy


def test_the_command_examines_the_cluster_that_it_is_given(monkeypatch, capsys, tmp_path, settings):
    asked = []

    def survey(where, *, device, workers):
        asked.append((where, device, workers))
        raise ClusterError("cannot reach it")

    monkeypatch.setattr(importlib.import_module("blob_zero.doctor.cluster"), "survey", survey)
    arguments = ("--config", settings, "--run-dir", tmp_path / "run", "--device", "cpu")
    status, found = run_doctor(monkeypatch, capsys, *arguments, "--ray", "10.0.0.1:6379", "--workers", "3")
    assert (status, found["cluster", "cluster"].found) == (1, "cannot reach it")
    assert asked == [("10.0.0.1:6379", "cpu", 3)]
