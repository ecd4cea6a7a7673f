"""Workers that would not play the same bytes are refused by name; places follow the cluster's resources."""

import pytest
import torch

from blob_zero.cluster.agreement import check_alike, differences_among, identity, kinds_of_gpu
from blob_zero.cluster.places import chosen_places, places, unused_gpus, where_to_play
from blob_zero.errors import ClusterError, ConfigError


def worker(node, **changes):
    return {**identity(node, torch.device("cpu")), **changes}


def test_equal_workers_are_accepted():
    check_alike([worker("10.0.0.1"), worker("10.0.0.2")])


@pytest.mark.parametrize("what", ["version", "core", "torch", "cpu_features", "dtype"])
def test_a_worker_that_differs_is_named_with_what_differs(what):
    with pytest.raises(ClusterError, match=rf"10\.0\.0\.2 differs from this process: {what} 'other' and not"):
        check_alike([worker("10.0.0.1"), worker("10.0.0.2", **{what: "other"})])


def test_workers_on_gpus_may_have_other_cpus_but_no_other_version():
    check_alike([worker("10.0.0.1", device="cuda", cpu_features="other", dtype="fp16")])
    with pytest.raises(ClusterError, match="version"):
        check_alike([worker("10.0.0.1", device="cuda", version="0")])


def test_each_worker_that_differs_has_a_line():
    found = [worker(f"10.0.0.{k}") for k in range(4)]
    found[1]["torch"], found[3]["core"] = "1.0", "0" * 16
    lines = differences_among(found)
    assert [line.split()[3] for line in lines] == ["10.0.0.1", "10.0.0.3"]
    assert differences_among(found[::2]) == []


def test_several_kinds_of_gpu_are_said_and_no_more():
    def gpu(node, name):
        return worker(node, device="cuda", gpu=name, dtype="fp16")

    mixed = [gpu("a", "NVIDIA L4"), gpu("a", "NVIDIA L4"), gpu("b", "NVIDIA H200")]
    check_alike(mixed)
    assert "(NVIDIA H200, NVIDIA L4)" in kinds_of_gpu(mixed)
    assert "may differ in bytes" in kinds_of_gpu(mixed)
    assert kinds_of_gpu(mixed[:2]) is None
    assert kinds_of_gpu([worker("a"), worker("b")]) is None


def node(name, *, alive=True, **resources):
    return {"NodeID": name, "NodeManagerAddress": name, "Alive": alive, "Resources": resources}


def test_a_worker_has_a_gpu_or_else_a_machine():
    nodes = [node("head"), node("a", CPU=8.0, GPU=2.0), node("b", CPU=4.0), node("gone", alive=False, CPU=4.0)]
    assert [(place.node, place.cpus, place.gpus) for place in places(nodes, device="auto")] == [("a", 4, 1)] * 2
    assert [(place.node, place.cpus) for place in places(nodes, device="cpu")] == [("a", 8), ("b", 4)]
    assert [place.node for place in places([nodes[0], nodes[2]], device="auto")] == ["b"]


def test_gpus_of_one_machine_are_workers_that_share_its_cores():
    machine = [node("a", CPU=16.0, GPU=4.0)]
    assert [(place.device, place.cpus) for place in chosen_places(machine, device="auto", workers=None)] == [
        ("cuda", 4)
    ] * 4
    assert len(chosen_places(machine, device="auto", workers=3)) == 3
    with pytest.raises(ConfigError, match="5 workers were asked for; the cluster has 4 places"):
        chosen_places(machine, device="auto", workers=5)
    with pytest.raises(ClusterError, match="no machine with GPUs"):
        chosen_places([node("b", CPU=4.0)], device="cuda", workers=None)


@pytest.mark.parametrize(
    ("gpus", "ray", "workers", "device", "played_on"),
    [
        (4, None, None, "auto", (None, None)),
        (4, None, "auto", "auto", ("local", None)),
        (4, None, "auto", "cpu", (None, None)),
        (4, None, "auto", "cuda:1", (None, None)),
        (1, None, "auto", "auto", (None, None)),
        (0, "auto", "auto", "auto", ("auto", None)),
        (0, "10.0.0.1:6379", "7", "auto", ("10.0.0.1:6379", 7)),
    ],
)
def test_workers_by_default_are_all_that_there_are(monkeypatch, gpus, ray, workers, device, played_on):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert where_to_play(ray, workers, device=device) == played_on


@pytest.mark.parametrize(("gpus", "device", "said"), [(4, "auto", True), (4, "cuda:1", False), (1, "auto", False)])
def test_gpus_that_a_run_leaves_idle_are_said(monkeypatch, gpus, device, said):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    line = unused_gpus(device)
    assert (line is not None) == said
    if said:
        assert "4 GPUs and the run uses one" in line


@pytest.mark.parametrize("workers", ["0", "-1", "all", "1.5"])
def test_other_numbers_of_workers_are_refused(workers):
    with pytest.raises(ConfigError, match=f"--workers {workers}: should be auto or a number of at least 1"):
        where_to_play("auto", workers, device="auto")
    with pytest.raises(ConfigError, match="--workers 2 needs --ray"):
        where_to_play(None, "2", device="auto")
