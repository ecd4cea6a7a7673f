"""Benchmarks of the whole system: `blob-zero bench` and the functions behind it.

Each measurement is a row, a flat mapping from column to value (`tables.Row`). What the columns mean is said once, in
docs/performance.md.
"""
