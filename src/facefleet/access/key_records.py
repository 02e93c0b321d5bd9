"""Keeps API keys with the records, so that every gateway takes the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, insert, or_, select, true, update

from facefleet.access.api_key import ApiKey, KeyState
from facefleet.access.permissions import Permission
from facefleet.access.roles import Role
from facefleet.clock import Clock
from facefleet.errors.conflict import KeyEnded
from facefleet.errors.lookup import KeyNotFound
from facefleet.tasks.audit import Action, Origin
from facefleet.tasks.ids import is_id
from facefleet.tasks.records.audit_log import write_entry
from facefleet.tasks.records.pages import Page, before, page_of
from facefleet.tasks.tables.database import Database, take_lock
from facefleet.tasks.tables.table import api_keys

USE_INTERVAL = timedelta(seconds=60)  # between two writes of when one key was used
_FIRST_LOCK = 0x66_6B_65_79  # any number that no other lock of this database has ("fkey")
_ROLES, _PERMISSIONS = frozenset(Role), frozenset(Permission)


class KeyRecords:
    """The table of API keys. A tenant of None means every tenant's, for operators.

    Every method raises ``RecordsUnavailable`` when the database does not answer, and one that changes something
    ``RecordsUncertain`` when it went away while it committed. A change is committed with its entry in the audit log.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, key: ApiKey, digest: str, by: Origin) -> None:
        """Keep a new key."""
        with self._database.write() as connection:
            _add(connection, key, digest, by)

    def any(self) -> bool:
        """Whether there is a key, or was one: what has ended is kept."""
        with self._database.read() as connection:
            return _any(connection)

    def add_first(self, key: ApiKey, digest: str, by: Origin) -> bool:
        """Keep a new key if there is none at all; of several processes that ask at once, one adds its key."""
        with self._database.write() as connection:
            take_lock(connection, _FIRST_LOCK)
            if _any(connection):
                return False
            _add(connection, key, digest, by)
        return True

    def find(self, prefix: str) -> tuple[ApiKey, str] | None:
        """The key with this prefix, and its digest."""
        with self._database.read() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.prefix == prefix)).mappings().one_or_none()
        return (_key(row), row["digest"]) if row is not None else None

    def get(self, tenant: str | None, key_id: str) -> ApiKey:
        """A key by its id.

        Raises:
            KeyNotFound: There is none of this tenant.
        """
        if is_id(key_id):
            with self._database.read() as connection:
                row = connection.execute(select(api_keys).where(_one(tenant, key_id))).mappings().one_or_none()
            if row is not None:
                return _key(row)
        raise KeyNotFound(f"There is no API key {key_id[:64]!r}.", key_id=key_id[:64])

    def page(self, tenant: str | None, cursor: str | None, limit: int) -> Page[ApiKey]:
        """The newest keys, those that have ended included.

        Raises:
            OptionInvalid: The cursor is none that this list gave.
        """
        wanted = and_(_of(tenant), before(api_keys.c.id, cursor))
        newest_first = select(api_keys).where(wanted).order_by(api_keys.c.id.desc()).limit(limit + 1)
        with self._database.read() as connection:
            rows = connection.execute(newest_first).mappings().all()
        return page_of([_key(row) for row in rows], limit, lambda key: key.id)

    def revoke(self, tenant: str | None, key_id: str, by: Origin) -> ApiKey:
        """End a key now; to end it again changes nothing.

        Raises:
            KeyNotFound: There is none of this tenant.
        """
        key, now = self.get(tenant, key_id), self._clock()
        end = update(api_keys).where(api_keys.c.id == key.id, api_keys.c.revoked_at.is_(None))
        with self._database.write() as connection:
            if connection.execute(end.values(revoked_at=now)).rowcount:
                write_entry(connection, by.entry(Action.KEY_REVOKE, now, key.id, tenant=key.tenant))
        return self.get(tenant, key_id)

    def rotate(self, old: ApiKey, new: ApiKey, digest: str, ends_at: datetime, by: Origin) -> ApiKey:
        """Keep a new key in the place of another, which ends at that time if it does not end sooner.

        Returns:
            The old key as it is now.

        Raises:
            KeyEnded: It had ended, or was rotated before.
        """
        now = self._clock()
        until = min(filter(None, (old.expires_at, ends_at)))
        works = and_(
            api_keys.c.id == old.id, api_keys.c.replaced_by.is_(None), api_keys.c.revoked_at.is_(None),
            or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
        )  # fmt: skip
        with self._database.write() as connection:
            replaced = connection.execute(update(api_keys).where(works).values(replaced_by=new.id, expires_at=until))
            if replaced.rowcount:
                write_entry(connection, by.entry(Action.KEY_ROTATE, now, old.id, tenant=old.tenant))
                _add(connection, new, digest, by)
        if not replaced.rowcount:
            raise _ended(self.get(old.tenant, old.id), now)
        return replace(old, replaced_by=new.id, expires_at=until)

    def note_refusal(self, action: Action, of: str, by: Origin, tenant: str, code: str) -> None:
        """Write to the audit log that somebody asked for a key that they may not have."""
        with self._database.write() as connection:
            write_entry(connection, by.entry(action, self._clock(), of, tenant=tenant, refused=code))

    def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Write when keys were used last, unless that was written a moment ago, by another gateway perhaps."""
        with self._database.write(undoable=True) as connection:
            for key_id, at in uses.items():
                stale = or_(api_keys.c.used_at.is_(None), api_keys.c.used_at <= at - USE_INTERVAL)
                connection.execute(update(api_keys).where(api_keys.c.id == key_id, stale).values(used_at=at))


def _any(connection: Connection) -> bool:
    return connection.execute(select(api_keys.c.id).limit(1)).first() is not None


def _add(connection: Connection, key: ApiKey, digest: str, by: Origin) -> None:
    connection.execute(insert(api_keys).values(**_row(key), digest=digest))
    write_entry(connection, by.entry(Action.KEY_CREATE, key.created_at, key.id, tenant=key.tenant))


def _of(tenant: str | None) -> ColumnElement[bool]:
    return true() if tenant is None else api_keys.c.tenant == tenant


def _one(tenant: str | None, key_id: str) -> ColumnElement[bool]:
    return and_(_of(tenant), api_keys.c.id == key_id)


def _ended(key: ApiKey, now: datetime) -> KeyEnded:
    state = key.state(now)
    why = f"it is {state}" if state is not KeyState.ACTIVE else f"it was rotated into {key.replaced_by}"
    return KeyEnded(f"The API key cannot be rotated: {why}.", key_id=key.id, status=state.value)


def _row(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id, "tenant": key.tenant, "name": key.name, "prefix": key.prefix, "roles": sorted(key.roles),
        "scope": None if key.scope is None else sorted(key.scope), "created_by": key.created_by,
        "created_at": key.created_at, "expires_at": key.expires_at, "used_at": key.used_at,
        "revoked_at": key.revoked_at, "replaced_by": key.replaced_by,
    }  # fmt: skip


def _key(row: RowMapping) -> ApiKey:
    """The key of a row; roles and permissions of another release are left out, so that they allow nothing."""
    scope = row["scope"]
    return ApiKey(
        id=row["id"], tenant=row["tenant"], name=row["name"], prefix=row["prefix"],
        roles=frozenset(Role(one) for one in row["roles"] if one in _ROLES),
        scope=None if scope is None else frozenset(Permission(one) for one in scope if one in _PERMISSIONS),
        created_by=row["created_by"], created_at=row["created_at"], expires_at=row["expires_at"],
        used_at=row["used_at"], revoked_at=row["revoked_at"], replaced_by=row["replaced_by"],
    )  # fmt: skip
