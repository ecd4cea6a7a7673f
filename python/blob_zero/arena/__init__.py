"""Matches and what follows from them: judging, tournaments, ratings, the table that ends a run."""
