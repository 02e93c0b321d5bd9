"""Whether new work is taken at all: maintenance, and full lanes. Asked before anything of a request is kept."""

from __future__ import annotations

from dataclasses import dataclass

from facefleet.errors.outage import Maintenance
from facefleet.tasks.backlog import Backlog
from facefleet.tasks.routes import Route
from facefleet.tasks.switches import MAINTENANCE, CachedSwitches

MAINTENANCE_SECONDS = 30  # nobody knows how long it lasts; asking twice a minute is no burden


@dataclass(frozen=True, slots=True)
class Admission:
    """The order: what operators say, then what the records say."""

    switches: CachedSwitches
    backlog: Backlog

    def check(self, route: Route, count: int = 1) -> None:
        """Let so many more tasks in.

        Raises:
            Maintenance: Operators have closed the door.
            Overloaded: The lane is full.
            RecordsUnavailable: The database does not answer.
        """
        closed = self.switches.get(MAINTENANCE)
        if closed is not None:
            reason = f": {closed.reason}" if closed.reason else ""
            raise Maintenance(
                f"No new work is taken for now{reason.rstrip('.')}; what was accepted goes on.",
                since=closed.since.isoformat(), retry_after=MAINTENANCE_SECONDS,
            )  # fmt: skip
        self.backlog.check(route, count)
