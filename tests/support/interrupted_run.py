"""Sends itself Ctrl-C amid `SelfPlay.run`, and fails unless that ends at once and a next run works.

Run by test_evaluator_contract.py, with the moment of the signal: `working` while the evaluator works,
`waiting` while `run` waits for the next batch, `starting` just after it began.
"""

import os
import signal
import sys
import threading
import time

from evaluators import hashing

import blob_zero as bz

SOON = 5.0  # Seconds; a pass over all that is in flight takes a fraction of one.


def main(moment):
    # A parent that ignores Ctrl-C hands that down.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    evaluate = hashing()
    started, working = threading.Event(), threading.Event()
    calls = 0
    sent_at = []

    def evaluator(features, legal):
        nonlocal calls
        calls += 1
        working.set()
        if calls == 5:
            started.set()
            if moment == "working":
                for _ in range(100):
                    time.sleep(0.02)
        answer = evaluate(features, legal)
        working.clear()
        return answer

    def interrupt():
        if moment == "starting":
            time.sleep(0.05)
        else:
            started.wait()
            while (moment == "waiting") == working.is_set():
                time.sleep(0)
        sent_at.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    # Far more rounds than can end before the signal.
    endless = bz.SelfPlay(
        players=8,
        cards=6,
        worlds=3,
        simulations=100,
        rounds=100_000,
        seed=1,
        threads=2,
        batch_rows=1024,
        rounds_in_flight=2000,
    )
    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    try:
        endless.run(evaluator)
    except KeyboardInterrupt:
        took = time.monotonic() - sent_at[0]
    else:
        sys.exit("the run ended without the interrupt")
    thread.join()
    if took > SOON:
        sys.exit(f"the run went on for {took:.1f} s")

    small = {"players": 4, "cards": 3, "worlds": 2, "simulations": 6, "rounds": 12, "seed": 5}
    runs = [bz.SelfPlay(**small, threads=threads).run(evaluate) for threads in (1, 2)]
    if runs[0].policy.tobytes() != runs[1].policy.tobytes():
        sys.exit("a run after the interrupt went wrong")


main(sys.argv[1])
