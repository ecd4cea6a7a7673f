"""What each action of a position is worth: the one function behind the engine, the review and the game."""

from blob_zero.analysis.analyze import Analysis, Request, analyze
from blob_zero.analysis.judge import Judge, Judgement, PlayoutJudge

__all__ = ["Analysis", "Judge", "Judgement", "PlayoutJudge", "Request", "analyze"]
