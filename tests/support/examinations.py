"""Examinations by `blob-zero doctor`, of small runs played by stand-ins."""

import json
from types import SimpleNamespace

from blob_zero.doctor import Request, examine
from support.command_line import command
from support.training_fakes import small_config

CONFIG = small_config(
    game={"players": 3, "cards": 2},
    search={"worlds": 1, "simulations": 4},
    selfplay={"batch_rows": 16},
)


def run_doctor(monkeypatch, capsys, *arguments):
    """Exit status and the findings of --json by section and check; each that is not ok names a remedy."""
    status, out, err = command(monkeypatch, capsys, "doctor", "--json", *map(str, arguments))
    report = json.loads(out)
    assert "Traceback" not in err
    assert status == (0 if report["healthy"] else 1)
    assert report["healthy"] == (report["failures"] == 0)
    marks = [finding["mark"] for finding in report["findings"]]
    assert (report["failures"], report["warnings"]) == (marks.count("failure"), marks.count("warning"))
    assert all(finding["remedy"] for finding in report["findings"] if finding["mark"] != "ok")
    return status, {
        (finding["section"], finding["check"]): SimpleNamespace(**finding) for finding in report["findings"]
    }


def failures(findings):
    return {where for where, finding in findings.items() if finding.mark == "failure"}


def findings_of(**request):
    """The same without the command, where only some findings matter."""
    sections = examine(Request(**request)).sections
    return {(section, finding.check): finding for section, found in sections.items() for finding in found}
