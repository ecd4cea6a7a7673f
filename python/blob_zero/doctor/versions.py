"""Installed versions, and whether the package accepts them. Imports nothing that may be broken."""

import platform
from collections.abc import Iterator
from importlib import import_module, metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from blob_zero import _core
from blob_zero.doctor.findings import Finding, first_line

_IMPORTED = ("torch", "numpy", "polars")
"""Packages with native code of their own, which can be installed and broken; they have a line each."""


def check_versions() -> Iterator[Finding]:
    """blob-zero, Python, the core, each package that blob-zero asks for, and the optional ones."""
    try:
        about = metadata.metadata("blob-zero")
    except metadata.PackageNotFoundError:
        yield Finding(
            "blob-zero", "failure", "not installed, only its files are there", "run make train, or pip install ."
        )
        return
    yield Finding("blob-zero", "ok", about["Version"])
    yield _python(SpecifierSet(about["Requires-Python"] or ""))
    yield _core_build(about["Version"])

    extras = about.get_all("Provides-Extra") or []
    requirements = [Requirement(text) for text in metadata.requires("blob-zero") or []]
    needed = [requirement for requirement in requirements if _applies(requirement, "")]
    plain: list[Finding] = []
    for requirement in sorted(needed, key=lambda requirement: (*_IMPORTED, requirement.name).index(requirement.name)):
        finding = _package(requirement)
        if requirement.name in _IMPORTED or finding.mark != "ok":
            yield finding
        else:
            plain.append(finding)
    yield Finding("other packages", "ok", ", ".join(f"{finding.check} {finding.found}" for finding in plain))
    for extra in extras:
        yield _extra(extra, [one for one in requirements if one not in needed and _applies(one, extra)])


def _python(asked: SpecifierSet) -> Finding:
    version = platform.python_version()
    if asked.contains(version, prereleases=True):
        return Finding("Python", "ok", version)
    return Finding(
        "Python",
        "failure",
        f"{version}; should be {asked}",
        "use another Python, for example with make clean and make PYTHON=python3.12 train",
    )


def _core_build(version: str) -> Finding:
    """The Rust extension; `getattr`, as one that was built from older sources lacks what newer ones have."""
    optimized = getattr(_core, "OPTIMIZED", None)
    found = f"{_core.__version__}, encoding {_core.ENCODING_VERSION}"
    again = "build it again: maturin develop --release, or make clean and make train"
    if _core.__version__ != version or optimized is None:
        stale = f"{found}: built from other sources than this blob-zero {version}"
        return Finding("Rust core", "failure", stale, again, {"usable": False})
    if not optimized:
        return Finding("Rust core", "warning", f"{found}, a debug build, several times slower than a release", again)
    return Finding("Rust core", "ok", f"{found}, release build")


def _package(requirement: Requirement) -> Finding:
    name, asked = requirement.name, requirement.specifier
    install = f"pip install '{name}{asked}'"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(name, "failure", f"not installed; should be {asked}", install, {"usable": False})
    if not asked.contains(version, prereleases=True):
        return Finding(name, "failure", f"{version}; should be {asked}", install)
    if name in _IMPORTED:
        try:
            import_module(name)
        except Exception as error:  # a broken library fails in any way it likes
            broken = f"{version} cannot be imported: {first_line(error)}"
            again = f"pip install --force-reinstall '{name}{asked}'"
            return Finding(name, "failure", broken, again, {"usable": False})
    return Finding(name, "ok", version)


def _extra(extra: str, requirements: list[Requirement]) -> Finding:
    findings = [_package(requirement) for requirement in requirements]
    found = ", ".join(f"{finding.check} {finding.found}" for finding in findings)
    if all(finding.mark == "ok" for finding in findings):
        return Finding(f"extra {extra}", "ok", found)
    return Finding(f"extra {extra}", "ok", f"{found}; optional", f"if wanted: pip install 'blob-zero[{extra}]'")


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})
