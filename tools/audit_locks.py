"""Checks what the locks pin: offline against their own form and a list of versions that are refused, or at OSV.

Run without an argument it needs no network: each requirement is one exact version with hashes, no lock names an index,
all locks agree, and nothing is in ``requirements/refused.toml``. ``--online`` has pip-audit ask the OSV database for
known weaknesses of the same versions; where that cannot be reached it says so and ends with status 0.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

FOLDER = Path(__file__).parents[1] / "requirements"
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}(?= |$)")
_AWAY = re.compile(r"\b(ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError)\b")
_OLD_DAYS = 90  # from then on, whoever looks is told to look again
_ASK_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Pin:
    """A requirement of a lock."""

    lock: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Versions that no lock may have, and why."""

    name: str
    versions: SpecifierSet
    reason: str


def read_lock(name: str, text: str) -> tuple[list[Pin], list[str]]:
    """The pins of a lock, and what is wrong with its lines."""
    pins, wrong = [], []
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pin = _pin(name, _HASH.sub("", line))
        if pin is None:
            wrong.append(f"{name}: not one version of a package: {line[:80]}")
        elif not _HASH.search(line):
            wrong.append(f"{name}: {pin.name} has no sha256")
        else:
            pins.append(pin)
    return pins, wrong


def _pin(lock: str, line: str) -> Pin | None:
    try:
        requirement = Requirement(line.strip())
    except InvalidRequirement:
        return None
    exact = re.fullmatch(r"==([^*]+)", str(requirement.specifier))
    if requirement.url or exact is None:
        return None
    return Pin(lock, canonicalize_name(requirement.name), exact[1])


def disagreements(pins: Sequence[Pin]) -> Iterator[str]:
    """Packages that two locks pin differently; one lock may have several versions, for several versions of Python."""
    versions: dict[str, dict[str, set[str]]] = {}
    for pin in pins:
        versions.setdefault(pin.name, {}).setdefault(pin.lock, set()).add(pin.version)
    for name, by_lock in versions.items():
        if len({frozenset(found) for found in by_lock.values()}) > 1:
            yield f"{name}: " + ", ".join(f"{' and '.join(sorted(v))} in {lock}" for lock, v in by_lock.items())


def refusals(pins: Sequence[Pin], refused: Sequence[Refused]) -> Iterator[str]:
    """Pins that are on the list."""
    for one in refused:
        for pin in pins:
            if pin.name == one.name and one.versions.contains(pin.version, prereleases=True):
                yield f"{pin.lock}: {pin.name} {pin.version} is refused: {one.reason}"


def read_list(document: Mapping[str, object]) -> tuple[list[Refused], date]:
    """The list, and when somebody last went through it."""
    rows, checked = document["refused"], document["checked"]
    assert isinstance(rows, list)
    assert isinstance(checked, date)
    return [Refused(canonicalize_name(r["name"]), SpecifierSet(r["versions"]), r["reason"]) for r in rows], checked


def check(today: date) -> int:
    """Check the locks without a network; the exit status."""
    pins, wrong = [], []
    for path in sorted(FOLDER.glob("*.txt")):
        found, bad = read_lock(path.stem, path.read_text("utf-8"))
        pins += found
        wrong += bad
    refused, checked = read_list(tomllib.loads((FOLDER / "refused.toml").read_text("utf-8")))
    wrong += [*disagreements(pins), *refusals(pins, refused)]
    if (today - checked).days > _OLD_DAYS:
        sys.stderr.write(f"requirements/refused.toml was last checked on {checked}: run `make audit`, renew it\n")
    sys.stderr.writelines(f"{line}\n" for line in wrong)
    return bool(wrong)


def ask() -> int:
    """Have pip-audit ask for known weaknesses of each lock that is not a part of another; the exit status."""
    worst = 0
    for lock in ("dev", "bench", "audit"):
        report = _report(lock)
        if report is None:
            sys.stderr.write(f"{lock}: skipped, the database of weaknesses cannot be reached from here\n")
            continue
        for line in _weaknesses(report):
            worst = 1
            sys.stderr.write(f"{lock}: {line}\n")
        sys.stderr.write(f"{lock}: {len(report['dependencies'])} packages asked for\n")
    return worst


def _report(lock: str) -> dict[str, list[dict[str, object]]] | None:
    """What pip-audit wrote; none where it could not ask. Whatever else goes wrong ends the program with status 1."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "report.json"
        command = [
            sys.executable, "-m", "pip_audit", "--requirement", str(FOLDER / f"{lock}.txt"), "--require-hashes",
            "--disable-pip", "--vulnerability-service", "osv", "--progress-spinner", "off",
            "--format", "json", "--output", str(output),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False)
        if output.exists() and output.stat().st_size:
            report: dict[str, list[dict[str, object]]] = json.loads(output.read_text("utf-8"))
            return report
    if not _AWAY.search(done.stderr):
        raise SystemExit(f"{lock}: pip-audit failed: {done.stderr[-1000:]}")
    return None


def _weaknesses(report: Mapping[str, Sequence[Mapping[str, object]]]) -> Iterator[str]:
    for package in report["dependencies"]:
        found = package.get("vulns", [])
        assert isinstance(found, list)
        for one in found:
            yield f"{package['name']} {package['version']}: {one['id']}, mended in {one['fix_versions']}"


if __name__ == "__main__":
    sys.exit(ask() if "--online" in sys.argv else check(datetime.now(UTC).date()))
