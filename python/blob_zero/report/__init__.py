"""`blob-zero report`: a run as one HTML page with its curves, and each curve as a PNG beside it."""

from blob_zero.report.page import write_report

__all__ = ["write_report"]
