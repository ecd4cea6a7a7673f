"""Matches, tournaments and fields as tables for people."""

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from blob_zero.arena.breakdown import Pairing, Slice
from blob_zero.arena.field import FieldMatch, FieldResult
from blob_zero.arena.ratings import INTERVAL_SIGMAS
from blob_zero.arena.statistics import MatchSummary, Side
from blob_zero.arena.tournament import Tournament
from blob_zero.config.bots import find_bot
from blob_zero.config.search_options import SearchOptions

_TRUMP_NAMES = {"S": "spades", "H": "hearts", "C": "clubs", "D": "diamonds", "none": "no trump"}


def tournament_tables(tournament: Tournament) -> Iterator[Table]:
    """The matches of each first agent, each pair's bids by hand size and trump, and the ratings of more than two."""
    settings = tournament.settings
    sizes = ", ".join(map(str, settings.cards))
    of_games = settings.result_share is not None
    # A bot's search is in its name, and so is a look-ahead.
    searching = any(
        isinstance(search, SearchOptions) and find_bot(name) is None for name, search in tournament.searches.items()
    )
    title = (
        f"{settings.players} players, {'whole games from ' if of_games else ''}"
        f"{sizes} card{'s' if settings.cards != (1,) else ''}, {settings.deals:,} {'games' if of_games else 'deals'}"
        f"{' of each size' if len(settings.cards) > 1 else ''} from every seat"
        f"{f', search {settings.search}' if searching else ''}"
    )
    for first in dict.fromkeys(pairing.first for pairing in tournament.pairings):
        pairings = [pairing for pairing in tournament.pairings if pairing.first == first]
        yield matches_table([(each.second, each.match) for each in pairings], first=first, title=title)
    for pairing in tournament.pairings:
        yield _parts_table(pairing)
    if len(settings.agents) > 2:
        yield _ratings_table(tournament)


def matches_table(matches: Sequence[tuple[str, MatchSummary]], *, first: str, title: str) -> Table:
    """Matches of one agent against others: points a round, difference with interval, bids, verdict.

    Args:
        matches: opponent and match of each line.
        first: what the first agent of all matches is called.
        title: stands above the table.
    """
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    table.add_column("against", overflow="fold")
    for heading in ("points", "difference (95 %)", "bids exact"):
        table.add_column(heading, justify="right", no_wrap=True)
    games = any(match.games_won is not None for _, match in matches)
    if games:
        table.add_column("games won", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.caption = f"{first} : opponent; points and their difference are means a round"
    if games:
        table.caption += "; games won from its one seat, shared ones in part"
    table.caption_justify = "left"
    styles = {"beats": "green", "loses to": "red", "not told apart": "yellow"}
    for opponent, match in matches:
        table.add_row(
            opponent,
            f"{match.first.points:.2f} : {match.second.points:.2f}",
            f"{match.difference:+.2f} ({match.low:+.2f} to {match.high:+.2f})",
            f"{match.first.exact:.0%} : {match.second.exact:.0%}",
            *([f"{match.games_won:.0%}" if match.games_won is not None else ""] if games else []),
            Text(match.verdict, style=styles[match.verdict]),
        )
    return table


def field_tables(match: FieldMatch) -> Iterator[Table]:
    """All guests of a field, and each guest by shape where there are several."""
    settings, shapes = match.settings, match.shapes
    deals = f"{settings.deals:,} deals{' of each shape' if len(shapes) > 1 else ''} in every seat"
    played = ", ".join(f"{shape.players} x {shape.cards}" for shape in shapes)
    headings = ("points", "difference (95 %)", "exact", "ms", "verdict")
    search = f", search {match.search}" if match.search else ""
    table = _table(f"In a field of {settings.field}: {played}; {deals}{search}", ("", *headings))
    for guest in match.guests:
        result = guest.all
        milliseconds = f"{match.milliseconds[guest.name]:.3g}"
        cells = (f"{result.points:.2f}", _with_interval(result), f"{result.exact:.0%}", milliseconds, result.verdict)
        table.add_row(guest.name, *cells)
    first = match.guests[0].all
    own = f"{match.milliseconds[settings.field]:.3g}"
    table.add_row(settings.field, f"{first.field_points:.2f}", "", f"{first.field_exact:.0%}", own, "the field")
    table.caption = f"points: means a round; ms: of a decision at {shapes[0].players} x {shapes[0].cards}, all threads"
    table.caption_justify = "left"
    yield table
    if len(shapes) > 1:
        for guest in match.guests:
            parts = _table(f"{guest.name} in a field of {settings.field}", ("", *headings[:3], "verdict"))
            for shape, result in guest.by_shape:
                parts.add_row(f"{shape.players} x {shape.cards}", *_field_cells(result))
            yield parts


def _field_cells(result: FieldResult) -> Iterator[str]:
    yield f"{result.points:.2f} : {result.field_points:.2f}"
    yield _with_interval(result)
    yield f"{result.exact:.0%} : {result.field_exact:.0%}"
    yield result.verdict


def _with_interval(result: FieldResult) -> str:
    return f"{result.difference:+.2f} ({result.low:+.2f} to {result.high:+.2f})"


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
    # Where the screen is narrow a long name is folded, and no figure is cut.
    table.add_column(headings[0], overflow="fold")
    for heading in headings[1:]:
        table.add_column(heading, justify="right", no_wrap=True)
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
