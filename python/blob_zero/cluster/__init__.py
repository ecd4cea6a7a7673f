"""Play and matches on several machines: a pool of workers that lose nothing, and Ray below it."""
