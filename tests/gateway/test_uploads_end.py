"""How uploads end, on a real S3 service and in a folder: they are withdrawn, or their time is over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from obstore.store import MemoryStore
from sqlalchemy import update
from tests.gateway.conftest import Door, Open, Work
from tests.gateway.test_erasure import Away
from tests.gateway.test_uploads import MISSING, OpenRig, Rig, foreign, refused, rigs
from tests.servers import wait_until
from tests.tasks.fakes import FakeClock

from facefleet import config
from facefleet.clock import now
from facefleet.tasks.tables.table import uploads
from facefleet.tasks.uploads import UploadRecords
from facefleet.upkeep.retention import Retention


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.needs_server)])
def open_rig(request: pytest.FixtureRequest, open_door: Open) -> OpenRig:
    return rigs(request, open_door)


@pytest.fixture
def rig(open_rig: OpenRig) -> Rig:
    return open_rig()


def uploaded(rig: Rig) -> list[str]:
    return [key for key in rig.door.kept() if "/uploads/" in key]


def actions(door: Door, upload_id: str) -> list[tuple[str, str, str | None]]:
    with door.parts.database.read() as connection:
        query = "SELECT action, actor, address FROM audit WHERE object = ? ORDER BY id"
        return [(row[0], row[1], row[2]) for row in connection.exec_driver_sql(query, (upload_id,))]


def test_a_withdrawn_upload_is_gone_and_the_task_that_named_it_goes_on(rig: Rig, work: Work, woman: bytes) -> None:
    upload = rig.upload(woman)
    task = rig.fuse(upload, upload).json()["task_id"]
    answer = rig.door.client.delete(f"/v1/uploads/{upload}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert uploaded(rig) == []
    refused(rig.fuse(upload, upload), 404, "upload_not_found")
    refused(rig.door.client.delete(f"/v1/uploads/{upload}"), 404, "upload_not_found")
    assert work(rig.door) == 1
    assert rig.door.records.get("local", task).state.value == "succeeded"
    assert actions(rig.door, upload) == [
        ("upload.create", "local", "127.0.0.1"), ("upload.delete", "local", "127.0.0.1"),
    ]  # fmt: skip


def test_what_is_sent_to_a_withdrawn_upload_is_named_by_nobody_and_collected(rig: Rig, photo: bytes) -> None:
    announced = rig.announce(photo)
    upload = announced.json()["upload_id"]
    assert rig.door.client.delete(f"/v1/uploads/{upload}").status_code == 204
    sent = rig.send(announced, photo)
    if not rig.direct:
        refused(sent, 404, "upload_not_found")
    refused(rig.fuse(upload, upload), 404, "upload_not_found")
    parts, clock = rig.door.parts, FakeClock(now() + timedelta(days=1))
    deleter = Retention.build(config.Retention(), parts.database, parts.store, parts.metrics, clock)
    assert (len(uploaded(rig)), deleter.delete_orphans()) == ((1, 1) if rig.direct else (0, 0))
    assert uploaded(rig) == []


def test_of_requests_and_withdrawals_at_once_every_task_has_its_photos(rig: Rig, photo: bytes) -> None:
    upload = rig.upload(photo)
    with ThreadPoolExecutor(8) as pool:
        fused = [pool.submit(rig.fuse, upload, upload) for _ in range(6)]
        gone = [pool.submit(rig.door.client.delete, f"/v1/uploads/{upload}") for _ in range(2)]
        answers = [one.result() for one in fused]
    assert {one.result().status_code for one in gone} <= {204, 404}
    assert 204 in {one.result().status_code for one in gone}
    assert {answer.status_code for answer in answers} <= {202, 404, 409}
    accepted = [answer.json()["task_id"] for answer in answers if answer.status_code == 202]
    for task in accepted:
        for key in rig.door.records.get("local", task).inputs.values():
            assert rig.door.parts.store.get(key) == photo
    assert len(rig.inputs()) == 2 * len(accepted)
    assert [action for action, *_ in actions(rig.door, upload)].count("upload.delete") == 1


@pytest.mark.parametrize("upload_id", [MISSING, "x", "%00", "%2e%2e%5c", "é" * 300])
def test_what_is_no_upload_of_ours_cannot_be_withdrawn(door: Door, upload_id: str) -> None:
    refused(door.client.delete(f"/v1/uploads/{upload_id}"), 404, "upload_not_found")


def test_another_tenants_upload_stays(door: Door, photo: bytes) -> None:
    theirs = foreign(door, photo)
    refused(door.client.delete(f"/v1/uploads/{theirs.id}"), 404, "upload_not_found")
    assert len(list(door.parts.store.list("tenants/other/uploads/"))) == 1
    assert [action for action, *_ in actions(door, theirs.id)] == ["upload.create"]


def test_while_the_store_is_away_an_upload_is_not_forgotten(open_door: Open, photo: bytes) -> None:
    store = Away(MemoryStore())
    rig = Rig(open_door(store), direct=False)
    upload = rig.upload(photo)
    refused(rig.door.client.delete(f"/v1/uploads/{upload}"), 503, "store_unavailable")
    assert rig.fuse(upload, upload).status_code == 202
    store.away = False
    assert rig.door.client.delete(f"/v1/uploads/{upload}").status_code == 204
    assert uploaded(rig) == []


def test_what_nobody_used_in_time_is_collected_and_what_was_used_is_not(open_rig: OpenRig, photo: bytes) -> None:
    rig = open_rig(retention={"interval": 0.1})
    upload, waiting = rig.upload(photo), rig.announce(photo).json()["upload_id"]
    assert rig.fuse(upload, upload).status_code == 202
    assert len(uploaded(rig)) == 1, "its time is not over"
    with rig.door.parts.database.write() as connection:  # it ends now, however long all this took
        connection.execute(update(uploads).values(expires_at=now()))
    wait_until(lambda: uploaded(rig) == [], "it is collected", 20)
    records = UploadRecords(rig.door.parts.database, now)
    wait_until(lambda: records.kept([upload, waiting]) == {}, "it is forgotten", 20)
    assert len(rig.inputs()) == 2
    assert 'facefusion_deleted_total{what="upload"}' in rig.door.client.get("/metrics").text


def test_an_announcement_and_its_end_are_in_the_audit_log(open_door: Open, photo: bytes) -> None:
    door = open_door(retention={"uploads": 0.2, "interval": 0.1})
    upload = Rig(door, direct=False).announce(photo).json()["upload_id"]
    wait_until(
        lambda: [action for action, *_ in actions(door, upload)] == ["upload.create", "upload.expire"],
        "both are written down",
        20,
    )
