"""Inference on GPUs that a stand-in plays: devices, streams, events and graphs in the order that CUDA asks for."""

import threading

import numpy as np
import pytest
import torch
from support.fake_cuda import fake_cuda as fake_cuda
from support.networks import by_hand, network, varied_rows
from support.training_fakes import SMALL

from blob_zero.inference.inference import Inference


@pytest.fixture(scope="module")
def rows():
    return varied_rows(64)


def on_gpu(net, **settings):
    return Inference(net, **{"device": "cuda:1", "dtype": "fp32", "compile": False, "workers": 2, **settings})


@pytest.mark.parametrize("settings", [{}, {"cuda_graphs": False}, {"copy_streams": False}, {"pinned_memory": False}])
def test_every_setting_gives_the_same_outputs_under_new_weights(fake_cuda, rows, settings):
    first, second = network(seed=1, **SMALL), network(seed=2, **SMALL)
    inference = on_gpu(first, **settings)
    inference.prepare(64)
    for net in (first, second):
        inference.load(net)
        for order in (1, -1):
            policy, values = inference.evaluate_batch(rows.features[::order], rows.legal[::order])
            expected_policy, expected_values = by_hand(net, rows.features[::order], rows.legal[::order])
            np.testing.assert_allclose(policy, expected_policy, atol=1e-5)
            np.testing.assert_allclose(values, expected_values, atol=1e-5)
    assert len(fake_cuda.graphs) == (0 if "cuda_graphs" in settings else 2)


def test_a_batch_goes_in_is_replayed_and_comes_out(fake_cuda, rows):
    inference = on_gpu(network(**SMALL))
    inference.prepare(64)
    made = [stream for stream in fake_cuda.streams if stream not in fake_cuda.default]
    assert [stream.device_index for stream in made] == [1, 1, 1, 1]
    compute, copy_in, copy_out, side = (stream.number for stream in made)
    fake_cuda.log.clear()
    inference.evaluate_batch(rows.features, rows.legal)
    assert fake_cuda.log == [
        f"{compute} waits for {copy_in}",
        f"replay on {compute}",
        f"{copy_out} waits for {compute}",
        f"host waits for {copy_out}",
    ]
    # What other threads compute meanwhile must not end up in a graph.
    assert side not in (compute, copy_in, copy_out)


def test_all_networks_share_four_streams_and_the_memory_of_graphs(fake_cuda, rows):
    for seed in range(10):
        inference = on_gpu(network(seed=seed, **SMALL))
        for count in (64, 32):
            inference.evaluate_batch(rows.features[:count], rows.legal[:count])
    assert len(fake_cuda.streams) == len(fake_cuda.default) + 4
    assert len(fake_cuda.graphs) == 20
    assert len(set(map(id, fake_cuda.pools))) == 1


def test_events_are_made_once_a_lane(fake_cuda, rows):
    inference = on_gpu(network(**SMALL))
    inference.prepare(64)
    made = len(fake_cuda.events)
    for _ in range(5):
        inference.evaluate_batch(rows.features, rows.legal)
    assert len(fake_cuda.events) == made


def test_every_thread_works_on_the_device_of_the_network(fake_cuda, rows):
    net = network(**SMALL)
    inference = on_gpu(net)
    inference.prepare(64)
    answers, failures = [], []

    def serve():
        try:
            assert fake_cuda.current == 0  # as in every new thread
            answers.append(inference.evaluate_batch(rows.features, rows.legal)[0])
            assert fake_cuda.current == 0
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=serve) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for policy in answers:
        np.testing.assert_allclose(policy, by_hand(net, rows.features, rows.legal)[0], atol=1e-5)


def test_outputs_outlive_the_next_batch(fake_cuda, rows):
    del fake_cuda
    inference = on_gpu(network(**SMALL))
    policy, values = inference.evaluate_batch(rows.features, rows.legal)
    kept = policy.copy(), values.copy()
    inference.evaluate_batch(rows.features[::-1], rows.legal[::-1])
    np.testing.assert_array_equal(policy, kept[0])
    np.testing.assert_array_equal(values, kept[1])


def test_memory_that_is_short_for_a_graph_halves_the_rows(fake_cuda, rows, monkeypatch):
    net = network(**SMALL)
    capture, tried = fake_cuda.graph, []

    def short(graph, **options):
        tried.append(options)
        if len(tried) == 1:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture") from (
                torch.OutOfMemoryError("CUDA out of memory")
            )
        return capture(graph, **options)

    monkeypatch.setattr(torch.cuda, "graph", short)
    inference = on_gpu(net, workers=1)
    with pytest.warns(RuntimeWarning, match="memory of cuda:1 is exhausted: batches of 64 rows are evaluated 32 rows"):
        inference.prepare(64)
    # What the failed try held is given back before the next one.
    assert "memory freed" in fake_cuda.log
    policy, _ = inference.evaluate_batch(rows.features, rows.legal)
    np.testing.assert_allclose(policy, by_hand(net, rows.features, rows.legal)[0], atol=1e-5)
