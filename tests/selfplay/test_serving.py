"""Several threads may evaluate the batches of one run; nothing of the result shows it."""

import threading
import time

import numpy as np
import pytest
from support.evaluators import hash_bytes

import blob_zero as bz
from blob_zero import _core


class Judge:
    """Answers from the bytes of each row alone, and remembers who asked."""

    def __init__(self, workers, fail_at=None):
        self.workers = workers
        self.fail_at = fail_at
        self.threads = set()
        self.calls = 0
        self.lock = threading.Lock()

    def evaluate_batch(self, features, legal):
        with self.lock:
            self.threads.add(threading.get_ident())
            self.calls += 1
            if self.calls == self.fail_at:
                raise ZeroDivisionError("on purpose")
        weights = np.arange(1, 257, dtype=np.uint64) ** 2
        mixed = (features.astype(np.uint64) * weights).sum(axis=1)
        policy = ((mixed[:, None] * np.arange(3, 55, dtype=np.uint64)) % 97 + 1).astype(np.float32) * legal
        values = ((mixed[:, None] * np.arange(5, 13, dtype=np.uint64)) % 199 / 99 - 1).astype(np.float32)
        return policy, values


def play(judge, **settings):
    options = {"players": 4, "cards": 4, "worlds": 2, "simulations": 8, "rounds": 300, "batch_rows": 64}
    return bz.SelfPlay(**options | settings).run(judge)


def test_one_thread_and_four_give_the_same_records():
    one, four = Judge(1), Judge(4)
    first, second = play(one), play(four)
    for column in ("features", "legal", "policy", "values", "root_values", "round", "seat", "points"):
        np.testing.assert_array_equal(getattr(first, column), getattr(second, column))
    assert len(one.threads) == 1
    assert len(four.threads) > 1


@pytest.mark.parametrize("fail_at", [1, 2, 40])
def test_a_failure_on_any_thread_comes_out_of_run(fail_at):
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        play(Judge(4, fail_at=fail_at))
    assert len(play(Judge(4), rounds=20).points) == 20


def test_the_core_can_judge_alone():
    seen = []
    player = bz.SelfPlay(players=4, cards=5, worlds=3, simulations=30, rounds=2000, seed=1)
    records = player.run("rollout", progress=lambda progress: seen.append(progress.rounds_done))
    assert records.stats.batches == 0
    assert records.stats.batch_fill is None
    assert records.stats.evaluations > 0
    assert len(records.points) == seen[-1] == 2000
    # Searching by playouts is far better than playing at random, which makes about 18 % of the bids.
    exact = (records.bids == records.tricks).mean()
    assert exact > 0.35, exact


def test_a_batch_that_is_dropped_ends_the_run():
    player = bz.SelfPlay(players=4, cards=5, rounds=10, batch_rows=8)
    session = player.plan().start()
    batch = session.next_batch()
    assert batch is not None
    del batch
    with pytest.raises(bz.BlobError, match="dropped before it was completed"):
        session.next_batch()
    session.close()


def test_a_long_search_in_the_core_can_be_interrupted():
    player = bz.SelfPlay(players=4, cards=13, worlds=4096, simulations=65536, rounds=4, threads=1)

    def stop(_progress):
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        player.run("rollout", progress=stop)
    assert time.monotonic() - began < 10


def test_a_thread_that_waits_for_its_own_batch_is_told_to_complete_it():
    agent = _core.AgentSpec.search(
        evaluator=0,
        worlds=2,
        simulations=4,
        c_puct=1.5,
        fpu_reduction=0.25,
        worlds_in_flight=None,
        leaves_in_flight=1,
        virtual_loss=1,
        own_view=False,
        noise_fraction=0.0,
        noise_alpha=1.0,
        temperature=0.0,
        final_temperature=0.0,
        temperature_decisions=0,
    )
    session = _core.Plan(agents=[agent], players=3, cards=2, rounds=5, seed=1, batch_rows=64).start()
    batch = session.next_batch()
    with pytest.raises(bz.BlobError, match=r"complete\(\) that batch first"):
        session.next_batch()
    # Handed to another thread, the same batch is worth waiting for.
    features, legal = batch.features, batch.legal

    def complete_later(batch=batch):
        assert batch.features.shape == features.shape
        time.sleep(2)
        batch.complete(hash_bytes(features))

    other = threading.Thread(target=complete_later)
    other.start()
    while (batch := session.next_batch()) is not None:
        batch.complete(hash_bytes(batch.features))
    other.join()
    assert legal.dtype == bool
    assert session.progress().rounds_done == 5
