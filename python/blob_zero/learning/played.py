"""What a run learns from: rows of searches in a ring, or whole rounds of play without search."""

import numpy as np

from blob_zero.config.schema import Config
from blob_zero.learning.replay import Columns, ReplayRing, columns_of
from blob_zero.learning.round_replay import RoundReplay
from blob_zero.selfplay.records import Records

Replay = ReplayRing | RoundReplay


def new_replay(config: Config) -> Replay:
    """An empty replay for the agent of self-play."""
    kind = RoundReplay if config.selfplay.agent == "policy" else ReplayRing
    return kind(config.training.replay_rows)


def rows_to_learn(config: Config, records: Records) -> Columns:
    """What such a replay takes from records of self-play: rows by column, or rounds by column."""
    if config.selfplay.agent == "policy":
        return records.rounds
    return columns_of(records, root_value_weight=config.training.root_value_weight)


def count_rows(records: Records) -> int:
    """Rows that can be learned from."""
    return len(records.features) or int(records.rounds["decisions"].sum(dtype=np.int64))
