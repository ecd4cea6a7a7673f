"""The game in a terminal of 80 x 24 or more, with or without colour."""

import shlex
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape
from rich.prompt import Prompt

from blob_zero import _core
from blob_zero.analysis.judge import Judge
from blob_zero.analysis.review import review_round, worst_first
from blob_zero.errors import BlobError
from blob_zero.notation.rounds import action_name, read_action, trump_name
from blob_zero.play.fairness import hash_of, new_secret
from blob_zero.play.saves import Saves, default_folder
from blob_zero.play.session import Session
from blob_zero.play.table import YOU, Table
from blob_zero.play.view import Json, hint_view

_GLYPHS = {"S": "♠", "H": "♥", "C": "♣", "D": "♦"}

_HELP = """\
  Type a bid, or a card such as AS; legal cards have a star.
  h hint, u undo, l last trick, t score, r review, q leave, ? help"""


def play_in_terminal(request: Json, saves: Saves, judge: Judge, resume: str | None = None) -> None:
    """Plays a game until it ends or the person leaves; it is saved after every action.

    Args:
        request: the settings of the table, without secret and cut.
        saves: where the game is kept.
        judge: gives hints and reviews.
        resume: the name of a saved game to go on with.

    Raises:
        BlobError: the table or the saved game cannot be used.
    """
    console = Console(highlight=False)
    screen = TerminalGame(console, saves, judge)
    try:
        screen.begin(request, resume)
        screen.run()
    except (KeyboardInterrupt, EOFError):
        if screen.name:
            where = "" if saves.folder == default_folder() else f" --saves {shlex.quote(str(saves.folder))}"
            console.print(f"\nSaved. Go on with --terminal --resume {screen.name}{where}", soft_wrap=True, markup=False)


