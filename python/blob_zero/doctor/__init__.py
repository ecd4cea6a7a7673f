"""`blob-zero doctor`: whether a run will work on this machine, and what it would use."""

from blob_zero.doctor.examine import examine
from blob_zero.doctor.findings import Diagnosis, Finding
from blob_zero.doctor.known import Request

__all__ = ["Diagnosis", "Finding", "Request", "examine"]
