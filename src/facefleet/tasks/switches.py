"""Keeps what operators switched on, maintenance and paused lanes, with the records, so every program sees the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from facefleet.clock import Clock
from facefleet.errors.outage import OutageError
from facefleet.observability.logs import logger
from facefleet.tasks.audit import Entry
from facefleet.tasks.records.audit_log import write_entry
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.table import switches

MAINTENANCE = "maintenance"
FRESH_SECONDS = 1.0  # how long values that were read are used
_PAUSE = "pause:"
_LONGEST_REASON = switches.c.reason.type.length  # type: ignore[attr-defined]

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch that is on.

    Attributes:
        since: UTC.
        reason: In the operator's words; may be empty.
    """

    name: str
    since: datetime
    reason: str


def pause_of(track: str, lane: str) -> str:
    """The switch that pauses a lane."""
    return f"{_PAUSE}{track}.{lane}"


class Switches:
    """The table of switches.

    Every method raises ``RecordsUnavailable`` when the database does not answer.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def on(self, name: str, entry: Entry, reason: str = "") -> None:
        """Switch on, and add the entry to the audit log; of one that is on already only the reason changes."""
        # No database stores a NUL, nor the lone surrogates that stand for undecodable bytes of a command line.
        words = reason[:_LONGEST_REASON].replace("\0", "?").encode(errors="replace").decode()
        try:
            self._on(name, entry, words)
        except IntegrityError:  # another was faster
            self._on(name, entry, words)

    def off(self, name: str, entry: Entry) -> None:
        """Switch off, and add the entry to the audit log; of one that is off nothing changes."""
        with self._database.write() as connection:
            if connection.execute(delete(switches).where(switches.c.name == name)).rowcount:
                write_entry(connection, entry)

    def _on(self, name: str, entry: Entry, reason: str) -> None:
        same = update(switches).where(switches.c.name == name).values(reason=reason)
        with self._database.write() as connection:
            if not connection.execute(same).rowcount:
                connection.execute(insert(switches).values(name=name, since=self._clock(), reason=reason))
            write_entry(connection, entry)

    def all(self) -> Mapping[str, Switch]:
        """Those that are on, by name."""
        with self._database.read() as connection:
            rows = connection.execute(select(switches).order_by(switches.c.name)).mappings()
            return {row["name"]: Switch(row["name"], row["since"], row["reason"]) for row in rows}


class CachedSwitches:
    """The switches for frequent queries: read at most once a second; in an outage the last values stay.

    Args:
        read: ``Switches.all``.
        clock: s, monotonic.
    """

    def __init__(self, read: Callable[[], Mapping[str, Switch]], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._lock = Lock()
        self._known: Mapping[str, Switch] = {}
        self._paused: frozenset[str] = frozenset()
        self._read_at: float | None = None

    def get(self, name: str) -> Switch | None:
        """The switch, where it is on."""
        self._refresh()
        return self._known.get(name)

    def paused(self) -> frozenset[str]:
        """The lanes that are paused, as ``<track>.<lane>``."""
        self._refresh()
        return self._paused

    def _refresh(self) -> None:
        """Read in one thread; the others use the last values."""
        if not self._stale() or not self._lock.acquire(blocking=self._read_at is None):
            return
        try:
            if self._stale():
                self._known = self._read()
                self._paused = frozenset(n.removeprefix(_PAUSE) for n in self._known if n.startswith(_PAUSE))
        except OutageError as error:
            _log.warning("switches.not_read", code=error.code, cause=error.detail.get("cause"))
        finally:
            self._read_at = self._clock()
            self._lock.release()

    def _stale(self) -> bool:
        return self._read_at is None or self._clock() - self._read_at >= FRESH_SECONDS
