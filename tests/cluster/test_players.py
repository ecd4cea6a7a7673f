"""A run by several workers, without Ray: the bytes of a run by one, also if they play while the learner works."""

from functools import partial

import pytest
import torch
from support.nodes_here import NodesHere
from support.run_equality import assert_same_end
from support.training_fakes import SilentDisplay, small_config

from blob_zero.cluster.balance import Balance
from blob_zero.cluster.node import Crew
from blob_zero.cluster.players import ClusterJudge, ClusterWorker, _judge, _player
from blob_zero.cluster.pool import Pool
from blob_zero.errors import ClusterError
from blob_zero.learning.loop import train
from blob_zero.learning.setup import local_judge
from blob_zero.model.networks import configured_shape, seeded_network
from blob_zero.selfplay.worker import RoundRange

SHAPES = {"shapes": [{"players": [3, 4], "cards": [2, 3]}], "players": 3, "cards": 3}


def config(lag, **selfplay):
    return small_config(
        run={"iterations": 4},
        game=SHAPES,
        selfplay={"agent": "policy", "rounds": 60, "batch_rows": 32, "carry_over": 20, "lag": lag, **selfplay},
        network={"kind": "outcome", "width": 16, "layers": 1},
        inference={"dtype": "fp32"},
        evaluation={"every": 2, "deals": 6, "final_deals": 6, "opponents": ["random"]},
    )


def on_cluster(config, folder, *, workers, display=None):
    nodes = NodesHere(Crew(partial(_player, config), partial(_judge, config)), workers=workers)
    pool = Pool(nodes)
    worker = ClusterWorker(config, nodes, pool, notice=lambda _: None)
    judge = ClusterJudge(local_judge(config, device="cpu"), nodes, pool)
    train(config, folder, display=display or SilentDisplay(), device="cpu", worker=worker, judge=judge)
    return nodes


@pytest.mark.parametrize("lag", [0, 1])
def test_several_workers_end_with_the_bytes_of_one(tmp_path, lag):
    train(config(lag), tmp_path / "alone", display=SilentDisplay(), device="cpu")
    nodes = on_cluster(config(lag), tmp_path / "cluster", workers=3)
    assert_same_end(tmp_path / "cluster", tmp_path / "alone")
    assert {worker for worker, _ in nodes.asked} == {0, 1, 2}
    assert ("self-play" in nodes.threads) == bool(lag), "with a lag they play while the learner works"


def test_a_head_without_a_gpu_leads_workers_that_have_one():
    settings = config(0)
    nodes = NodesHere(Crew(partial(_player, settings), partial(_judge, settings)), workers=2)
    judge = ClusterJudge(local_judge(settings, device=torch.device("cuda")), nodes, Pool(nodes))
    net = seeded_network(configured_shape(settings), seed=1)
    here = local_judge(settings, device=torch.device("cpu"))
    assert judge.match(net, "rule", deals=6, seed=1) == here.match(net, "rule", deals=6, seed=1)


def test_an_error_of_play_in_the_background_ends_the_run(tmp_path):
    class Broken(NodesHere):
        def submit(self, worker, task):
            if len(self.asked) > 3:
                raise ClusterError("the network is down")
            return super().submit(worker, task)

    settings = config(1)
    nodes = Broken(Crew(partial(_player, settings), partial(_judge, settings)), workers=2)
    worker = ClusterWorker(settings, nodes, Pool(nodes), notice=lambda _: None)
    with pytest.raises(ClusterError, match="the network is down"):
        train(settings, tmp_path, display=SilentDisplay(), device="cpu", worker=worker)


def test_a_closed_worker_leaves_no_thread_at_work():
    settings = config(1)

    class Hung(NodesHere):
        def wait(self, handles, *, seconds):
            del handles, seconds
            return []

    nodes = Hung(Crew(None, None), workers=2)
    worker = ClusterWorker(settings, nodes, Pool(nodes), notice=lambda _: None)
    worker.begin(None, RoundRange(seed=1, first_round=0, rounds=10))
    begun = worker._begun
    worker.close()
    begun.join(30)
    with pytest.raises(ClusterError, match="are being ended"):
        begun.result(None)


def test_more_players_than_the_learner_can_use_are_said_once_with_figures():
    said = []
    balance = Balance(config(0), said.append)
    balance.iteration(workers=8, played=1.0, learned=60.0)  # the first, with all that is made ready
    balance.iteration(workers=8, played=10.0, learned=9.0)
    assert said == []
    for _ in range(3):
        balance.iteration(workers=8, played=2.0, learned=9.0)
    (line,) = said
    assert line.startswith("8 workers play an iteration in 2.0 s and the learner needs 9.0 s for it: it can use 2 of")
    for advice in ("--workers 2", "training.epochs", "selfplay.lag = 1"):
        assert advice in line


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (config(1), "can use 1 of them. Better: --workers 1, or fewer uses of a row (training.epochs)"),
        (small_config(selfplay={"lag": 1}), "(training.epochs), or more search"),
    ],
)
def test_advice_fits_the_settings(settings, words):
    said = []
    balance = Balance(settings, said.append)
    for _ in range(2):
        balance.iteration(workers=4, played=0.1, learned=5.0)
    (line,) = said
    assert line.endswith(words)


def test_a_single_worker_is_never_too_many():
    said = []
    balance = Balance(config(0), said.append)
    for _ in range(3):
        balance.iteration(workers=1, played=0.1, learned=5.0)
    assert said == []
