"""Announced uploads in the records, on every database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.tasks.fakes import ORIGIN, AllRecords, FakeClock, a_task

from facefleet.errors.lookup import UploadNotFound
from facefleet.tasks.audit import SERVICE, Action, Origin
from facefleet.tasks.holdings import Holder, Holding, Holdings
from facefleet.tasks.ids import new_id
from facefleet.tasks.records.audit_log import AuditFilter, AuditLog
from facefleet.tasks.records.chunks import CHUNK
from facefleet.tasks.records.retention_records import RetentionRecords
from facefleet.tasks.tables.database import Database
from facefleet.tasks.uploads import Upload, UploadRecords, upload_of

HOUR = timedelta(hours=1)


@pytest.fixture
def uploads(database: Database, clock: FakeClock) -> UploadRecords:
    return UploadRecords(database, clock)


@pytest.fixture
def announce(uploads: UploadRecords, clock: FakeClock) -> Any:
    def add(tenant: str = "acme", subject: str = "alice", **changes: Any) -> Upload:
        upload = Upload(new_id(), tenant, subject, 9, "image/avif", "0f" * 32, clock(), clock() + HOUR)
        upload = replace(upload, **changes)
        uploads.add(upload, Origin(subject, tenant))
        return upload

    return add


def test_what_was_announced_is_found_as_it_was(uploads: UploadRecords, announce: Any) -> None:
    large = announce(size=5 << 40, subject="ü" * 255)
    assert uploads.get("acme", large.id) == large


@pytest.mark.parametrize(
    "wrong", ["nobody", "", "\0", "\ud800", "0" * 5_000, "' OR 1=1 --", "0190B6A2-7B1C-7C3E-8F00-000000000000"]
)
def test_what_is_no_id_is_not_found(uploads: UploadRecords, wrong: str) -> None:
    with pytest.raises(UploadNotFound):
        uploads.get("acme", wrong)


def test_another_tenants_upload_is_not_found(uploads: UploadRecords, announce: Any) -> None:
    theirs = announce("rival")
    with pytest.raises(UploadNotFound):
        uploads.get("acme", theirs.id)
    assert uploads.get("rival", theirs.id) == theirs


def test_an_upload_is_over_at_that_moment(uploads: UploadRecords, announce: Any, clock: FakeClock) -> None:
    upload = announce()
    clock.advance(3599.9)
    assert (uploads.get("acme", upload.id), uploads.expired()) == (upload, [])
    clock.advance(0.1)
    assert uploads.expired() == [upload]
    with pytest.raises(UploadNotFound):
        uploads.get("acme", upload.id)
    assert uploads.kept([upload.id, new_id()]) == {upload.id: "acme"}, "its object is no orphan until it is deleted"


def test_those_that_are_over_come_oldest_first_and_a_chunk_at_once(
    uploads: UploadRecords, announce: Any, clock: FakeClock
) -> None:
    made = [announce(expires_at=clock() + timedelta(seconds=CHUNK + 1 - n)) for n in range(CHUNK + 1)]
    clock.advance(CHUNK + 1)
    found = uploads.expired()
    assert [one.id for one in found] == [one.id for one in made[:0:-1]]


def test_each_is_announced_and_deleted_once_in_the_audit_log(
    uploads: UploadRecords, announce: Any, database: Database, clock: FakeClock
) -> None:
    over, erased = announce(), announce()
    for _ in range(2):
        uploads.delete(over, Action.UPLOAD_EXPIRE)
        uploads.delete(erased, Action.UPLOAD_ERASE, ORIGIN)
    assert uploads.kept([over.id, erased.id]) == {}
    entries = AuditLog(database, clock).page(AuditFilter(tenant="acme"), None, 10).rows
    assert len(entries) == 4
    assert {(one.actor, str(one.action), one.object) for one in entries} == {
        ("alice", "upload.create", over.id), ("alice", "upload.create", erased.id),
        (SERVICE.actor, "upload.expire", over.id), (ORIGIN.actor, "upload.erase", erased.id),
    }  # fmt: skip


def test_they_are_held_about_a_tenant_and_a_subject(announce: Any, database: Database) -> None:
    mine, carols = announce(), announce(subject="carol")
    announce("rival", "carol")
    holdings = Holdings(database)
    assert [one.uploads for one in holdings.tenants()] == [2, 1]
    for holder, expected in ((Holder("acme"), [mine, carols]), (Holder("acme", "carol"), [carols])):
        rows = list(holdings.rows(holder, Holding.UPLOADS, erasable=True))
        assert [upload_of(row) for row in rows] == expected


def test_announced_digests_are_kept_with_a_task_and_go_with_what_is_erased(
    records: AllRecords, database: Database, clock: FakeClock
) -> None:
    task = records.add(replace(a_task(clock()), digests={"source": "0f" * 32}))
    assert records.get(task.tenant, task.id).digests == {"source": "0f" * 32}
    assert records.add(a_task(clock())).digests == {}
    RetentionRecords(database, clock).erase(task, ORIGIN)
    assert records.get(task.tenant, task.id).digests == {}
