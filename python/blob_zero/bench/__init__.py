"""Benchmarks of the whole system: `blob-zero bench` and the functions behind it.

A `tables.Measurement` is a flat mapping from column to value. docs/performance.md says what the columns mean.
"""
