"""Tables and servers of the game."""

import threading

import pytest
from support.tables import free_table

from blob_zero.analysis import PlayoutJudge
from blob_zero.play.house import House
from blob_zero.play.saves import Saves
from blob_zero.play.server import Server
from blob_zero.play.session import Session


@pytest.fixture
def session():
    return Session(free_table())


@pytest.fixture
def house(tmp_path):
    return House(Saves(tmp_path / "games"), PlayoutJudge(20))


@pytest.fixture
def server(house):
    running = Server(house)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    yield running
    running.stop()
    thread.join(10)
