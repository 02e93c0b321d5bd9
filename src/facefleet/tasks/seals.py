"""Chains the entries of the audit log: each seal is a hash over a batch of entries and over the seal before it.

Which entries a seal covers is decided when it is made: all that are committed and not in a seal yet, the oldest first.
So no order of writers has to be agreed upon, and an entry that is committed late, with an older id than entries that
are sealed already, is simply part of the next seal. One sealer works at a time: PostgreSQL has a lock for it, on SQLite
writers take turns.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from facefleet.clock import Clock
from facefleet.tasks.audit import SERVICE, Action, Entry
from facefleet.tasks.records.audit_log import entry_of, write_entry
from facefleet.tasks.records.chunks import CHUNK, rows_in_order
from facefleet.tasks.tables.database import Database, try_lock
from facefleet.tasks.tables.table import audit, seals

SEALS_AT_ONCE = 20  # that are read, or whose entries are removed, at once: each names up to a chunk of entries
GENESIS = "0" * 64  # stands for the seal before the first
SEALER_LOCK = 0x66_61_75_64_69_74  # any number that no other lock of this database has ("faudit")
_HASHED = ("number", "sealed_at", "count", "first", "last", "content", "previous")


@dataclass(frozen=True, slots=True)
class Seal:
    """One link of the chain.

    Attributes:
        number: From 1, without a gap.
        sealed_at: UTC (RFC 3339).
        count: Of the entries that it covers.
        first: The least id of them.
        last: The greatest.
        digests: A line ``<id> <SHA-256>`` for each, in the order of their ids; empty once they were removed.
        content: SHA-256 of ``digests``.
        previous: ``hash`` of the seal before.
        hash: SHA-256 of all fields above but ``digests``, as canonical JSON.
        removed_at: When retention removed its entries.
    """

    number: int
    sealed_at: str
    count: int
    first: str
    last: str
    digests: str
    content: str
    previous: str
    hash: str
    removed_at: str | None = None

    def computed_hash(self) -> str:
        """What ``hash`` has to be."""
        hashed = {name: getattr(self, name) for name in _HASHED}
        return _sha256(json.dumps(hashed, sort_keys=True, separators=(",", ":")))

    def computed_content(self) -> str:
        """What ``content`` has to be, while the digests are kept."""
        return _sha256(self.digests)


_FIELDS = tuple(field.name for field in fields(Seal))


def _sealed(entries: Sequence[Entry], previous: Seal | None, now: datetime) -> Seal:
    """The next seal, over entries in the order of their ids."""
    digests = "".join(f"{entry.id} {entry.digest()}\n" for entry in entries)
    unhashed = Seal(
        number=previous.number + 1 if previous else 1, sealed_at=_text(now), count=len(entries),
        first=entries[0].id, last=entries[-1].id, digests=digests, content=_sha256(digests),
        previous=previous.hash if previous else GENESIS, hash="",
    )  # fmt: skip
    return Seal(**{name: getattr(unhashed, name) for name in _FIELDS} | {"hash": unhashed.computed_hash()})


class Seals:
    """The chain of one database.

    Every method raises ``RecordsUnavailable`` when the database does not answer.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def seal(self) -> tuple[Seal, list[Entry]] | None:
        """Seal the oldest entries that are in no seal, at most a chunk of them.

        Returns:
            The seal and its entries; none where there was nothing to seal, or another process is at it.
        """
        if self.oldest_unsealed() is None:  # no lock is taken when there is nothing to do
            return None
        with self._database.write() as connection:
            if not try_lock(connection, SEALER_LOCK):
                return None
            entries = [entry_of(row) for row in connection.execute(_UNSEALED).mappings()]
            if not entries:
                return None
            made = _sealed(entries, _newest(connection), self._clock())
            connection.execute(insert(seals), {name: getattr(made, name) for name in _FIELDS})
            mine = audit.c.id.in_([entry.id for entry in entries])
            connection.execute(update(audit).where(mine).values(seal=made.number))
        return made, entries

    def oldest_unsealed(self) -> str | None:
        """When the oldest entry that is in no seal was written; none: all are."""
        with self._database.read() as connection:
            return connection.execute(_UNSEALED.with_only_columns(audit.c.at).limit(1)).scalar()

    def expire(self, age: timedelta) -> list[Seal]:
        """Remove the entries of the oldest seals that have some and are older than ``age``; the seals themselves stay.

        Returns:
            At most ``SEALS_AT_ONCE`` of them; none where none is so old, or another process is at it.
        """
        now = self._clock()
        kept = select(seals).where(seals.c.removed_at.is_(None)).order_by(seals.c.number).limit(SEALS_AT_ONCE)
        with self._database.write() as connection:
            if not try_lock(connection, SEALER_LOCK):
                return []
            oldest = (seal_of(row) for row in connection.execute(kept).mappings())
            # Up to the first that is young: clocks of gateways differ, and what is gone must be without a gap.
            expired = list(takewhile(lambda seal: seal.sealed_at < _text(now - age), oldest))
            if expired:
                numbers = [seal.number for seal in expired]
                gone = update(seals).where(seals.c.number.in_(numbers))
                connection.execute(gone.values(removed_at=_text(now), digests=""))
                connection.execute(delete(audit).where(audit.c.seal.in_(numbers)))
                write_entry(connection, SERVICE.entry(Action.AUDIT_EXPIRE, now, str(numbers[-1])))
        return expired

    # ── verification ─────────────────────────────────────────────────────────────────────────────────────────────

    def chain(self, after: int | None = None) -> Iterator[Seal]:
        """The seals in their order, all of them or those after a number; a page of them is in memory at once."""
        rows = rows_in_order(self._database, select(seals), seals.c.number, after=after, at_once=SEALS_AT_ONCE)
        return map(seal_of, rows)

    def get(self, number: int) -> Seal | None:
        """The seal of this number, as it is now."""
        with self._database.read() as connection:
            row = connection.execute(select(seals).where(seals.c.number == number)).mappings().one_or_none()
        return None if row is None else seal_of(row)

    def entries(self, number: int) -> Iterator[Entry]:
        """The entries of a seal, in the order of their ids."""
        return self._entries(audit.c.seal == number)

    def unsealed(self) -> Iterator[Entry]:
        """The entries that are in no seal, in the order of their ids."""
        return self._entries(audit.c.seal.is_(None))

    def _entries(self, condition: ColumnElement[bool]) -> Iterator[Entry]:
        return map(entry_of, rows_in_order(self._database, select(audit).where(condition), audit.c.id))

    def strays(self, expired: int, missing: Collection[int], last: int) -> list[tuple[str, int]]:
        """Id and seal of entries that name a seal which is not there, at most a chunk.

        Args:
            expired: Number of the last seal whose entries were removed, up to which there are none.
            missing: Numbers of seals that are gone.
            last: Number of the last seal, after which there is none but those made since.
        """
        there = exists().where(seals.c.number == audit.c.seal, seals.c.removed_at.is_(None))
        suspect = or_(audit.c.seal <= expired, audit.c.seal > last, audit.c.seal.in_(missing))
        stray = and_(suspect, ~there)
        with self._database.read() as connection:
            rows = connection.execute(select(audit.c.id, audit.c.seal).where(stray).order_by(audit.c.id).limit(CHUNK))
            return [(row.id, row.seal) for row in rows]


_UNSEALED = select(audit).where(audit.c.seal.is_(None)).order_by(audit.c.id).limit(CHUNK)


def seal_of(row: RowMapping) -> Seal:
    """The seal of a row."""
    return Seal(**{name: row[name] for name in _FIELDS})


def _newest(connection: Connection) -> Seal | None:
    greatest = select(func.max(seals.c.number)).scalar_subquery()
    row = connection.execute(select(seals).where(seals.c.number == greatest)).mappings().one_or_none()
    return None if row is None else seal_of(row)


def _text(at: datetime) -> str:
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
