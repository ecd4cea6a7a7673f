"""Rounds and games as text that a person can read."""

from blob_zero.notation.games import GameText, read_game, write_game
from blob_zero.notation.rounds import RoundText, action_name, trump_name

__all__ = ["GameText", "RoundText", "action_name", "read_game", "trump_name", "write_game"]
