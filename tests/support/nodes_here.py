"""Workers of a cluster as objects of this process, for tests without Ray."""

import threading

from blob_zero.cluster.node import Node


class NodesHere:
    """Futures over nodes: a task is done when it is waited for, the newest first, so that results come out of order."""

    device = "cpu"

    def __init__(self, crew, *, workers):
        self.nodes = [Node("cpu", threads=1, crew=crew) for _ in range(workers)]
        self.workers = workers
        self.asked = []
        self.threads = set()
        self.done = {}

    def put(self, value):
        return value

    def submit(self, worker, task):
        self.asked.append((worker, task))
        return len(self.asked) - 1

    def wait(self, handles, *, seconds):
        del seconds
        handle = max(handles)
        worker, task = self.asked[handle]
        self.threads.add(threading.current_thread().name)
        self.done[handle] = getattr(self.nodes[worker], task.method)(task.what, task.networks)
        return [handle]

    def result(self, handle):
        return self.done.pop(handle)
