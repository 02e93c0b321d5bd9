"""Sessions of browsers in the records, on every database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select, update
from tests.tasks.fakes import FakeClock

from facefleet.access.principal import Credential, CredentialKind, Principal
from facefleet.access.roles import Role, permissions_of
from facefleet.access.session import MOST, Session, SessionSecret
from facefleet.access.session_records import SessionRecords
from facefleet.tasks.audit import Action, Origin
from facefleet.tasks.ids import new_id_of
from facefleet.tasks.records.audit_log import AuditFilter, AuditLog
from facefleet.tasks.records.chunks import CHUNK
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.table import sessions

ROLES = frozenset({Role.MEMBER, Role.AUDITOR})
ALICE = Principal("acme", "alice", ROLES, permissions_of(ROLES), Credential(CredentialKind.TOKEN, "t-1"), "gold")
BY, ADMIN = Origin("alice", "acme"), Origin("root", "ops")


@pytest.fixture
def records(database: Database, clock: FakeClock) -> SessionRecords:
    return SessionRecords(database, clock)


def begun(records: SessionRecords, clock: FakeClock, who: Principal = ALICE, **replaced: Any) -> tuple[Session, str]:
    """A session of an hour, and the digest of its secret."""
    clock.now += timedelta(milliseconds=2)  # so that their ids have an order
    session = Session(id=new_id_of(clock()), principal=who, created_at=clock(), expires_at=clock() + timedelta(hours=1))
    digest = SessionSecret.new().digest
    records.add(session, digest, Origin(who.subject, who.tenant), **replaced)
    return session, digest


def counted(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(sessions)) or 0


def actions(database: Database, clock: FakeClock) -> list[tuple[str, str, str, str | None]]:
    entries = AuditLog(database, clock).entries(AuditFilter())
    return [(one.actor, one.tenant, one.action, one.object) for one in entries]


def test_a_session_is_found_by_its_digest_with_all_that_is_known_of_who_signed_in(
    records: SessionRecords, clock: FakeClock
) -> None:
    session, digest = begun(records, clock)
    assert records.find(digest) == session
    assert records.find("0" * 64) is None


def test_a_session_is_over_at_its_time(records: SessionRecords, clock: FakeClock) -> None:
    session, digest = begun(records, clock)
    clock.now = session.expires_at - timedelta(milliseconds=1)
    assert records.find(digest) is not None
    clock.now = session.expires_at
    assert records.find(digest) is None


def test_a_session_is_ended_once_and_audited_for_its_tenant(
    records: SessionRecords, database: Database, clock: FakeClock
) -> None:
    (session, digest), (_, other) = begun(records, clock), begun(records, clock)
    records.end(session.id, ADMIN)
    records.end(session.id, ADMIN)
    records.end("nobody", ADMIN)
    assert records.find(digest) is None
    assert records.find(other) is not None
    assert counted(database) == 1
    ended = [one for one in actions(database, clock) if one[2] == Action.SESSION_END]
    assert ended == [("root", "acme", Action.SESSION_END, session.id)]


def test_a_browser_that_signs_in_anew_ends_the_session_that_it_had(
    records: SessionRecords, database: Database, clock: FakeClock
) -> None:
    old, old_digest = begun(records, clock)
    bob = replace(ALICE, tenant="rival", subject="bob")
    new, new_digest = begun(records, clock, bob, replaced=old_digest)
    assert records.find(old_digest) is None
    assert records.find(new_digest) == new
    assert sorted(actions(database, clock)) == [
        ("alice", "acme", Action.SESSION_CREATE, old.id),
        ("bob", "acme", Action.SESSION_END, old.id),
        ("bob", "rival", Action.SESSION_CREATE, new.id),
    ]


def test_beyond_so_many_of_a_subject_the_oldest_end(
    records: SessionRecords, database: Database, clock: FakeClock
) -> None:
    others = [begun(records, clock, who)[1] for who in (replace(ALICE, subject="bob"), replace(ALICE, tenant="rival"))]
    mine = [begun(records, clock) for _ in range(MOST + 2)]
    kept = [records.find(digest) is not None for _, digest in mine]
    assert kept == [False, False] + [True] * MOST
    assert all(records.find(digest) for digest in others)
    ended = [one[3] for one in actions(database, clock) if one[2] == Action.SESSION_END]
    assert sorted(filter(None, ended)) == [session.id for session, _ in mine[:2]]


def test_many_sign_ins_at_once_leave_no_more_than_that(
    records: SessionRecords, database: Database, clock: FakeClock
) -> None:
    made = [
        Session(
            id=new_id_of(clock() + timedelta(milliseconds=number)), principal=ALICE, created_at=clock(),
            expires_at=clock() + timedelta(hours=1),
        )
        for number in range(MOST + 6)
    ]  # fmt: skip
    for session in made[:MOST]:
        records.add(session, SessionSecret.new().digest, BY)
    together = Barrier(6)

    def sign_in(session: Session) -> None:
        together.wait(20)
        records.add(session, SessionSecret.new().digest, BY)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(sign_in, made[MOST:]))
    assert counted(database) == MOST


def test_those_that_are_over_count_for_nobody_and_are_deleted_in_chunks(
    records: SessionRecords, database: Database, clock: FakeClock
) -> None:
    for number in range(CHUNK // MOST + 1):
        for _ in range(MOST):
            begun(records, clock, replace(ALICE, subject=f"s{number}"))
    there = counted(database)
    clock.now += timedelta(hours=1)
    _, digest = begun(records, clock, replace(ALICE, subject="s0"))
    assert counted(database) == there + 1, "no live one had to go"
    assert [records.delete_expired() for _ in range(3)] == [CHUNK, there - CHUNK, 0]
    assert records.find(digest) is not None


def test_a_role_that_this_release_does_not_know_allows_nothing(
    records: SessionRecords, database: Database, clock: FakeClock
) -> None:
    _, digest = begun(records, clock)
    with database.write() as connection:
        connection.execute(update(sessions).values(roles=["viewer", "emperor"]))
    found = records.find(digest)
    assert found is not None
    assert found.principal.roles == {Role.VIEWER}
    assert found.principal.permissions == permissions_of({Role.VIEWER})


def test_an_id_of_a_token_that_no_database_keeps_does_not_keep_anybody_out(
    records: SessionRecords, clock: FakeClock
) -> None:
    odd = replace(ALICE, credential=Credential(CredentialKind.TOKEN, "a\0b\ud800"))
    _, digest = begun(records, clock, odd)
    found = records.find(digest)
    assert found is not None
    assert found.principal.credential.id == "a?b?"
