"""Keeps the sessions of browsers with the records, so that every gateway knows them and a sign-out ends them in all."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, insert, select

from facefleet.access.principal import Credential, CredentialKind, Principal
from facefleet.access.roles import Role, permissions_of
from facefleet.access.session import MOST, Session
from facefleet.clock import Clock
from facefleet.tasks.audit import Action, Origin, storable
from facefleet.tasks.records.audit_log import write_entry
from facefleet.tasks.records.chunks import CHUNK
from facefleet.tasks.tables.database import Database, take_lock
from facefleet.tasks.tables.table import sessions

_SIGN_IN_LOCK = 0x66_73_65_73  # any number that no other lock of this database has ("fses")
_ROLES = frozenset(Role)


class SessionRecords:
    """The table of sessions; one that was ended has no row any more, and the audit log says when it was.

    Every method raises ``RecordsUnavailable`` when the database does not answer, and one that changes something
    ``RecordsUncertain`` when it went away while it committed.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, session: Session, digest: str, by: Origin, replaced: str | None = None) -> None:
        """Keep a new session; of those of the same subject that are too many, the oldest end.

        Args:
            session: That begins.
            digest: Of its secret.
            by: Who signs in.
            replaced: Digest of the session that the same browser had; it ends.
        """
        who = session.principal
        with self._database.write() as connection:
            # Else two sign-ins at once would not count each other.
            take_lock(connection, _SIGN_IN_LOCK, of=f"{who.tenant}\n{who.subject}")
            if replaced is not None:
                self._end(connection, sessions.c.digest == replaced, by)
            self._end(connection, sessions.c.id.in_(self._too_many(connection, who)), by)
            connection.execute(insert(sessions).values(**_row(session), digest=digest))
            write_entry(connection, by.entry(Action.SESSION_CREATE, session.created_at, session.id))

    def find(self, digest: str) -> Session | None:
        """The session with this digest, unless it is over."""
        live = and_(sessions.c.digest == digest, sessions.c.expires_at > self._clock())
        with self._database.read() as connection:
            row = connection.execute(select(sessions).where(live)).mappings().one_or_none()
        return _session(row) if row is not None else None

    def end(self, session_id: str, by: Origin) -> None:
        """End a session now; to do it again changes nothing."""
        with self._database.write() as connection:
            self._end(connection, sessions.c.id == session_id, by)

    def delete_expired(self) -> int:
        """Delete sessions that are over, at most a chunk of them; returns how many."""
        over = select(sessions.c.id).where(sessions.c.expires_at <= self._clock()).limit(CHUNK)
        with self._database.write() as connection:
            chunk = connection.scalars(over).all()
            return connection.execute(delete(sessions).where(sessions.c.id.in_(chunk))).rowcount

    def _too_many(self, connection: Connection, of: Principal) -> list[str]:
        """Those that leave no room for one more, the oldest."""
        theirs = and_(
            sessions.c.tenant == of.tenant, sessions.c.subject == of.subject, sessions.c.expires_at > self._clock()
        )
        oldest = select(sessions.c.id).where(theirs).order_by(sessions.c.id.desc()).limit(CHUNK).offset(MOST - 1)
        return list(connection.scalars(oldest))

    def _end(self, connection: Connection, which: ColumnElement[bool], by: Origin) -> None:
        ended = delete(sessions).where(which).returning(sessions.c.id, sessions.c.tenant)
        for row in connection.execute(ended).all():
            write_entry(connection, by.entry(Action.SESSION_END, self._clock(), row.id, tenant=row.tenant))


def _row(session: Session) -> dict[str, Any]:
    who = session.principal
    return {
        "id": session.id, "tenant": who.tenant, "subject": who.subject, "roles": sorted(who.roles), "plan": who.plan,
        "credential_kind": who.credential.kind.value, "credential": storable(who.credential.id),
        "created_at": session.created_at, "expires_at": session.expires_at,
    }  # fmt: skip


def _session(row: RowMapping) -> Session:
    """The session of a row; roles of another release are left out, so that they allow nothing."""
    roles = frozenset(Role(one) for one in row["roles"] if one in _ROLES)
    credential = Credential(CredentialKind(row["credential_kind"]), row["credential"])
    principal = Principal(row["tenant"], row["subject"], roles, permissions_of(roles), credential, row["plan"])
    return Session(id=row["id"], principal=principal, created_at=row["created_at"], expires_at=row["expires_at"])
