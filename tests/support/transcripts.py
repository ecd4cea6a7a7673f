"""Tells a round or a game as text that a person can check: what was legal, done, and came of it."""

from support.reference_rules import PACK, card_index


def choose(engine, step):
    """A fixed, varied choice, so that a transcript depends on the deal and the rules alone."""
    legal = engine.legal_actions()
    return legal[(7 * step + 3) % len(legal)]


def numbers(values):
    return " ".join("-" if value is None else str(value) for value in values)


def transcript(engine, title):
    """Plays the round to its end and tells it. Works on `bz.Round` and on the reference alike."""
    trump = engine.trump or "none"
    lines = [f"# {title}: {engine.players} players, {engine.cards} cards, trump {trump}, dealer {engine.dealer}"]
    hands = [sorted(engine.hand(seat), key=card_index) for seat in range(engine.players)]
    lines += [f"hand {seat}: {' '.join(hand)}" for seat, hand in enumerate(hands)]
    step = 0
    while engine.phase != "done":
        seat, bidding = engine.to_play, engine.phase == "bidding"
        legal = " ".join(str(action) if bidding else PACK[action] for action in engine.legal_actions())
        action = choose(engine, step)
        done = f"bids {action}" if bidding else f"plays {PACK[action]}"
        engine.play(action)
        step += 1
        trick = " ".join(f"{player}:{card}" for player, card in engine.trick) or "-"
        state = f"bids {numbers(engine.bids)} | won {numbers(engine.tricks_won)} | trick {trick}"
        lines.append(f"seat {seat} {done} of {legal} | {state} | next {numbers([engine.to_play])}")
    lines.append(f"scores {numbers(engine.scores())}")
    return "\n".join(lines) + "\n"


def game_transcript(game, title):
    """Plays the game to its end and tells each round and the totals after it."""
    parts = [f"# {title}: schedule {numbers(game.schedule)}\n"]
    while not game.done:
        number = len(parts)
        opening = game.round
        twin, step = opening.copy(), 0
        while twin.phase != "done":
            action = choose(twin, step)
            twin.play(action)
            game.play(action)
            step += 1
        parts.append(transcript(opening.copy(), f"round {number}") + f"totals {numbers(game.totals)}\n")
    return "\n".join(parts)
