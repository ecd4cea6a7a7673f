"""Workers that would not play the same bytes are refused by name; places follow the cluster's resources."""

import pytest
import torch

from blob_zero.cluster.node import identity
from blob_zero.cluster.ray_nodes import _places, check_alike
from blob_zero.errors import ClusterError


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


def node(name, *, alive=True, **resources):
    return {"NodeID": name, "NodeManagerAddress": name, "Alive": alive, "Resources": resources}


def test_a_worker_has_a_gpu_or_else_a_machine():
    nodes = [node("head"), node("a", CPU=8.0, GPU=2.0), node("b", CPU=4.0), node("gone", alive=False, CPU=4.0)]
    assert [(place.node, place.cpus, place.gpus) for place in _places(nodes, device="auto")] == [("a", 4, 1)] * 2
    assert [(place.node, place.cpus) for place in _places(nodes, device="cpu")] == [("a", 8), ("b", 4)]
    assert [place.node for place in _places([nodes[0], nodes[2]], device="auto")] == ["b"]
