"""What the gateway writes to the audit log: one entry for each change and each read, and who asked from where."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from obstore.store import MemoryStore
from tests.gateway.conftest import LEASE, Door, Open, picture
from tests.gateway.test_access import ask, key, made, submit
from tests.servers import SeaweedServer

from facefleet.access.permissions import Permission
from facefleet.access.principal import LOCAL
from facefleet.access.roles import Role
from facefleet.clock import now
from facefleet.errors.outage import RecordsUnavailable
from facefleet.gateway.downloads import LINK_SECONDS
from facefleet.gateway.endpoints import ENDPOINTS
from facefleet.gateway.middleware import authentication
from facefleet.storage.keys import result_key
from facefleet.storage.opening import open_store
from facefleet.storage.store import ObjectStore
from facefleet.tasks.audit import Action, Entry, Origin
from facefleet.tasks.records.audit_log import AuditFilter, AuditLog

TRACE = "0af7651916cd43dd8448eb211c80319c"


def entries(door: Door) -> list[Entry]:
    """Oldest first; those of one ms in no order."""
    return list(AuditLog(door.parts.database, now).entries(AuditFilter()))


def of(found: list[Entry]) -> list[tuple[str, str | None]]:
    return [(one.action, one.object) for one in found]


def succeeded(door: Door) -> str:
    task_id: str = door.submit(source=picture(seed=1), target=picture(seed=2)).json()["task_id"]
    task = door.records.claim(task_id, LEASE, {})
    assert task is not None
    key = result_key(task.tenant, task.id, task.fence)
    door.parts.store.put(key, b"a picture")
    assert door.records.succeed(task, key, "image/png", {})
    return task_id


def test_an_entry_says_who_asked_from_where_and_in_which_trace(door: Door, photo: bytes) -> None:
    files: Any = {"source": photo, "target": photo}
    header = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    answer = door.client.post("/v1/fuse", files=files, data={"consent": "true"}, headers=header)
    (entry,) = entries(door)
    assert (entry.actor, entry.actor_tenant, entry.tenant, entry.credential) == ("local", "local", "local", None)
    assert (entry.address, entry.trace_id, entry.consent) == ("127.0.0.1", TRACE, "local")
    assert (entry.action, entry.object, entry.outcome) == ("task.create", answer.json()["task_id"], "ok")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.at)


# ── every endpoint that changes something ────────────────────────────────────────────────────────────────────────────

Made = Mapping[str, str]
Ask = Callable[[Door, Made], httpx.Response]


def _form(door: Door, path: str, **files: Any) -> httpx.Response:
    return door.client.post(path, files=files, data={"consent": "true"})


def _made(door: Door) -> Made:
    """One of everything."""
    photo = picture()
    return {
        "task": door.submit(source=photo, target=photo).json()["task_id"],
        "batch": _form(door, "/v1/batches", source=photo, target=photo).json()["batch_id"],
        "template": _form(door, "/v1/templates", image=photo).json()["template_id"],
    }


_CHANGES: Mapping[tuple[str, str], tuple[str, Ask]] = {
    ("POST", "/fuse"): (
        "task.create", lambda door, _: _form(door, "/fuse", source=picture(), target=picture())
    ),
    ("POST", "/v1/fuse"): (
        "task.create", lambda door, _: _form(door, "/v1/fuse", source=picture(), target=picture())
    ),
    ("POST", "/v1/faces"): (
        "task.create",
        lambda door, _: door.client.post("/v1/faces", files={"image": picture()}, headers={"Prefer": "wait=0"}),
    ),
    ("POST", "/v1/templates"): ("template.create", lambda door, _: _form(door, "/v1/templates", image=picture())),
    ("POST", "/v1/batches"): (
        "batch.create", lambda door, _: _form(door, "/v1/batches", source=picture(), target=picture())
    ),
    ("POST", "/v1/uploads"): (
        "upload.create",
        lambda door, _: door.client.post("/v1/uploads", json={"size": 9, "type": "image/png", "sha256": "0" * 64}),
    ),
    ("POST", "/v1/tasks/{task_id}/cancel"): (
        "task.cancel", lambda door, made: door.client.post(f"/v1/tasks/{made['task']}/cancel")
    ),
    ("DELETE", "/v1/tasks/{task_id}"): (
        "task.erase", lambda door, made: door.client.delete(f"/v1/tasks/{made['task']}")
    ),
    ("POST", "/v1/batches/{batch_id}/cancel"): (
        "batch.cancel", lambda door, made: door.client.post(f"/v1/batches/{made['batch']}/cancel")
    ),
    ("DELETE", "/v1/batches/{batch_id}"): (
        "batch.erase", lambda door, made: door.client.delete(f"/v1/batches/{made['batch']}")
    ),
    ("DELETE", "/v1/templates/{template_id}"): (
        "template.delete", lambda door, made: door.client.delete(f"/v1/templates/{made['template']}")
    ),
    ("POST", "/v1/operator/tasks/{task_id}/cancel"): (
        "task.cancel", lambda door, made: door.client.post(f"/v1/operator/tasks/{made['task']}/cancel")
    ),
    ("PUT", "/v1/operator/tasks/{task_id}/hold"): (
        "task.hold",
        lambda door, made: door.client.put(f"/v1/operator/tasks/{made['task']}/hold", json={"hold": True}),
    ),
    ("PUT", "/v1/operator/lanes/{lane}/pause"): (
        "lane.pause", lambda door, _: door.client.put("/v1/operator/lanes/bulk/pause")
    ),
    ("PUT", "/v1/operator/policies/{scope}/{name}"): (
        "policy.set", lambda door, _: door.client.put("/v1/operator/policies/plan/trial", json={"backlog": 9})
    ),
    ("PUT", "/v1/operator/maintenance"): (
        "maintenance.begin", lambda door, _: door.client.put("/v1/operator/maintenance")
    ),
}  # fmt: skip
# Their entries are in the tests below, of sessions in theirs, and in ``contracts/`` (audit, key, policy and session
# records): they undo what another does, or are there only where credentials are asked for. That the photo of an upload
# has come has no entry of its own, as the gateway does not see it where a store takes it: its announcement has one.
_ELSEWHERE = {
    ("POST", "/v1/keys"), ("DELETE", "/v1/keys/{key_id}"), ("POST", "/v1/keys/{key_id}/rotate"),
    ("POST", "/v1/session"), ("DELETE", "/v1/session"),
    ("POST", "/v1/tasks/{task_id}/webhooks/{delivery_id}/replay"), ("POST", "/v1/operator/tasks/{task_id}/requeue"),
    ("DELETE", "/v1/operator/lanes/{lane}/pause"), ("DELETE", "/v1/operator/maintenance"),
    ("DELETE", "/v1/operator/policies/{scope}/{name}"),
    ("PUT", "/v1/uploads/{upload_id}/content"), ("DELETE", "/v1/uploads/{upload_id}"),
}  # fmt: skip


def test_every_endpoint_that_changes_something_is_in_the_table() -> None:
    changing = {(one.method, one.path) for one in ENDPOINTS if one.method not in ("GET", "HEAD")}
    assert changing == set(_CHANGES) | _ELSEWHERE


def test_each_change_writes_one_entry(door: Door) -> None:
    made = _made(door)
    door.records.cancel("local", _task_of(door, made))  # else deleting the template would cancel it, too
    for (method, path), (action, change) in _CHANGES.items():
        if (method, path) == ("DELETE", "/v1/tasks/{task_id}"):
            continue
        made = made if "cancel" not in action else {**made, "task": _made(door)["task"]}
        before = {one.id for one in entries(door)}
        answer = change(door, made)
        assert answer.status_code in (200, 201, 202), answer.text
        assert [one.action for one in entries(door) if one.id not in before] == [action], path
        assert change(door, made).status_code in (200, 201, 202), "a second time"


def _task_of(door: Door, made: Made) -> str:
    task_id: str = door.client.get(f"/v1/templates/{made['template']}").json()["task_id"]
    return task_id


def test_what_ends_a_change_is_written_down_like_its_begin(door: Door) -> None:
    made = _made(door)
    before = len(entries(door))
    task = f"/v1/operator/tasks/{made['task']}"
    asked: tuple[Callable[[], httpx.Response], ...] = (
        lambda: door.client.post(f"{task}/cancel"), lambda: door.client.post(f"{task}/requeue"),
        lambda: door.client.put(f"{task}/hold", json={"hold": True}),
        lambda: door.client.put(f"{task}/hold", json={"hold": False}),
        lambda: door.client.put("/v1/operator/lanes/bulk/pause"),
        lambda: door.client.delete("/v1/operator/lanes/bulk/pause"),
        lambda: door.client.put("/v1/operator/maintenance"), lambda: door.client.delete("/v1/operator/maintenance"),
        lambda: door.client.delete(f"/v1/tasks/{made['task']}"),
    )  # fmt: skip
    for change in asked:
        assert change().status_code == 200
    found = entries(door)[before:]
    assert sorted(of(found)) == sorted([
        *((name, made["task"]) for name in ("task.cancel", "task.requeue", "task.hold", "task.release", "task.erase")),
        ("lane.pause", "stable.bulk"), ("lane.resume", "stable.bulk"),
        ("maintenance.begin", None), ("maintenance.end", None),
    ])  # fmt: skip
    assert {one.tenant for one in found if one.action.startswith(("lane", "maintenance"))} == {""}


def test_a_repeated_request_makes_nothing_and_writes_nothing(door: Door, photo: bytes) -> None:
    files: Any = {"source": photo, "target": photo}
    for _ in range(2):
        door.client.post("/v1/fuse", files=files, data={"consent": "true"}, headers={"Idempotency-Key": "k"})
    assert [one.action for one in entries(door)] == ["task.create"]


# ── reads ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_read_of_a_result_is_written_down_and_a_look_at_its_headers_is_not(open_door: Open) -> None:
    door = open_door(store=ObjectStore(MemoryStore()))
    task_id = succeeded(door)
    for _ in range(2):
        assert door.client.get(f"/v1/tasks/{task_id}/result").content == b"a picture"
    door.client.head(f"/v1/tasks/{task_id}/result")
    door.client.get(f"/v1/tasks/{task_id}")
    assert of(entries(door)) == [("task.create", task_id), *[("result.read", task_id)] * 2]


def test_a_picture_that_is_not_there_was_not_read(door: Door) -> None:
    task_id = succeeded(door)
    door.parts.store.delete(door.records.get("local", task_id).result or "")
    assert door.client.get(f"/v1/tasks/{task_id}/result").status_code == 410
    assert door.client.get("/v1/tasks/0/result").status_code == 404
    assert [one.action for one in entries(door)] == ["task.create"]


def test_photos_of_templates_and_archives_of_batches_are_reads_too(door: Door) -> None:
    made = _made(door)
    assert door.client.get(f"/v1/templates/{made['template']}/image").status_code == 200
    assert door.client.get(f"/v1/batches/{made['batch']}/results").status_code == 200
    assert sorted(of(entries(door)[3:])) == [("batch.read", made["batch"]), ("template.read", made["template"])]


class Watched(ObjectStore):
    """A store that notes when the bytes of an object begin to leave."""

    def __init__(self, begun: list[str]) -> None:
        super().__init__(MemoryStore())
        self._begun = begun

    def stream(self, key: str) -> Any:
        download = super().stream(key)

        def chunks() -> Any:
            self._begun.append(key)
            yield from download.chunks

        return replace(download, chunks=chunks())


def test_what_cannot_be_written_down_is_not_read(open_door: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    door = open_door(store=Watched(begun))
    task_id, made = succeeded(door), _made(door)

    def away(*_: object, **__: object) -> None:
        raise RecordsUnavailable("The database did not answer; try again.")

    monkeypatch.setattr(AuditLog, "record", away)
    for path in (
        f"/v1/tasks/{task_id}/result", f"/v1/templates/{made['template']}/image", f"/v1/batches/{made['batch']}/results"
    ):  # fmt: skip
        answer = door.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "records_unavailable")
    assert begun == []


@pytest.mark.needs_server
def test_a_link_is_the_read_and_lives_for_a_minute_at_most(open_door: Open, seaweed: SeaweedServer) -> None:
    door = open_door(store=open_store(f"s3://{seaweed.BUCKET}/{uuid4().hex}", seaweed.settings()))
    task_id = succeeded(door)
    answer = door.client.get(f"/v1/tasks/{task_id}/result")
    assert answer.status_code == 307
    assert LINK_SECONDS <= 60
    assert httpx.URL(answer.headers["location"]).params["X-Amz-Expires"] == f"{LINK_SECONDS:.0f}"
    assert of(entries(door))[-1] == ("result.read", task_id)


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_without_the_permission_is_written_down(
    door: Door, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = door.submit(source=photo, target=photo).json()["task_id"]
    less = replace(LOCAL, permissions=LOCAL.permissions - {Permission.TASKS_ERASE})
    monkeypatch.setattr(authentication, "LOCAL", less)
    assert door.client.delete(f"/v1/tasks/{task_id}").status_code == 403
    entry = entries(door)[-1]
    assert (entry.action, entry.object, entry.outcome, entry.code, entry.address) == (
        "access", f"DELETE /v1/tasks/{task_id}", "refused", "not_permitted", "127.0.0.1",
    )  # fmt: skip


# ── reading the log ──────────────────────────────────────────────────────────────────────────────────────────────────


def written(door: Door, tenant: str, count: int) -> None:
    log = AuditLog(door.parts.database, now)
    for number in range(count):
        log.record(Origin("bob", tenant), Action.RESULT_READ, f"{tenant} {number}")


def test_an_auditor_sees_what_was_done_to_the_objects_of_its_tenant_alone(door: Door) -> None:
    written(door, "local", 3)
    written(door, "initech", 2)
    found = door.client.get("/v1/audit").json()["entries"]
    assert {one["object"] for one in found} == {"local 0", "local 1", "local 2"}
    assert door.client.get("/v1/audit", params={"object": "initech 0"}).json()["entries"] == []
    assert door.client.get("/v1/audit", params={"tenant": "initech"}).status_code == 422
    everybody = door.client.get("/v1/operator/audit").json()["entries"]
    assert len(everybody) == 5
    theirs = door.client.get("/v1/operator/audit", params={"tenant": "initech", "actor": "bob"}).json()["entries"]
    assert len(theirs) == 2


def test_pages_go_through_the_whole_log(door: Door) -> None:
    written(door, "local", 7)
    found, cursor = [], None
    while True:
        params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = door.client.get("/v1/audit", params=params).json()
        found += [one["id"] for one in page["entries"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == sorted(found, reverse=True)
    assert len(found) == 7


def test_json_lines_are_exactly_what_is_hashed(door: Door) -> None:
    written(door, "local", 1_100)
    answer = door.client.get("/v1/audit", headers={"Accept": "application/x-ndjson"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert "content-length" not in answer.headers, "it is streamed"
    lines = answer.text.splitlines()
    assert [hashlib.sha256(line.encode()).hexdigest() for line in lines] == [one.digest() for one in entries(door)]
    assert json.loads(lines[0])["action"] == "result.read"


@pytest.mark.parametrize(
    ("accept", "lines"),
    [
        ("application/json, application/x-ndjson", False), ("*/*", False), ("text/html", False),
        ("application/X-NDJSON;q=0.9, */*;q=0.1", True),
    ],
)  # fmt: skip
def test_json_lines_come_where_they_are_named_first(shared_door: Door, accept: str, lines: bool) -> None:
    answer = shared_door.client.get("/v1/audit", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("application/x-ndjson" if lines else "application/json")


@pytest.mark.parametrize(
    "params",
    [
        {"cursor": "17"}, {"limit": "0"}, {"action": "task.steal"}, {"actor": "a\0b"}, {"object": "x" * 256},
        {"after": "yesterday"}, {"after": "0001-01-01T00:00:00+23:00"},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_looked_for_is_told(shared_door: Door, params: dict[str, str]) -> None:
    answer = shared_door.client.get("/v1/audit", params=params)
    assert (answer.status_code, answer.json()["code"]) == (422, "option_invalid")


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"])
def test_times_beyond_those_that_ids_can_have_find_all_or_nothing(door: Door, at: str) -> None:
    written(door, "local", 2)
    counts = [len(door.client.get("/v1/audit", params={name: at}).json()["entries"]) for name in ("after", "before")]
    assert counts == ([0, 2] if at.startswith("9999") else [2, 0])


def test_json_lines_have_no_pages(door: Door) -> None:
    answer = door.client.get("/v1/audit", params={"limit": "3"}, headers={"Accept": "application/x-ndjson"})
    assert (answer.status_code, answer.json()["code"]) == (422, "option_invalid")


def test_who_is_no_auditor_does_not_see_the_log(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    less = replace(LOCAL, permissions=LOCAL.permissions - {Permission.AUDIT_READ})
    monkeypatch.setattr(authentication, "LOCAL", less)
    assert door.client.get("/v1/audit").json()["code"] == "not_permitted"


# ── with API keys ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_entry_names_the_key_and_each_tenant_sees_its_own(open_door: Open, photo: bytes) -> None:
    shop = open_door(auth={"keys": True})
    member, viewer, auditor = (made(shop, "acme", role) for role in (Role.MEMBER, Role.VIEWER, Role.AUDITOR))
    task_id = submit(shop, member.text.text, photo)["task_id"]
    assert ask(shop, viewer.text.text, f"/v1/tasks/{task_id}", "DELETE").status_code == 403
    found = ask(shop, auditor.text.text, "/v1/audit").json()["entries"]
    told = {(one["action"], one["credential"], one["actor_tenant"], one["outcome"]) for one in found}
    assert told >= {("task.create", member.key.id, "acme", "ok"), ("access", viewer.key.id, "acme", "refused")}
    assert {one["action"] for one in found} == {"task.create", "access", "key.create"}
    assert ask(shop, key(shop, "rival", Role.AUDITOR), "/v1/audit?action=task.create").json()["entries"] == []
    assert ask(shop, member.text.text, "/v1/audit").status_code == 403
    (day,) = ask(shop, member.text.text, "/v1/usage?by=credential").json()["days"]
    assert (day["credential"], day["tasks"]) == (member.key.id, 1)
