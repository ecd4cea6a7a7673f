"""Every error blob-zero raises on purpose.

Messages are lower case, name the offending value and say what would have been right.
"""

from typing import Self


class BlobError(Exception):
    """Base of all errors of this package."""


class IllegalActionError(BlobError, ValueError):
    """An action that the rules do not allow; names the seat, the action and the legal ones."""


class ConfigError(BlobError, ValueError):
    """A setting, or a combination of settings, that cannot be used."""


class CheckpointError(BlobError):
    """A checkpoint that is missing, damaged or of another shape."""


class RunLockedError(BlobError):
    """Another process works in the run folder; the message names the process, its machine and its start."""


class DeviceError(BlobError):
    """A requested device is not there."""


class EvaluatorError(BlobError):
    """An evaluator broke its contract."""


class MissingPackageError(BlobError, ImportError):
    """An optional package is not installed; the message gives the line that installs it."""

    @classmethod
    def of(cls, what: str, package: str, *, extra: str) -> Self:
        """`what` needs `package`, which comes with an extra of blob-zero."""
        return cls(f"{what} needs {package}, which is not installed: pip install 'blob-zero[{extra}]'")


class ClusterError(BlobError):
    """The workers on other machines cannot be used, or none is left."""