class TerminalGame:
    """One game at a terminal.

    Attributes:
        name: the name of the saved game.
    """

    def __init__(self, console: Console, saves: Saves, judge: Judge) -> None:
        self._console = console
        self._saves = saves
        self._judge = judge
        self._glyphs = console.encoding.lower().startswith("utf")
        self.name = ""
        self.session: Session

    def begin(self, request: Json, resume: str | None) -> None:
        """Sets the table, or takes up a saved one."""
        if resume is not None:
            self.name, self.session = resume, self._saves.load(resume)
            return
        secret = new_secret()
        self._console.print(f"The hash of the server's secret is\n{hash_of(secret)}")
        cut = Prompt.ask("Cut the pack: any text", console=self._console, default="cut")
        rules = _core.RoundRules(**request["rules"])
        self.session = Session(
            Table(
                players=request["players"],
                cards=request["cards"],
                levels=tuple(request["levels"]),
                length=request["length"],
                name=request["name"],
                rules=rules,
                secret=secret,
                cut=cut,
            )
        )
        self.name = self._saves.new_name()

    def run(self) -> None:
        """Plays to the end of the game."""
        session = self.session
        self._help()
        self._show_round()
        while True:
            if session.round.phase == "done":
                self._end_of_round()
                if session.done:
                    return
                session.next_round()
                self._show_round()
            elif session.your_turn:
                self._your_turn()
            else:
                self._bots_turn()
            self._saves.save(self.name, session)

    def _bots_turn(self) -> None:
        round_ = self.session.round
        seat, phase, trick = round_.to_play, round_.phase, self.session.last_trick
        action = self.session.advance()
        if seat is None or action is None:
            return
        verb = "bids" if phase == "bidding" else "plays"
        self._console.print(f"  {self._name(seat):<8} {verb} {self._text(action_name(action, phase))}")
        self._tell_trick(trick)

    def _your_turn(self) -> None:
        session, round_ = self.session, self.session.round
        self._console.print(self._seats())
        if session.forbidden_bid is not None:
            self._console.print(
                f"  You deal: {session.forbidden_bid} is forbidden, since the bids would add up to {round_.cards}."
            )
        legal = round_.legal_actions()
        shown = [
            self._card(card, legal=round_.phase == "bidding" or _core.card_index(card) in legal)
            for card in self._sorted(round_.hand(YOU))
        ]
        self._console.print(f"  Your hand  {'  '.join(shown)}")
        asked = "Your bid" if round_.phase == "bidding" else "Your card"
        answer = Prompt.ask(f"[bold]{asked}[/bold]", console=self._console).strip()
        commands: dict[str, Callable[[], None]] = {
            "h": self._hint,
            "u": self._undo,
            "l": self._show_last_trick,
            "t": self._show_score,
            "r": self._review,
            "q": self._quit,
            "?": self._help,
        }
        if answer.lower() in commands:
            commands[answer.lower()]()
            return
        trick = session.last_trick
        try:
            session.play(read_action(answer.upper(), round_))
        except BlobError as error:
            self._console.print(f"  {escape(str(error))}", style="red")
            return
        self._tell_trick(trick)

    def _show_round(self) -> None:
        round_, session = self.session.round, self.session
        trump = trump_name(round_.trump) if round_.turned_up is None else f"{round_.turned_up} turned up"
        self._console.rule(
            f"Round {session.round_number + 1} of {len(session.schedule)}: {round_.cards} cards, {trump}, "
            f"{self._name(round_.dealer)} deals"
        )

    def _seats(self) -> str:
        """Bids and tricks of every seat, `won/bid`, in lines of at most 78 columns."""
        round_ = self.session.round
        cells = [
            f"{self._name(seat)} {round_.tricks_won[seat]}/{'-' if bid is None else bid}"
            for seat, bid in enumerate(round_.bids)
        ]
        trick = "  ".join(f"{self._name(seat)} {self._text(card)}" for seat, card in round_.trick)
        return f"  [dim]tricks/bid[/dim] {', '.join(cells)}" + (f"\n  [dim]on the table[/dim] {trick}" if trick else "")

    def _tell_trick(self, before: object) -> None:
        trick = self.session.last_trick
        if trick is not None and trick is not before:
            self._console.print(f"  -> {self._name(trick.winner)} won the trick", style="bold")

    def _end_of_round(self) -> None:
        self._show_score()
        while True:
            last = "the game is over" if self.session.done else "Enter: next round"
            answer = Prompt.ask(f"[bold]{last}[/bold], r review, u undo", console=self._console, default="").strip()
            if answer == "r":
                self._review()
            elif answer == "q":
                self._quit()
            else:
                break
        if answer == "u":
            self._undo()
        if self.session.done:
            table = self.session.table
            self._console.print(f"Secret {table.secret}, cut {escape(table.cut)}; its SHA-256 was shown before.")

    def _hint(self) -> None:
        self.session.hints += 1
        hint = hint_view(self.session, self._judge)
        for action in sorted(hint["actions"], key=lambda one: -one["points"]):
            bar = "#" * round(action["points"])
            make = round(100 * action["make"])
            self._console.print(
                f"  {self._text(action['action']):>3}  {action['points']:5.1f} points  {make:3} % made  {bar}"
            )

    def _review(self) -> None:
        if not self.session.finished:
            self._console.print("  No round is finished yet.")
            return
        for decision in worst_first(review_round(self.session.finished[-1], YOU, self._judge)):
            self._console.print(f"  -{decision.lost:4.1f}  {decision.sentence()}")

    def _undo(self) -> None:
        if not self.session.undo():
            self._console.print("  There is nothing to take back.")

    def _help(self) -> None:
        self._console.print(_HELP, style="dim")

    def _quit(self) -> None:
        raise EOFError

    def _show_last_trick(self) -> None:
        trick = self.session.last_trick
        if trick is None:
            self._console.print("  No trick is finished yet.")
            return
        plays = "  ".join(f"{self._name(seat)} {self._text(card)}" for seat, card in trick.plays)
        self._console.print(f"  {plays}, won by {self._name(trick.winner)}")

    def _show_score(self) -> None:
        session = self.session
        names = session.table.names
        wide = 11 if len(names) <= 5 else 9  # eight columns of 9 fit; with ten cards and more a cell takes 10
        self._console.print("  round" + "".join(f"{name[:8]:>{wide}}" for name in names))
        for number, points in enumerate(session.history[-8:], start=max(1, len(session.history) - 7)):
            end = session.finished[number - 1].after()
            cells = [
                f"{f'{point} ({won}/{bid})':>{wide}}"
                for point, won, bid in zip(points, end.tricks_won, end.bids, strict=True)
            ]
            self._console.print(f"  {number:>5}" + "".join(cells))
        totals = [sum(points) for points in zip(*session.history, strict=True)] or [0] * len(names)
        self._console.print("  total" + "".join(f"{total:>{wide}}" for total in totals), style="bold")

    def _name(self, seat: int) -> str:
        return escape(self.session.table.names[seat])

    def _sorted(self, hand: list[str]) -> list[str]:
        return sorted(hand, key=lambda card: (card[1] != self.session.round.trump, card[1], -_core.card_index(card)))

    def _text(self, action: str) -> str:
        """A card with its suit's sign, or a bid."""
        if len(action) != 2 or action[1] not in _GLYPHS:
            return action
        return action[0] + _GLYPHS[action[1]] if self._glyphs else action

    def _card(self, card: str, *, legal: bool) -> str:
        """A card of the hand; legal ones stand in brackets where colour is missing, and are bright."""
        text = self._text(card)
        if not legal:
            return f"[dim]{text}[/dim]"
        colour = "red" if card[1] in "HD" else "white"
        return f"[bold {colour}]{text}[/bold {colour}]*" if self.session.round.phase == "playing" else text
