"""Trains on a Ray cluster of one machine, in which a worker's machine dies and another one stops.

Run by test_cluster.py with the folder of a run; a second run with `selfplay.lag = 1` follows on the machine that is
left. A process of its own, since Ray leaves threads and handlers behind.
"""

import os
import signal
import sys
from pathlib import Path

import psutil
from ray.cluster_utils import Cluster

from blob_zero.cluster.players import players_of_run
from blob_zero.config.load import parse_config
from blob_zero.learning.loop import train
from support.training_fakes import SilentDisplay

SETTINGS = {
    "run": {"seed": 5, "iterations": 3, "keep_checkpoints": 2, "torch_threads": 1},
    "game": {"shapes": [{"players": [3, 4], "cards": [2, 3]}], "players": 3, "cards": 3},
    "selfplay": {"agent": "policy", "rounds": 300, "batch_rows": 32, "carry_over": 60, "rounds_in_flight": 20},
    "network": {"kind": "outcome", "width": 32, "layers": 2},
    # One pass changes what is played next; more would cost most of a run, and none of it runs on the cluster.
    "training": {"epochs": 1, "batch_size": 64, "replay_rows": 3000, "precision": "fp32"},
    "inference": {"dtype": "fp32"},
    "evaluation": {"every": 2, "deals": 12, "final_deals": 12, "opponents": ["random"]},
    "promotion": {"enabled": False},
}


def config(*, lag):
    return parse_config({**SETTINGS, "selfplay": {**SETTINGS["selfplay"], "lag": lag}}, source="test")


class Trial:
    """In the second iteration, after the first shard, a machine dies and another one stops."""

    def __init__(self, worker, cluster, nodes):
        self.worker = worker
        self.cluster = cluster
        self.nodes = nodes
        self.calls = 0
        self.stopped = []

    def prepare(self, net, rounds):
        return self.worker.prepare(net, rounds)

    def play(self, net, rounds, *, progress):
        self.calls += 1

        def hurting(counts):
            if self.calls == 2 and not self.stopped:
                self.stopped = stop_machine(self.nodes[2])
                self.cluster.remove_node(self.nodes[1], allow_graceful=False)
            progress(counts)

        return self.worker.play(net, rounds, progress=hurting)

    def learned(self, seconds):
        self.worker.learned(seconds)


def stop_machine(node):
    """Stops all processes of a machine, as one does that hangs; returns them."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    processes = [raylet, *raylet.children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    return processes


def cluster_without_machines():
    """A head without CPUs, and without the processes that only show a cluster, scale it, or collect its logs."""
    leave_out = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
    return Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **leave_out})


def main(folder):
    cluster = cluster_without_machines()
    nodes = [cluster.add_node(wait=False, num_cpus=1) for _ in range(3)]
    cluster.wait_for_nodes()
    display = SilentDisplay()
    settings = config(lag=0)
    with players_of_run(settings, cluster.address, workers=None, device="cpu", notice=display.message) as players:
        worker, judge = players
        trial = Trial(worker, cluster, nodes)
        train(settings, folder, display=display, device="cpu", worker=trial, judge=judge)
        train(config(lag=1), folder.with_name("cluster-lag"), display=display, device="cpu", worker=worker, judge=judge)
    sys.stdout.write("\n".join(display.messages))
    sys.stdout.flush()
    for process in trial.stopped:
        process.kill()
    cluster.shutdown()


if __name__ == "__main__":
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    main(Path(sys.argv[1]))
