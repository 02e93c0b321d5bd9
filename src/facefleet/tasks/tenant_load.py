"""Counts what one tenant has waiting and has sent today: for the limits that its policy sets."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock

from sqlalchemy import func, select

from facefleet.clock import Clock
from facefleet.errors.limits import BacklogFull, QuotaExceeded
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.table import tasks
from facefleet.tasks.transitions import State

WAITING_SECONDS, BYTES_SECONDS = 1.0, 10.0  # how long a count holds; what this process adds meanwhile is counted, too
RETRY_SECONDS = 5  # a tenant's own backlog moves with its own tasks; nobody knows more
_ROOM = 10_000  # tenants whose counts are remembered


@dataclass(slots=True)
class _Count:
    at: float
    total: int


class TenantLoad:
    """The counts of each tenant, for one process.

    Several gateways each see what the others accepted only with the next count, so a limit can be passed by what they
    accept within that time.

    Args:
        database: Of the records.
        clock: UTC.
        monotonic: s.
    """

    def __init__(
        self, database: Database, clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        self._lock = Lock()
        self._waiting: OrderedDict[str, _Count] = OrderedDict()
        self._bytes: OrderedDict[str, _Count] = OrderedDict()

    def take_waiting(self, tenant: str, more: int, limit: int) -> None:
        """Count so many more tasks as waiting.

        Raises:
            BacklogFull: The tenant would have more of them than the limit.
            RecordsUnavailable: The database does not answer.
        """
        with self._lock:
            self._room_to_wait(tenant, more, limit).total += more

    def require_waiting(self, tenant: str, more: int, limit: int) -> None:
        """Check that so many more tasks might wait, without counting them; errors as above."""
        with self._lock:
            self._room_to_wait(tenant, more, limit)

    def take_bytes(self, tenant: str, more: int, limit: int) -> None:
        """Count so many more bytes as sent today.

        Raises:
            QuotaExceeded: The tenant would have sent more than the limit.
            RecordsUnavailable: The database does not answer.
        """
        with self._lock:
            self._room_to_send(tenant, more, limit).total += more

    def require_bytes(self, tenant: str, more: int, limit: int) -> None:
        """Check that so many more bytes might be sent, without counting them; errors as above."""
        with self._lock:
            self._room_to_send(tenant, more, limit)

    def _room_to_wait(self, tenant: str, more: int, limit: int) -> _Count:
        count = self._fresh(self._waiting, tenant, WAITING_SECONDS, self._count_waiting)
        if count.total + more > limit:
            raise BacklogFull(
                f"{count.total:,} of your tasks wait, and your policy allows {limit:,}; "
                f"try again in {RETRY_SECONDS} s.",
                queued=count.total, more=more, limit=limit, retry_after=RETRY_SECONDS,
            )  # fmt: skip
        return count

    def _room_to_send(self, tenant: str, more: int, limit: int) -> _Count:
        count = self._fresh(self._bytes, tenant, BYTES_SECONDS, self._count_bytes)
        if count.total + more > limit:
            seconds = math.ceil((self._midnight() + timedelta(days=1) - self._clock()).total_seconds())
            raise QuotaExceeded(
                f"You have sent {count.total:,} bytes of photos today, and {more:,} more are over the {limit:,} of "
                "your policy; the next day begins at 00:00 UTC.",
                used=count.total, more=more, limit=limit, retry_after=seconds,
            )  # fmt: skip
        return count

    def _fresh(
        self, counts: OrderedDict[str, _Count], tenant: str, seconds: float, measure: Callable[[str], int]
    ) -> _Count:
        count = counts.pop(tenant, None)
        if count is None or self._monotonic() - count.at >= seconds:
            count = _Count(self._monotonic(), measure(tenant))
        counts[tenant] = count
        if len(counts) > _ROOM:
            counts.popitem(last=False)
        return count

    def _count_waiting(self, tenant: str) -> int:
        waiting = select(func.count()).where(tasks.c.tenant == tenant, tasks.c.state == State.QUEUED)
        with self._database.read() as connection:
            return connection.execute(waiting).scalar_one()

    def _count_bytes(self, tenant: str) -> int:
        today = tasks.c.created_at >= self._midnight()
        sent = select(func.coalesce(func.sum(tasks.c.bytes_in), 0)).where(tasks.c.tenant == tenant, today)
        with self._database.read() as connection:
            return int(connection.execute(sent).scalar_one())

    def _midnight(self) -> datetime:
        return self._clock().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
