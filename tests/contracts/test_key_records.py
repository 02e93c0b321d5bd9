"""API keys in the records, on every database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from tests.tasks.fakes import FakeClock

from facefleet.access.api_key import KeyState
from facefleet.access.key_maker import LONGEST_OVERLAP, KeyMaker, KeyRequest, NewKey
from facefleet.access.key_records import USE_INTERVAL, KeyRecords
from facefleet.access.keys import KeyHasher
from facefleet.access.permissions import Permission
from facefleet.access.roles import Role, permissions_of
from facefleet.access.uses import KeyUses
from facefleet.errors.access import NotPermitted
from facefleet.errors.conflict import KeyEnded
from facefleet.errors.input import OptionInvalid
from facefleet.errors.lookup import KeyNotFound
from facefleet.tasks.audit import Action, Origin
from facefleet.tasks.records.audit_log import AuditFilter, AuditLog
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.table import api_keys

EVERYTHING = frozenset(Permission)
ALICE, BOB = Origin("alice"), Origin("bob", "rival")
HASHER = KeyHasher((b"one secret of our own, 32 characters",))


@pytest.fixture
def keys(database: Database, clock: FakeClock) -> KeyRecords:
    return KeyRecords(database, clock)


@pytest.fixture
def maker(keys: KeyRecords, clock: FakeClock) -> KeyMaker:
    return KeyMaker(keys, HASHER, clock)


def make(maker: KeyMaker, tenant: str = "acme", **changes: Any) -> NewKey:
    request = {"tenant": tenant, "name": "for the shop", "roles": frozenset({Role.MEMBER})} | changes
    return maker.create(KeyRequest(**request), ALICE, EVERYTHING)


def test_a_key_is_found_by_its_prefix_and_the_key_itself_is_nowhere(
    maker: KeyMaker, keys: KeyRecords, database: Database, clock: FakeClock
) -> None:
    made = make(
        maker, scope=frozenset({Permission.TASKS_READ, Permission.OPERATE}), test=True,
        expires_at=clock.now + timedelta(days=1), name="Läden – 店",
    )  # fmt: skip
    assert keys.find(made.text.prefix) == (made.key, HASHER.digest(made.text))
    assert keys.get("acme", made.key.id) == keys.get(None, made.key.id) == made.key
    assert made.key.permissions == {Permission.TASKS_READ}, "a scope takes away and never gives"
    assert (made.key.test, made.key.principal().test, made.key.principal().tenant) == (True, True, "acme")
    assert keys.find("ff_live_nobodyhasthis") is None
    with database.read() as connection:
        row = connection.execute(select(api_keys)).one()
    assert made.text.text not in str(row)
    assert made.text.text[20:52] not in str(row)


@pytest.mark.parametrize("wrong", ["nobody", "", "\0", "\ud800", "0" * 5_000, "' OR 1=1 --"])
def test_what_is_no_id_is_not_found(keys: KeyRecords, wrong: str) -> None:
    with pytest.raises(KeyNotFound):
        keys.get("acme", wrong)
    with pytest.raises(KeyNotFound):
        keys.revoke("acme", wrong, BOB)


def test_a_foreign_key_is_not_found(maker: KeyMaker, keys: KeyRecords) -> None:
    key_id = make(maker).key.id
    with pytest.raises(KeyNotFound):
        keys.get("other", key_id)
    with pytest.raises(KeyNotFound):
        keys.revoke("other", key_id, BOB)
    with pytest.raises(KeyNotFound):
        maker.rotate("other", key_id, timedelta(), BOB, EVERYTHING)
    assert keys.get("acme", key_id).revoked_at is None


def test_keys_are_listed_newest_first_and_by_tenant(maker: KeyMaker, keys: KeyRecords) -> None:
    mine = [make(maker).key.id for _ in range(3)]
    other = make(maker, "other").key.id
    page = keys.page("acme", None, 2)
    assert [key.id for key in page.rows] == mine[:0:-1]
    assert [key.id for key in keys.page("acme", page.next_cursor, 2).rows] == mine[:1]
    assert [key.id for key in keys.page(None, None, 10).rows] == [other, *mine[::-1]]


def test_a_revoked_key_stays_revoked_from_the_first_time(maker: KeyMaker, keys: KeyRecords, clock: FakeClock) -> None:
    key = make(maker).key
    assert key.state(clock.now) is KeyState.ACTIVE
    revoked = keys.revoke("acme", key.id, BOB)
    assert (revoked.revoked_at, revoked.state(clock.now)) == (clock.now, KeyState.REVOKED)
    clock.advance(60)
    assert keys.revoke("acme", key.id, BOB) == revoked


def test_an_expired_key_has_ended_at_that_moment(maker: KeyMaker, clock: FakeClock) -> None:
    key = make(maker, expires_at=clock.now + timedelta(seconds=10)).key
    assert key.state(clock.now + timedelta(seconds=9.9)) is KeyState.ACTIVE
    assert key.state(clock.now + timedelta(seconds=10)) is KeyState.EXPIRED


def test_after_a_rotation_both_keys_work_for_a_time(maker: KeyMaker, keys: KeyRecords, clock: FakeClock) -> None:
    scope = frozenset({Permission.TASKS_READ})
    old = make(maker, expires_at=clock.now + timedelta(days=30), scope=scope, test=True)
    clock.advance(86_400)
    new = maker.rotate("acme", old.key.id, timedelta(hours=2), BOB, EVERYTHING)
    assert new.text.text != old.text.text
    assert (new.key.name, new.key.scope, new.key.test) == ("for the shop", scope, True)
    assert new.key.roles == {Role.MEMBER}
    assert (new.key.expires_at, new.key.created_by) == (clock.now + timedelta(days=30), "bob")
    replaced = keys.get("acme", old.key.id)
    assert replaced == new.replaced
    assert (replaced.replaced_by, replaced.expires_at) == (new.key.id, clock.now + timedelta(hours=2))
    assert (replaced.state(clock.now), new.key.state(clock.now)) == (KeyState.ACTIVE, KeyState.ACTIVE)


def test_a_rotation_makes_no_key_live_longer(maker: KeyMaker, clock: FakeClock) -> None:
    ends = clock.now + timedelta(minutes=5)
    old = make(maker, expires_at=ends)
    replaced = maker.rotate("acme", old.key.id, timedelta(days=1), BOB, EVERYTHING).replaced
    assert replaced is not None
    assert replaced.expires_at == ends


def test_a_key_without_an_end_gets_one_by_rotation_and_its_successor_none(maker: KeyMaker, clock: FakeClock) -> None:
    made = maker.rotate("acme", make(maker).key.id, timedelta(0), BOB, EVERYTHING)
    assert made.replaced is not None
    assert (made.replaced.state(clock.now), made.key.expires_at) == (KeyState.EXPIRED, None)


def test_what_has_ended_or_was_rotated_is_not_rotated(
    maker: KeyMaker, keys: KeyRecords, clock: FakeClock, database: Database
) -> None:
    rotated, revoked = make(maker).key, make(maker).key
    expired = make(maker, expires_at=clock.now + timedelta(seconds=1)).key
    maker.rotate("acme", rotated.id, timedelta(days=1), BOB, EVERYTHING)
    keys.revoke("acme", revoked.id, BOB)
    clock.advance(1)
    for key in (rotated, revoked, expired):
        with pytest.raises(KeyEnded):
            maker.rotate("acme", key.id, timedelta(days=1), BOB, EVERYTHING)
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(api_keys)).scalar() == 4


def test_nobody_hands_out_more_than_they_have(
    maker: KeyMaker, keys: KeyRecords, database: Database, clock: FakeClock
) -> None:
    admin = permissions_of([Role.TENANT_ADMIN])
    for roles in ({Role.OPERATOR}, {Role.MEMBER, Role.OPERATOR}):
        with pytest.raises(NotPermitted):
            maker.create(KeyRequest(tenant="acme", name="a", roles=frozenset(roles)), BOB, admin)
    assert keys.page("acme", None, 10).rows == []
    strong = make(maker, roles=frozenset({Role.OPERATOR}))
    with pytest.raises(NotPermitted):
        maker.rotate("acme", strong.key.id, timedelta(0), BOB, admin)
    assert keys.get("acme", strong.key.id).replaced_by is None
    tried = [(Action.KEY_CREATE, "a"), (Action.KEY_CREATE, "a"), (Action.KEY_ROTATE, strong.key.id)]
    found = AuditLog(database, clock).entries(AuditFilter(actor="bob"))
    assert sorted((one.action, one.object, one.tenant, one.outcome, one.code) for one in found) == sorted(
        (action.value, of, "acme", "refused", "not_permitted") for action, of in tried
    )
    narrow = maker.create(
        KeyRequest(
            tenant="acme", name="a", roles=frozenset({Role.TENANT_ADMIN}), scope=frozenset({Permission.TASKS_READ})
        ),
        BOB, frozenset({Permission.KEYS_MANAGE, Permission.TASKS_READ}),
    )  # fmt: skip
    assert narrow.key.permissions == {Permission.TASKS_READ}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tenant": "../other"}, "tenant"), ({"tenant": ""}, "tenant"), ({"tenant": "a" * 65}, "tenant"),
        ({"name": ""}, "name"), ({"name": "a" * 256}, "name"), ({"name": "a\0"}, "name"), ({"name": "\ud800"}, "name"),
        ({"roles": frozenset()}, "roles"), ({"scope": frozenset({Permission.AUDIT_READ})}, "permissions"),
        ({"expires_at": FakeClock().now}, "expires_at"),
    ],
)  # fmt: skip
def test_a_bad_request_names_its_field(maker: KeyMaker, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(OptionInvalid) as caught:
        make(maker, **changes)
    assert caught.value.detail["field"] == field


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), LONGEST_OVERLAP + timedelta(seconds=1)])
def test_a_rotation_takes_a_bounded_time(maker: KeyMaker, overlap: timedelta) -> None:
    key = make(maker).key
    with pytest.raises(OptionInvalid):
        maker.rotate("acme", key.id, overlap, BOB, EVERYTHING)


def test_the_last_use_is_written_once_a_minute_at_most(maker: KeyMaker, keys: KeyRecords, clock: FakeClock) -> None:
    key, other = make(maker).key, make(maker).key
    here, elsewhere = KeyUses(keys, clock), KeyUses(keys, clock)
    first = clock.now
    here.note(key.id)
    assert keys.get("acme", key.id).used_at is None, "no request writes"
    here.write()
    clock.advance(USE_INTERVAL.total_seconds() - 1)
    elsewhere.note(key.id)
    elsewhere.write()
    assert keys.get("acme", key.id).used_at == first
    clock.advance(1)
    here.note(key.id)
    here.write()
    assert keys.get("acme", key.id).used_at == clock.now
    assert keys.get("acme", other.id).used_at is None


def test_a_role_of_another_release_allows_nothing(maker: KeyMaker, keys: KeyRecords, database: Database) -> None:
    made = make(maker)
    with database.write() as connection:
        connection.execute(update(api_keys).values(roles=["emperor", "viewer"], scope=["everything", "tasks.read"]))
    found = keys.find(made.text.prefix)
    assert found is not None
    assert found[0].roles == {Role.VIEWER}
    assert found[0].permissions == {Permission.TASKS_READ}


def test_each_change_is_in_the_audit_log_once(
    maker: KeyMaker, keys: KeyRecords, database: Database, clock: FakeClock
) -> None:
    old = make(maker).key
    new = maker.rotate("acme", old.id, timedelta(hours=1), BOB, EVERYTHING).key
    with pytest.raises(KeyEnded):
        maker.rotate("acme", old.id, timedelta(hours=1), BOB, EVERYTHING)
    for _ in range(2):
        keys.revoke("acme", new.id, BOB)
    entries = AuditLog(database, clock).page(AuditFilter(tenant="acme"), None, 10).rows
    assert {(one.actor, one.action, one.object) for one in entries} == {
        ("alice", Action.KEY_CREATE, old.id), ("bob", Action.KEY_ROTATE, old.id), ("bob", Action.KEY_CREATE, new.id),
        ("bob", Action.KEY_REVOKE, new.id),
    }  # fmt: skip
    assert len(entries) == 4
