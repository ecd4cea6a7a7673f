"""Rounds played by the core: sessions, the threads that serve evaluators, sizes and records."""
