"""The page in a real browser: headless Chromium, driven by playwright.

Needs Chromium, and is skipped without it: apt-get install chromium
"""

import itertools
import re
import shutil
from pathlib import Path

import pytest
from support.tables import free_table

from blob_zero.play.saves import to_text
from blob_zero.play.session import Session

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
if CHROMIUM is None:
    pytest.skip("the game page is not tested without Chromium: apt-get install chromium", allow_module_level=True)

playwright = pytest.importorskip("playwright.sync_api", reason="run make test, or pip install playwright")
axe = pytest.importorskip("axe_playwright_python", reason="run make test, or pip install axe-playwright-python")
AXE = Path(axe.__file__).with_name("axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def open_page(browser, server):
    """Opens the page; at the end of the test, nothing may have gone wrong in it."""
    faults, contexts = [], []

    def open_(width=1280, height=800, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on(
            "request",
            lambda request: None if request.url.startswith((server.address, "data:")) else faults.append(request.url),
        )
        page.goto(server.address + "#fast")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert faults == []


def begin(page, *, players=4, cards=2, length="round"):
    page.locator(f"input[name=players][value='{players}']").check()
    page.locator(f"input[name=cards][value='{cards}']").check()
    page.locator(f"input[name=length][value='{length}']").check()
    page.get_by_role("button", name="Deal", exact=True).click()


YOUR_TURN_OR_END = ".you.turn, [aria-label='end of the round']"
END = "[aria-label='end of the round']"


def at_end(page):
    page.locator(YOUR_TURN_OR_END).first.wait_for()
    return page.locator(END).count() > 0


def choices(page):
    return page.locator("[data-action]:not([disabled])")


def play_by_clicks(page):
    while not at_end(page):
        turns = page.evaluate("state.turns")
        choices(page).last.click()
        while page.evaluate("state.turns") == turns:
            page.wait_for_timeout(5)


def test_a_whole_round_by_clicks_and_its_review(open_page):
    page = open_page()
    begin(page, cards=3)
    play_by_clicks(page)
    assert page.locator(f"{END} tbody tr").count() == 4
    page.get_by_role("button", name="Review").click()
    sentence = page.locator("dialog .sentence")
    assert re.match(r"You (bid|played)", sentence.inner_text())
    assert page.locator("dialog .bars .fill").count() >= 2
    page.get_by_text("All cards open").click()
    assert page.locator("dialog .open-cards .card").count() >= 3
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Same deals, others").click()
    page.locator("dialog tbody tr").nth(3).wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Check the deal").click()
    page.locator("dialog .mono").first.wait_for()
    assert re.search(r"[0-9a-f]{32}", page.locator("dialog").inner_text())


def test_a_dialog_opened_at_once_after_another_is_not_empty(open_page):
    page = open_page()
    begin(page)
    assert not at_end(page)
    page.evaluate("showHelp(); document.querySelector('dialog').close(); showScore();")
    page.wait_for_timeout(100)
    assert page.locator("dialog table").is_visible()


def test_a_drill_that_was_closed_is_not_found_by_keys(open_page):
    page = open_page()
    for _ in range(3):
        begin(page, cards=3)
        play_by_clicks(page)
        page.get_by_role("button", name="to the lobby").click()
    page.get_by_role("button", name="Practise").click()
    page.locator("dialog [data-action]").first.click()
    page.locator("dialog .bars").wait_for()
    page.keyboard.press("Escape")
    begin(page, players=3, cards=3)
    assert not at_end(page)
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.action") in page.evaluate("state.legal")


def test_a_round_by_keys_alone(open_page):
    page = open_page()
    begin(page, players=3, cards=3)
    while not at_end(page):
        turns = page.evaluate("state.turns")
        if page.evaluate("state.phase") == "bidding":
            page.keyboard.press(page.evaluate("state.legal[0]"))
        else:
            page.keyboard.press("ArrowRight")
            assert page.evaluate("document.activeElement.dataset.action") in page.evaluate("state.legal")
            page.keyboard.press("Enter")
        while page.evaluate("state.turns") == turns:
            page.wait_for_timeout(5)
    page.keyboard.press("r")
    page.locator("dialog .review").wait_for()


def test_hint_and_undo(open_page):
    page = open_page()
    begin(page, cards=4)
    assert not at_end(page)
    before = page.evaluate("[state.turns, state.legal]")
    page.keyboard.press("h")
    page.locator(".ask .hint").wait_for()
    best = page.locator(".ask button.best")
    assert best.inner_text() in before[1]
    best.click()
    page.locator(".you .bid b").wait_for()
    page.locator(".hand.choose").wait_for()
    page.keyboard.press("u")
    page.locator(".ask .bids").wait_for()
    assert page.evaluate("[state.turns, state.legal]") == before
    assert page.evaluate("state.undos") == 1


def test_a_reload_in_the_middle_goes_on(open_page):
    page = open_page()
    begin(page, cards=5, length="game")
    choices(page).first.click()
    page.locator(".hand.choose").wait_for()
    before = page.evaluate("[game, state.turns, state.hand, state.bids]")
    page.reload()
    page.locator(".hand.choose").wait_for()
    assert page.evaluate("[game, state.turns, state.hand, state.bids]") == before
    page.get_by_role("button", name="to the lobby").click()
    page.get_by_role("button", name="Continue").click()
    page.locator(".hand.choose").wait_for()
    assert page.evaluate("[game, state.turns, state.hand, state.bids]") == before


def test_two_sessions_at_once(open_page):
    first, second = open_page(), open_page(390, 844, "dark")
    begin(first, cards=3)
    begin(second, players=5, cards=2)
    while not (at_end(first) and at_end(second)):
        for page in (first, second):
            if not at_end(page):
                turns = page.evaluate("state.turns")
                choices(page).first.click()
                while page.evaluate("state.turns") == turns:
                    page.wait_for_timeout(5)
    assert first.evaluate("game") != second.evaluate("game")
    assert first.locator(f"{END} tbody tr").count() == 4
    assert second.locator(f"{END} tbody tr").count() == 5


def table_with_a_hook(**changes):
    """A table whose person deals first, and may not make one of the bids."""
    for cut in map(str, range(1000)):
        session = Session(free_table(cut=cut, **changes))
        while not session.your_turn:
            session.advance()
        if session.forbidden_bid is not None:
            return session
    raise AssertionError("no table of a thousand has a hook")


def open_game(page, server, house, session):
    name = house.bring_in(to_text(session))["name"]
    page.goto(f"{server.address}#game={name}&fast")
    page.reload()
    page.locator(".you").wait_for()


def test_the_hook_is_explained(open_page, server, house):
    session = table_with_a_hook()
    page = open_page()
    open_game(page, server, house, session)
    page.locator(".hook").wait_for()
    forbidden = session.forbidden_bid
    assert page.locator(f".bids [data-action='{forbidden}']").is_disabled()
    assert f"may not bid {forbidden}" in page.locator(".hook").inner_text()
    page.keyboard.press(str(forbidden))
    assert page.evaluate("state.bids[0]") is None


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_all_bids_and_the_trump_can_be_read_while_bidding(open_page, server, house, width, height):
    session = table_with_a_hook(players=8, cards=6)
    page = open_page(width, height)
    open_game(page, server, house, session)
    page.locator(".ask").wait_for()
    # What lies under the question cannot be read.
    read = page.evaluate("""
        [...document.querySelectorAll('.ask, .seat, .trump')].filter((one) => {
            const box = one.getBoundingClientRect();
            return one.contains(document.elementFromPoint(box.left + 20, box.top + 12));
        }).map((one) => one.innerText).join(' ').replace(/\\s+/g, ' ')""")
    for name, bid in list(zip(session.table.names, session.round.bids, strict=True))[1:]:
        assert re.search(rf"{name} (Novice bid )?{bid}\b", read)
    assert "rump" in read


def test_a_hint_on_a_phone_covers_nothing_and_moves_nothing(open_page, server, house):
    session = Session(free_table(players=3, cards=13))
    while not (session.your_turn and session.round.phase == "playing" and len(session.round.legal_actions()) > 1):
        session.play(13) if session.your_turn else session.advance()
    page = open_page(390, 844)
    open_game(page, server, house, session)
    page.locator(".hand.choose").wait_for()
    boxes = """
        [...document.querySelectorAll('.you .name, .you .count > *, .you .status')]
            .map((one) => one.getBoundingClientRect()).map((box) => [box.left, box.right, box.top, box.bottom])
            .sort((a, b) => a[0] - b[0])"""
    before = page.evaluate(boxes)
    page.keyboard.press("h")
    page.locator(".hint").wait_for()
    assert page.evaluate(boxes) == before
    for (_, right, *_), (left, *_) in itertools.pairwise(before):
        assert right <= left


@pytest.mark.parametrize(("width", "height", "scheme"), [(1280, 800, "light"), (390, 844, "dark")])
def test_the_page_meets_wcag_aa(open_page, server, house, width, height, scheme):
    page = open_page(width, height, scheme)

    def check(what):
        page.evaluate(AXE)
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], what

    check("lobby")
    open_game(page, server, house, table_with_a_hook(cards=5))
    page.keyboard.press("h")
    page.locator(".best").wait_for()
    check("bidding")
    choices(page).first.click()
    page.locator(".hand.choose").wait_for()
    page.keyboard.press("h")
    page.locator(".best").wait_for()
    check("playing")
    play_by_clicks(page)
    check("end of a round")
    for dialog, part in (
        ("showScore()", ".sheet"),
        ("showReview(0)", ".review"),
        ("showDuplicate()", "tbody tr"),
        ("showDrill(1)", ".body"),
        ("showHelp()", "table"),
        ("showFairness()", ".mono"),
    ):
        page.evaluate(dialog)
        page.locator(f"dialog {part}").first.wait_for()
        check(dialog)


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844), (360, 640)])
@pytest.mark.parametrize(("players", "cards"), [(3, 13), (4, 5), (8, 6)])
def test_nothing_sticks_out_of_the_window(open_page, width, height, players, cards):
    page = open_page(width, height)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    begin(page, players=players, cards=cards)
    assert not at_end(page)
    choices(page).first.click()
    page.locator(".hand.choose").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate("""
        [...document.querySelectorAll('.card, .seat, .tools button')].map((one) => one.getBoundingClientRect())
            .filter((box) => box.width && (box.left < -1 || box.right > innerWidth + 1 || box.bottom > innerHeight + 1))
            .length""")
    assert outside == 0
    page.keyboard.press("h")
    for dialog in ("showHelp()", "showScore()", "showFairness()"):
        page.evaluate(dialog)
        page.locator("dialog .body").wait_for()
        sides = page.evaluate(
            "[...document.querySelectorAll('dialog .body')].map((one) => one.scrollWidth - one.clientWidth)"
        )
        if dialog != "showScore()" or players < 8:  # a sheet of eight scrolls in its dialog on a phone
            assert max(sides) <= 0, dialog


def test_every_control_has_a_name_and_targets_are_large_enough(open_page):
    page = open_page(390, 844)
    small = """
        [...document.querySelectorAll('button, select, input[type=text]')].filter((one) => {
            const box = one.getBoundingClientRect();
            return box.width && (box.width < 40 || box.height < 40);
        }).map((one) => one.outerHTML.slice(0, 90))"""
    nameless = """
        [...document.querySelectorAll('button')]
            .filter((one) => !(one.getAttribute('aria-label') || one.textContent.trim())).length"""
    assert page.evaluate(small) == []
    begin(page, cards=5)
    assert not at_end(page)
    assert page.evaluate(small) == []
    assert page.evaluate(nameless) == 0
