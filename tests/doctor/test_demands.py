"""What each demand makes of what was found about a server."""

from __future__ import annotations

import pytest

from facefleet.doctor.contract import Demand
from facefleet.doctor.demands import demand
from facefleet.doctor.report import Finding, State


@pytest.mark.parametrize(
    ("wanted", "becomes"),
    [
        (None, {State.OK: "ok", State.WARNING: "warning", State.SKIPPED: "skipped", State.BROKEN: "broken"}),
        (
            Demand.OPTIONAL,
            {State.OK: "ok", State.WARNING: "warning", State.SKIPPED: "skipped", State.BROKEN: "warning"},
        ),
        (Demand.REQUIRED, {State.OK: "ok", State.WARNING: "warning", State.SKIPPED: "broken", State.BROKEN: "broken"}),
        (Demand.STRICT, {State.OK: "ok", State.WARNING: "broken", State.SKIPPED: "broken", State.BROKEN: "broken"}),
    ],
)
def test_a_demand_decides_what_a_state_becomes(wanted: Demand | None, becomes: dict[State, str]) -> None:
    for state, after in becomes.items():
        held = demand(Finding("store", state, "found", "Do."), "servers.store", wanted)
        assert (held.state, held.advice) == (after, "Do.")
        assert (held.line, held.wanted) == (("servers.store", str(wanted)) if wanted else ("", ""))
