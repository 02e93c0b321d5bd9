"""Decides whether new work is taken: not in maintenance, not into full lanes, and only what the tenant's policy allows.

It is asked before anything of a request is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

from facefleet.access.policy import Policy
from facefleet.access.policy_lookup import PolicyLookup
from facefleet.errors.outage import Maintenance
from facefleet.gateway.caller import Caller
from facefleet.tasks.backlog import Backlog
from facefleet.tasks.routes import Route
from facefleet.tasks.switches import MAINTENANCE, CachedSwitches
from facefleet.tasks.tenant_load import TenantLoad

MAINTENANCE_SECONDS = 30  # nobody knows how long it lasts; asking twice a minute is no burden


@dataclass(frozen=True, slots=True)
class Admission:
    """Asks the switches of the operators first, then the backlog, then the limits of the tenant."""

    switches: CachedSwitches
    backlog: Backlog
    policies: PolicyLookup
    load: TenantLoad

    def policy(self, caller: Caller) -> Policy:
        """What a caller may.

        Raises:
            RecordsUnavailable: The database has not answered since the program started.
        """
        return self.policies.of(caller.principal)

    def check(self, route: Route, count: int = 1) -> None:
        """Check that the service takes so many more tasks.

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

    def require_room(self, caller: Caller, route: Route) -> None:
        """Check that one more task of a tenant would be taken, whatever its photos are; nothing is counted.

        Raises:
            LimitReached: As by ``admit``.
            OutageError: As above.
        """
        self.check(route)
        policy = self.policy(caller)
        if policy.bytes_per_day is not None:
            self.load.require_bytes(caller.tenant, 1, policy.bytes_per_day)
        if policy.backlog is not None:
            self.load.require_waiting(caller.tenant, 1, policy.backlog)

    def admit(self, caller: Caller, route: Route, *, photo_bytes: int, count: int = 1) -> None:
        """Take so many more tasks of a tenant, which count against its limits from now on.

        Raises:
            BacklogFull: As many of its tasks wait as its policy allows.
            QuotaExceeded: It has sent as many bytes today as its policy allows.
            OutageError: As above.
        """
        self.check(route, count)
        policy = self.policy(caller)
        if policy.bytes_per_day is not None:
            self.load.take_bytes(caller.tenant, photo_bytes, policy.bytes_per_day)
        if policy.backlog is not None:
            self.load.take_waiting(caller.tenant, count, policy.backlog)
