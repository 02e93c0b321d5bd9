"""The door: what is let in is safe before the 202, what is refused leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from obstore.store import MemoryStore
from tests.gateway.conftest import Door, Open, picture
from tests.servers import wait_until

from facefleet.config import load
from facefleet.errors.outage import RecordsUnavailable, RecordsUncertain, StoreUnavailable
from facefleet.gateway.parts import Parts
from facefleet.observability import logs
from facefleet.storage.store import Content, ObjectStore
from facefleet.tasks.audit import Origin
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State

BOUNDARY = "f4c3"


def form(*fields: tuple[str, bytes], end: bytes = b"--f4c3--\r\n") -> bytes:
    parts = [
        b'--f4c3\r\nContent-Disposition: form-data; name="%s"; filename="x"\r\n\r\n%s\r\n' % (name.encode(), value)
        for name, value in fields
    ]
    return b"".join(parts) + end


def post(door: Door, body: Any, **headers: str) -> Any:
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return door.client.post("/v1/fuse", content=body, headers={"content-type": kind} | headers)


def test_a_task_is_stored_and_committed_before_the_answer(door: Door) -> None:
    source, target = picture(seed=1), picture(extension=".png", seed=2)
    answer = door.submit({"strength": 0.5, "target_face": "all"}, source=source, target=target)
    assert answer.status_code == 202
    body = answer.json()
    assert body["status"] == "queued"
    assert answer.headers["location"] == body["links"]["self"] == f"/v1/tasks/{body['task_id']}"
    task = door.records.get("local", body["task_id"])
    assert task.state is State.QUEUED
    assert task.options == {"strength": 0.5, "shape": 0.5, "source_face": None, "target_face": "all"}
    assert task.consent.subject == "local"
    assert door.parts.store.get(task.inputs["source"]) == source
    assert door.parts.store.get(task.inputs["target"]) == target
    assert door.parts.broker.waiting(task.route) == 1


def test_an_age_is_kept_only_where_one_was_chosen(door: Door, photo: bytes) -> None:
    chosen = door.submit({"age": -0.5}, source=photo, target=photo).json()
    assert door.records.get("local", chosen["task_id"]).options["age"] == -0.5
    none = door.submit({"age": 0}, source=photo, target=photo).json()
    assert "age" not in door.records.get("local", none["task_id"]).options


def test_the_alias_does_the_same_and_stays_out_of_the_description(door: Door, photo: bytes) -> None:
    answer = door.client.post("/fuse", files={"source": photo, "target": photo}, data={"consent": "true"})
    assert answer.status_code == 202
    assert "/fuse" not in door.client.get("/openapi.json").json()["paths"]


def test_a_form_that_arrives_byte_by_byte_is_read(door: Door, photo: bytes) -> None:
    body = form(("source", photo), ("target", photo), ("consent", b"true"))

    def drip() -> Iterator[bytes]:
        for at in range(len(body)):
            yield body[at : at + 1]

    assert post(door, drip()).status_code == 202


def test_the_callers_trace_context_goes_with_the_task(door: Door, photo: bytes) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = form(("source", photo), ("target", photo), ("consent", b"true"))
    accepted = post(door, body, traceparent=trace).json()
    assert door.records.get("local", accepted["task_id"]).traceparent == trace
    accepted = post(door, body, traceparent="00-zz-nonsense").json()
    assert door.records.get("local", accepted["task_id"]).traceparent != "00-zz-nonsense"


REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("no consent", {"consent": None}, 422, "consent_required"),
    ("consent denied", {"consent": "false"}, 422, "consent_required"),
    ("options are not JSON", {"options": "{"}, 422, "option_invalid"),
    ("options are a list", {"options": []}, 422, "option_invalid"),
    ("strength over 1", {"options": {"strength": 1.5}}, 422, "option_invalid"),
    ("strength is text", {"options": {"strength": "1"}}, 422, "option_invalid"),
    ("strength is not a number", {"options": {"strength": float("nan")}}, 422, "option_invalid"),
    ("age over 1", {"options": {"age": 1.1}}, 422, "option_invalid"),
    ("face below 0", {"options": {"source_face": -1}}, 422, "option_invalid"),
    ("face is true", {"options": {"source_face": True}}, 422, "option_invalid"),
    ("an option we do not have", {"options": {"colour": 1}}, 422, "option_invalid"),
    ("source is text", {"source": b"hello, I am no photo"}, 415, "image_type_unsupported"),
    ("source is a GIF", {"source": b"GIF89a" + bytes(100)}, 415, "image_type_unsupported"),
    ("target is empty", {"target": b""}, 422, "upload_missing"),
    ("target is cut in its header", {"target": picture()[:100]}, 422, "image_decode_failed"),
    ("source is tiny", {"source": picture(32, 32)}, 422, "image_too_small"),
    ("a field we do not have", {"mask": picture()}, 400, "request_invalid"),
]


@pytest.mark.parametrize(("change", "status", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused_leaves_nothing_behind(
    shared_door: Door, photo: bytes, change: dict[str, Any], status: int, code: str
) -> None:
    answer = shared_door.submit(**({"source": photo, "target": photo} | change))
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["detail"]
    assert shared_door.kept() == []


def test_a_missing_photo_is_named(door: Door, photo: bytes) -> None:
    problem = door.submit(source=photo).json()
    assert problem["code"] == "upload_missing"
    assert problem["context"]["field"] == "target"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", f"multipart/form-data; boundary={BOUNDARY}"),
        (b"--f4c3\r\nnonsense", f"multipart/form-data; boundary={BOUNDARY}"),
        (form(("source", picture()), end=b""), f"multipart/form-data; boundary={BOUNDARY}"),
        (form(("consent", b"true"), ("consent", b"true")), f"multipart/form-data; boundary={BOUNDARY}"),
        (form(("consent", b"\xff\xfe"), ("source", picture()), ("target", picture())), "multipart/form-data"),
        (b"{}", "application/jsonlines"),
        (b"x=1", "application/x-www-form-urlencoded"),
        (b"", ""),
    ],
)
def test_a_body_that_is_no_form_is_refused(shared_door: Door, body: bytes, kind: str) -> None:
    answer = shared_door.client.post("/v1/fuse", content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")
    assert shared_door.kept() == []


def test_a_photo_over_the_limits_is_refused_by_its_bytes_and_by_its_pixels(open_door: Open, photo: bytes) -> None:
    door = open_door(images={"max_bytes": 20_000, "max_pixels": 12_000})
    too_heavy = b"\xff\xd8\xff\xe0" + bytes(30_000)
    answer = door.submit(source=too_heavy, target=photo)
    assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large_bytes")
    answer = door.submit(source=photo, target=picture(160, 120))
    assert (answer.status_code, answer.json()["code"]) == (422, "image_too_large_pixels")
    assert answer.json()["context"]["field"] == "target"
    assert door.kept() == []


def test_a_body_over_the_limit_is_refused_announced_or_not(open_door: Open) -> None:
    door = open_door(images={"max_bytes": 10_000})
    body = b"x" * 400_000
    answers = [post(door, body), post(door, iter([body[:100_000], body[100_000:]]))]
    assert [(a.status_code, a.json()["code"]) for a in answers] == [(413, "upload_too_large")] * 2


def test_a_202_does_not_depend_on_the_broker(open_door: Open, photo: bytes) -> None:
    door = open_door(queue={"url": "redis://127.0.0.1:1/0"})
    answer = door.submit(source=photo, target=photo)
    assert answer.status_code == 202
    assert [task.id for task in door.records.unsent()] == [answer.json()["task_id"]]
    ready = door.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["checks"]["queue"] == "queue_unavailable"


def test_without_records_nothing_is_accepted_and_nothing_kept(door: Door, photo: bytes) -> None:
    with door.parts.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE tasks")
    answer = door.submit(source=photo, target=photo)
    assert (answer.status_code, answer.json()["code"]) == (503, "records_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert door.kept() == []


@pytest.mark.parametrize("committed", [True, False])
def test_where_nobody_knows_of_a_commit_the_uploads_stay_and_the_key_tells(
    door: Door, photo: bytes, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    """The answer to a commit is lost; whoever repeats the request finds its task, or makes it, and its photos."""
    add = TaskRepository.add

    def lost(records: TaskRepository, task: Task, *, origin: Origin) -> Task:
        if committed:
            add(records, task, origin=origin)
        raise RecordsUncertain("The database went away while it wrote.")

    files = {"source": photo, "target": photo}

    def post() -> httpx.Response:
        return door.client.post("/v1/fuse", files=files, data={"consent": "true"}, headers={"Idempotency-Key": "k"})

    with monkeypatch.context() as patch:
        patch.setattr(TaskRepository, "add", lost)
        answer = post()
    assert (answer.status_code, answer.json()["code"]) == (503, "records_uncertain")
    again = post()
    assert again.status_code == 202
    task_id = again.json()["task_id"]
    assert len([key for key in door.kept() if task_id in key]) == 2
    assert len(door.kept()) == (2 if committed else 4), "what no record names goes as orphans"


class FullStore(ObjectStore):
    """A store on a disk that has room for one object."""

    def put(self, key: str, content: Content) -> None:
        if key.endswith("target"):
            raise StoreUnavailable("The object store did not answer; try again.", cause="OSError")
        super().put(key, content)


def test_an_upload_that_the_store_takes_by_half_is_not_half_kept(open_door: Open, photo: bytes) -> None:
    door = open_door(store=FullStore(MemoryStore()))
    answer = door.submit(source=photo, target=photo)
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert door.kept() == []


def test_every_outcome_is_counted(door: Door, photo: bytes) -> None:
    door.submit(source=photo, target=photo)
    door.submit(source=photo, target=photo, consent=None)
    text = door.client.get("/metrics").text
    assert 'facefusion_requests_total{kind="fuse",outcome="accepted"} 1.0' in text
    assert 'facefusion_requests_total{kind="fuse",outcome="consent_required"} 1.0' in text
    depth = 'facefusion_queue_depth{lane="standard",track="stable"} 1.0'  # absent where the broker was slow to answer
    wait_until(lambda: depth in door.client.get("/metrics").text, "the depth is read")


def test_every_line_of_a_task_carries_its_id(door: Door, photo: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    task_id = door.submit(source=photo, target=photo).json()["task_id"]
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    accepted = [line for line in lines if line["event"] == "task.accepted"]
    assert [line["task_id"] for line in accepted] == [task_id]
    assert accepted[0]["request_id"]


def test_parts_that_were_never_migrated_are_refused(open_door: Open, tmp_path: Any) -> None:
    with pytest.raises(RecordsUnavailable, match="facefleet migrate"):
        Parts.build(load(data=tmp_path / "fresh"))
