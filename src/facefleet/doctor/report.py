"""Defines what a check found, and the report of all checks with its exit status and its JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

FORMAT = 1  # of the document; raised when a field changes its meaning or goes away
DONE, FAILED, CONTRACT_BROKEN = 0, 1, 3


class State(StrEnum):
    """The outcome of a check; only ``BROKEN`` changes the exit status."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. No text in it holds a secret: addresses come without user, password and query.

    Attributes:
        check: What was looked at; stable.
        state: How it is.
        found: What was found.
        advice: What to do; empty where all is well.
        line: The line of the contract that it was held to, as ``memory.at_least``; empty where there is none.
        wanted: What that line asks for.
    """

    check: str
    state: State
    found: str
    advice: str = ""
    line: str = ""
    wanted: str = ""


def hold(
    finding: Finding, line: str, wanted: object, *, kept: bool, advice: str, otherwise: State = State.BROKEN
) -> Finding:
    """The finding, held to a line of the contract.

    Args:
        finding: What was found.
        line: Of the contract.
        wanted: What it asks for.
        kept: Whether that was found.
        advice: What to do where it was not.
        otherwise: The state where it was not.
    """
    if kept:
        return replace(finding, line=line, wanted=str(wanted))
    return replace(finding, line=line, wanted=str(wanted), state=otherwise, advice=advice)


@dataclass(frozen=True, slots=True)
class Report:
    """What all checks found.

    Attributes:
        version: Of facefleet.
        contract: Path of the contract; empty where there was none.
        findings: In the order of the checks.
    """

    version: str
    contract: str
    findings: Sequence[Finding]

    @property
    def status(self) -> int:
        """3: a line of the contract is broken. 1: something else is broken. 0: neither."""
        broken = [finding for finding in self.findings if finding.state is State.BROKEN]
        if any(finding.line for finding in broken):
            return CONTRACT_BROKEN
        return FAILED if broken else DONE

    def document(self) -> dict[str, Any]:
        """The JSON document; ``docs/guides/doctor.md`` describes it."""
        return {
            "format": FORMAT,
            "facefleet": self.version,
            "ok": self.status == DONE,
            "status": self.status,
            "contract": self.contract or None,
            "checks": [asdict(finding) for finding in self.findings],
        }
