"""A tournament as tables for people."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from blob_zero.arena.breakdown import Pairing, Slice
from blob_zero.arena.ratings import INTERVAL_SIGMAS
from blob_zero.arena.statistics import MatchSummary, Side
from blob_zero.arena.tournament import Tournament
from blob_zero.cli.display import standings_table

_TRUMP_NAMES = {"S": "spades", "H": "hearts", "C": "clubs", "D": "diamonds", "none": "no trump"}


def tournament_tables(tournament: Tournament) -> Iterator[Table]:
    """The matches of each first agent, each pair's bids by hand size and trump, and the ratings of more than two."""
    settings = tournament.settings
    sizes = ", ".join(map(str, settings.cards))
    of_games = settings.result_share is not None
    title = (
        f"{settings.players} players, {'whole games from ' if of_games else ''}"
        f"{sizes} card{'s' if settings.cards != (1,) else ''}, {settings.deals:,} {'games' if of_games else 'deals'}"
        f"{' of each size' if len(settings.cards) > 1 else ''} from every seat, "
        f"search {settings.search}"
    )
    for first in dict.fromkeys(pairing.first for pairing in tournament.pairings):
        pairings = [pairing for pairing in tournament.pairings if pairing.first == first]
        yield standings_table([(each.second, each.match) for each in pairings], first=first, title=title)
    for pairing in tournament.pairings:
        yield _parts_table(pairing)
    if len(settings.agents) > 2:
        yield _ratings_table(tournament)


def _parts_table(pairing: Pairing) -> Table:
    """Bids and the difference, over all deals, by hand size where there are several, and by trump."""
    table = _table(f"{pairing.first} : {pairing.second}", ("", "points", "difference (95 %)", "exact", "over", "under"))
    _add_rows(table, [("all", pairing.match)])
    if len(pairing.by_cards) > 1:
        _add_rows(table, [(f"{size} card{'s' if size != 1 else ''}", match) for size, match in pairing.by_cards])
    _add_rows(table, [_named(part) for part in pairing.by_trump])
    return table


def _ratings_table(tournament: Tournament) -> Table:
    table = _table("Ratings (Elo)", ("agent", "rating", "95 %"))
    for name, (mean, sigma) in tournament.ratings.items():
        # The anchor is where it is by definition, in no doubt worth printing.
        table.add_row(name, f"{mean:+.0f}", f"± {INTERVAL_SIGMAS * sigma:.0f}" if sigma >= 0.5 else "")
    return table


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index else "left", no_wrap=True)
    return table


def _add_rows(table: Table, rows: Sequence[tuple[str, MatchSummary]]) -> None:
    for what, match in rows:
        table.add_row(
            what,
            f"{match.first.points:.2f} : {match.second.points:.2f}",
            f"{match.difference:+.2f} ({match.low:+.2f} to {match.high:+.2f})",
            *_shares(match.first, match.second),
        )


def _shares(first: Side, second: Side) -> Iterator[str]:
    pairs = ((first.exact, second.exact), (first.over, second.over), (first.under, second.under))
    return (f"{mine:.0%} : {theirs:.0%}" for mine, theirs in pairs)


def _named(part: Slice) -> tuple[str, MatchSummary]:
    return _TRUMP_NAMES[str(part.what)], part.match
