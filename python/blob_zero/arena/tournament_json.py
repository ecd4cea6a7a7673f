"""All figures of a tournament as JSON."""

import json
from dataclasses import asdict
from importlib import metadata
from typing import Any

from blob_zero.arena.breakdown import Pairing
from blob_zero.arena.statistics import MatchSummary
from blob_zero.arena.tournament import Tournament


def to_json(tournament: Tournament) -> str:
    """The settings and results of a tournament as one JSON object."""
    report: dict[str, Any] = {
        "version": metadata.version("blob-zero"),
        "settings": asdict(tournament.settings),
        "searches": {name: asdict(search) for name, search in tournament.searches.items()},
        "matches": [_pairing(pairing) for pairing in tournament.pairings],
        "ratings": [
            {"agent": name, "rating": rating.mean, "sigma": rating.sigma} for name, rating in tournament.ratings.items()
        ],
        "rounds": tournament.rounds,
        "seconds": tournament.seconds,
        "deals_per_minute": tournament.deals_per_minute,
    }
    return json.dumps(report, indent=2)


def _pairing(pairing: Pairing) -> dict[str, Any]:
    return {
        "first_agent": pairing.first,
        "second_agent": pairing.second,
        **_figures(pairing.match),
        "by_cards": [{"cards": cards, **_figures(match)} for cards, match in pairing.by_cards],
        "by_trump": [{"trump": trump, **_figures(match)} for trump, match in pairing.by_trump],
    }


def _figures(match: MatchSummary) -> dict[str, Any]:
    return {**asdict(match), "verdict": match.verdict}
