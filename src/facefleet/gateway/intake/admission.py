"""Decides whether new work is taken at all: not in maintenance, and not into full lanes.

It is asked before anything of a request is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

from facefleet.errors.outage import Maintenance
from facefleet.tasks.backlog import Backlog
from facefleet.tasks.routes import Route
from facefleet.tasks.switches import MAINTENANCE, CachedSwitches

MAINTENANCE_SECONDS = 30  # nobody knows how long it lasts; asking twice a minute is no burden


@dataclass(frozen=True, slots=True)
class Admission:
    """Asks the switches of the operators first, then the backlog."""

    switches: CachedSwitches
    backlog: Backlog

    def check(self, route: Route, count: int = 1) -> None:
        """Admit so many more tasks.

        Raises:
            Maintenance: Operators have begun maintenance.
            Overloaded: The lane is full.
            RecordsUnavailable: The database does not answer.
        """
        maintenance = self.switches.get(MAINTENANCE)
        if maintenance is not None:
            reason = f": {maintenance.reason}" if maintenance.reason else ""
            raise Maintenance(
                f"No new work is taken for now{reason.rstrip('.')}; what was accepted goes on.",
                since=maintenance.since.isoformat(), retry_after=MAINTENANCE_SECONDS,
            )  # fmt: skip
        self.backlog.check(route, count)
