"""Seals the entries of the audit log at intervals, verifies a few old seals, and removes those whose time is over.

It runs in every gateway; one of them works at a time. Each seal is a line in the log, too: whoever keeps that elsewhere
can tell later that the end of the chain was cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from facefleet.clock import Clock
from facefleet.observability.logs import logger
from facefleet.observability.metrics import Metrics
from facefleet.observability.rounds import round_of
from facefleet.tasks.audit import Entry
from facefleet.tasks.records.chunks import CHUNK
from facefleet.tasks.seals import Seal, Seals
from facefleet.upkeep.verification import verify_some

EXPIRE_EVERY = timedelta(hours=1)  # each removal is an entry itself, so there must be fewer of them than of others

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Sealer:
    """Runs rounds at intervals.

    Attributes:
        kept: How long entries are kept after they were sealed.
    """

    seals: Seals
    metrics: Metrics
    clock: Clock
    kept: timedelta

    def run(self, wait: Callable[[float], bool], interval: float) -> None:
        """Run rounds until ``wait(interval)`` returns true, then seal once more, so that little is left unsealed."""
        expired, verified, stopped = self.clock(), 0, False
        while not stopped:
            stopped = wait(interval)
            with round_of(_log, interrupted="audit.interrupted", failed="audit.failed"):
                self.seal()
                if stopped:
                    break
                verified = self.verify(verified)
                if self.clock() - expired >= EXPIRE_EVERY:
                    expired = self.clock()
                    self.expire()

    def seal(self) -> None:
        """Seal everything that is committed.

        Raises:
            RecordsUnavailable: The database does not answer.
        """
        while (made := self.seals.seal()) is not None:
            seal, entries = made
            self._report(seal, entries)
            if len(entries) < CHUNK:
                return

    def verify(self, after: int) -> int:
        """Verify some seals after that one; returns the last of them, or 0 at the end of the log. Errors as above."""
        last, findings = verify_some(self.seals, after)
        for finding in findings:
            self.metrics.audit_faults.labels(finding.fault).inc()
            _log.error("audit.fault", fault=finding.fault.value, seal=finding.seal, entry=finding.entry)
        return last

    def expire(self) -> None:
        """Remove all entries whose time is over; errors as above."""
        while expired := self.seals.expire(self.kept):
            count = sum(seal.count for seal in expired)
            self.metrics.deleted.labels("audit").inc(count)
            _log.info("audit.expired", first_seal=expired[0].number, last_seal=expired[-1].number, count=count)

    def _report(self, seal: Seal, entries: Sequence[Entry]) -> None:
        """Count what was done, once for all gateways; and tell the seal to the log."""
        for entry in entries:
            self.metrics.audit_entries.labels(entry.action, entry.outcome).inc()
        self.metrics.audit_seals.inc()
        _log.info(
            "audit.sealed", seal=seal.number, hash=seal.hash, previous=seal.previous, first=seal.first, last=seal.last,
            count=seal.count,
        )  # fmt: skip
