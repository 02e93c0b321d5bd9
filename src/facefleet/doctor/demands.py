"""Holds what was found about a server to what the contract asks of it."""

from __future__ import annotations

from facefleet.doctor.contract import Demand
from facefleet.doctor.report import Finding, State, hold


def demand(finding: Finding, line: str, wanted: Demand | None) -> Finding:
    """The finding, held to the line: ``strict`` takes no warning, ``required`` nothing broken or skipped.

    Args:
        finding: About the server.
        line: Of the contract.
        wanted: What the line asks for; none: there is no such line. ``optional`` makes what is broken a warning.
    """
    if wanted is None:
        return finding
    if wanted is Demand.OPTIONAL:
        kept = finding.state is not State.BROKEN
        return hold(finding, line, wanted, kept=kept, advice=finding.advice, otherwise=State.WARNING)
    refused = {State.BROKEN, State.SKIPPED} | ({State.WARNING} if wanted is Demand.STRICT else set())
    return hold(finding, line, wanted, kept=finding.state not in refused, advice=finding.advice)
