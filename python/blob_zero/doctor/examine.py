"""The examination: which sections there are, and in which order."""

from collections.abc import Callable, Iterator

from blob_zero.doctor.findings import Diagnosis, Finding, NotCheckedError, first_line
from blob_zero.doctor.known import Known, Request
from blob_zero.doctor.versions import check_versions
from blob_zero.errors import BlobError

Check = Callable[[Known], Iterator[Finding]]


def examine(request: Request, *, notice: Callable[[str], None] = lambda _: None) -> Diagnosis:
    """Examines everything; an error becomes a finding.

    The run's folder is not changed. Beside it, a file of a few bytes is written and deleted. PyTorch's number of
    threads and its matrix precision are set as the run would set them.

    Args:
        request: what to examine.
        notice: called with a line before each section.
    """
    known = Known(request)
    notice("versions")
    done = {"versions": tuple(_guarded("versions", lambda _: check_versions(), known))}
    unusable = [finding.check for finding in done["versions"] if finding.figures.get("usable") is False]
    if unusable:
        found = f"not checked: {', '.join(unusable)} cannot be used"
        done["all else"] = (Finding("all else", "warning", found, "repair the versions first, then run doctor again"),)
        return Diagnosis(done)
    for name, check in _sections().items():
        notice(name)
        findings = tuple(_guarded(name, check, known))
        if findings:
            done[name] = findings
    return Diagnosis(done)


def _sections() -> dict[str, Check]:
    """What is examined after the versions, which say whether all this can be imported."""
    from blob_zero.doctor.choices import list_choices
    from blob_zero.doctor.cluster import check_cluster
    from blob_zero.doctor.cpu import check_cpu
    from blob_zero.doctor.device import check_device
    from blob_zero.doctor.needs import check_disk, check_memory
    from blob_zero.doctor.network import check_network
    from blob_zero.doctor.run import check_run

    return {
        "run": check_run,
        "CPU": check_cpu,
        "device": check_device,
        "network": check_network,
        "memory": check_memory,
        "disk": check_disk,
        "use": list_choices,
        "cluster": check_cluster,
    }


def _guarded(name: str, check: Check, known: Known) -> Iterator[Finding]:
    """A section's findings; an error that it did not expect is one more."""
    try:
        yield from check(known)
    except NotCheckedError as reason:
        yield Finding(name, "warning", f"not checked: {reason}", "repair that, then run doctor again")
    except BlobError as error:
        yield Finding(name, "failure", str(error), "change what the message names, then run doctor again")
    except Exception as error:  # an examination that ends here would keep the other findings back
        found = f"not finished: {type(error).__name__}: {first_line(error)}"
        yield Finding(name, "failure", found, "remove its cause; if you find none, report it with the output of --json")
