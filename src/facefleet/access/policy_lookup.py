"""Finds the policy of a tenant among those of the file and the records, read anew every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import cast

from facefleet.access.policy import Policies, Policy, Scope, TenantPolicy
from facefleet.access.policy_file import read_policies
from facefleet.access.policy_records import StoredPolicy
from facefleet.access.principal import Principal
from facefleet.errors.base import FacefleetError
from facefleet.errors.input import ConfigInvalid
from facefleet.observability.logs import logger

FRESH_SECONDS = 5.0
"""How long policies that were read are used: so long after a change an old one can still hold."""

_log = logger(__name__)


class PolicyLookup:
    """The policies as a program uses them.

    While file or records cannot be read, those that were read last stay; none were ever read: nobody is let in.

    Args:
        file: Of the policies; none: there is none.
        stored: Reads those of the records.
        clock: s, monotonic.

    Raises:
        ConfigInvalid: The file cannot be used.
    """

    def __init__(
        self, file: Path | None, stored: Callable[[], Sequence[StoredPolicy]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._file = file
        self._stored = stored
        self._clock = clock
        self._lock = Lock()
        self._of_file = read_policies(file) if file else Policies()
        self._policies: Policies | None = None
        self._known: dict[tuple[str, str | None], Policy] = {}
        self._read_at = 0.0

    @property
    def fresh(self) -> bool:
        """Whether an answer needs no reading."""
        return self._policies is not None and self._clock() - self._read_at < FRESH_SECONDS

    def of(self, principal: Principal) -> Policy:
        """What a principal's tenant may.

        Raises:
            RecordsUnavailable: The database has not answered since the program started.
        """
        return self.of_tenant(principal.tenant, principal.plan)

    def of_tenant(self, tenant: str, plan: str | None = None) -> Policy:
        """What a tenant may, whose token names this plan; raises as above."""
        policies = self.refresh()
        policy = self._known.get((tenant, plan))
        if policy is None:
            policy = self._known[tenant, plan] = policies.of(tenant, plan)
        return policy

    def webhook_secrets(self, tenant: str) -> Path | None:
        """The file of the secrets that sign a tenant's webhooks, where it has its own; raises as above."""
        return self.refresh().webhook_secrets.get(tenant)

    def read_now(self) -> Policies:
        """Read file and records, for whoever has just changed them; raises as above."""
        with self._lock:
            self._read()
        return self.refresh()

    def refresh(self) -> Policies:
        """Read what is due in one thread, while the others use what was read last.

        Raises:
            RecordsUnavailable: As above.
        """
        if not self.fresh and self._lock.acquire(blocking=self._policies is None):
            try:
                if not self.fresh:
                    self._read()
            finally:
                self._lock.release()
        assert self._policies is not None  # noqa: S101 - whoever could not wait for the lock has one
        return self._policies

    def _read(self) -> None:
        try:
            of_file = read_policies(self._file) if self._file else self._of_file
            rows = self._stored()
        except FacefleetError as error:
            if self._policies is None and not isinstance(error, ConfigInvalid):
                raise
            _log.warning("policies.not_read", code=error.code, reason=error.message)
        else:
            tenants = {row.name: cast("TenantPolicy", row.policy) for row in rows if row.scope is Scope.TENANT}
            plans = {row.name: row.policy for row in rows if row.scope is Scope.PLAN}
            self._of_file = of_file
            self._policies, self._known = of_file.with_rows(plans, tenants), {}
        self._read_at = self._clock()
