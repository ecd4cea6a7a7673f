"""A game for people: the table, bots, saved games, review; in the browser or in a terminal."""
