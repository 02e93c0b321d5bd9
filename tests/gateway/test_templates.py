"""Registered targets through a real gateway, with a real worker's handler on the same records and store."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
from tests.gateway.conftest import LEASE, Door, Open, Work
from tests.gateway.test_erasure import retention
from tests.tasks.fakes import ORIGIN, FakeClock

from facefleet.clock import now
from facefleet.engine.fusion import Engine
from facefleet.media.sniff import sniff
from facefleet.tasks.task import Task
from facefleet.tasks.templates import Templates, TemplateState
from facefleet.tasks.transitions import State


def register(door: Door, image: bytes, **fields: str) -> Any:
    answer = door.client.post("/v1/templates", files={"image": image}, data={"consent": "true"} | fields)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == answer.json()["links"]["self"]
    return answer.json()


def ready(door: Door, work: Work, image: bytes, **fields: str) -> Any:
    template = register(door, image, **fields)
    work(door)
    shown = door.client.get(template["links"]["self"]).json()
    assert shown["status"] == "ready", shown
    return shown


def fuse(door: Door, source: bytes, template_id: str, options: Any = None) -> httpx.Response:
    data = {"consent": "true", "template_id": template_id, "options": json.dumps(options or {})}
    return door.client.post("/v1/fuse", files={"source": source}, data=data)


def task(door: Door, answer: Any) -> Task:
    return door.records.get("local", answer["task_id"])


def test_a_template_is_registered_listed_shown_and_deleted(door: Door, work: Work, pair: bytes) -> None:
    first, second = register(door, pair, name="couple"), register(door, pair)
    assert (first["status"], first["name"], first["faces"]) == ("preparing", "couple", None)
    work(door)
    shown = door.client.get(first["links"]["self"]).json()
    assert (shown["status"], len(shown["faces"]), shown["error"]) == ("ready", 2, None)
    assert shown["ready_at"] > shown["created_at"]
    page = door.client.get("/v1/templates", params={"limit": 1}).json()
    assert [one["template_id"] for one in page["templates"]] == [second["template_id"]]
    page = door.client.get("/v1/templates", params={"limit": 1, "cursor": page["next_cursor"]}).json()
    assert [one["template_id"] for one in page["templates"]] == [first["template_id"]]
    assert page["next_cursor"] is None
    image = door.client.get(first["links"]["image"])
    assert (image.content, image.headers["content-type"]) == (pair, "image/jpeg")
    for _ in range(2):
        assert door.client.delete(first["links"]["self"]).json()["status"] == "deleted"
    assert door.client.get(first["links"]["self"]).json()["code"] == "template_not_found"
    assert [key.rsplit("/", 1)[1] for key in door.kept()] == [second["template_id"]]


def test_a_template_without_a_face_fails_with_the_reason_and_its_photo_goes(
    door: Door, work: Work, photo: bytes, woman: bytes
) -> None:
    template = register(door, photo)
    work(door)
    shown = door.client.get(template["links"]["self"]).json()
    assert (shown["status"], shown["error"]["code"]) == ("failed", "face_not_found")
    assert shown["error"]["field"] == "image"
    answer = fuse(door, woman, template["template_id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "template_failed")
    assert answer.json()["field"] == "template_id"
    later = FakeClock(now() + timedelta(hours=2))
    retention(door, later).round()
    assert door.kept() == []
    retention(door, FakeClock(now() + timedelta(days=100))).round()
    shown = door.client.get(template["links"]["self"]).json()
    assert (shown["status"], shown["error"]["code"]) == ("failed", "face_not_found"), "its task's record has gone"


def test_a_template_whose_task_is_canceled_is_not_left_preparing(door: Door, photo: bytes) -> None:
    template = register(door, photo)
    door.client.post(f"/v1/tasks/{template['task_id']}/cancel")
    assert door.client.get(template["links"]["self"]).json()["status"] == "failed"


def test_a_fusion_waits_for_its_template_and_takes_only_faces_that_it_has(
    door: Door, work: Work, woman: bytes, pair: bytes
) -> None:
    template = register(door, pair)
    early = fuse(door, woman, template["template_id"])
    assert (early.status_code, early.json()["code"], early.json()["retryable"]) == (409, "template_not_ready", True)
    assert (early.headers["retry-after"], early.json()["field"]) == ("1", "template_id")
    work(door)
    absent = fuse(door, woman, template["template_id"], {"faces": [{"target_face": 2}]})
    assert (absent.status_code, absent.json()["code"]) == (422, "template_face_not_found")
    tiled = fuse(door, woman, template["template_id"], {"tiles": True})
    assert tiled.json()["code"] == "option_invalid"
    unknown = fuse(door, woman, "0" * 8 + "-0000-0000-0000-" + "0" * 12)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "template_not_found")
    assert unknown.json()["field"] == "template_id"
    accepted = fuse(door, woman, template["template_id"], {"faces": [{"target_face": 1}]}).json()
    work(door)
    shown = door.client.get(accepted["links"]["self"]).json()
    assert (shown["status"], shown["template_id"]) == ("succeeded", template["template_id"])
    result = door.client.get(accepted["links"]["result"]).content
    assert shown["result_bytes"] == len(result)
    assert sniff(result).width == sniff(pair).width


def test_both_targets_or_none_are_refused(door: Door, photo: bytes) -> None:
    both = door.client.post(
        "/v1/fuse", files={"source": photo, "target": photo}, data={"consent": "true", "template_id": "x"}
    )
    assert (both.status_code, both.json()["field"]) == (400, "template_id")
    none = door.client.post("/v1/fuse", files={"source": photo}, data={"consent": "true"})
    assert (none.status_code, none.json()["field"]) == (422, "target")


def test_a_template_that_is_deleted_fails_the_tasks_that_wait_for_it(
    door: Door, work: Work, woman: bytes, admiral: bytes
) -> None:
    template = ready(door, work, admiral)
    accepted = fuse(door, woman, template["template_id"]).json()
    door.client.delete(template["links"]["self"])
    work(door)
    failed = task(door, accepted)
    assert failed.failure is not None
    assert (failed.state, failed.failure.code) == (State.FAILED, "template_not_found")
    assert failed.failure.detail["field"] == "template_id"


def test_a_worker_prepares_a_template_once(
    door: Door, work: Work, woman: bytes, admiral: bytes, engine: Engine
) -> None:
    engine.forget()
    template = ready(door, work, admiral)
    accepted = fuse(door, woman, template["template_id"]).json()
    work(door)
    timings = task(door, accepted).timings_ms
    assert timings["detect"] + timings["landmarks"] < 1000
    known = engine.fuse(woman, admiral).cache_hits
    assert known["target"] is True


def test_the_search_for_orphans_leaves_templates_and_finds_those_without_a_record(
    door: Door, work: Work, admiral: bytes
) -> None:
    template = ready(door, work, admiral)
    lost = "01890000-0000-7000-8000-000000000000"
    door.parts.store.put(f"tenants/local/templates/{lost}", b"x")
    deleter = retention(door, FakeClock(now() + timedelta(days=400)))
    assert deleter.delete_orphans() == 1
    assert [key.rsplit("/", 1)[1] for key in door.kept()] == [template["template_id"]]


def test_a_registration_that_is_sent_again_registers_nothing_anew(door: Door, photo: bytes) -> None:
    def send(name: str) -> httpx.Response:
        data, headers = {"consent": "true", "name": name}, {"Idempotency-Key": "t-1"}
        return door.client.post("/v1/templates", files={"image": photo}, data=data, headers=headers)

    assert send("a").json()["template_id"] == send("a").json()["template_id"]
    assert send("b").json()["code"] == "idempotency_conflict"
    assert len(door.kept()) == 1


def test_a_registration_needs_consent_and_a_name_that_fits(door: Door, photo: bytes) -> None:
    post = door.client.post
    assert post("/v1/templates", files={"image": photo}).json()["code"] == "consent_required"
    long = post("/v1/templates", files={"image": photo}, data={"consent": "true", "name": "x" * 256})
    assert (long.status_code, long.json()["field"]) == (422, "name")
    assert door.kept() == []


def test_another_gateway_sees_the_template_at_once(open_door: Open, work: Work, admiral: bytes) -> None:
    one, other = open_door(), open_door()
    template = ready(one, work, admiral)
    assert other.client.get(template["links"]["self"]).json() == template
    other.client.delete(template["links"]["self"])
    assert one.client.get(template["links"]["self"]).status_code == 404


def test_nothing_is_stuck_when_the_records_of_a_template_disagree(door: Door, photo: bytes) -> None:
    template = register(door, photo)
    templates = Templates(door.parts.database, now)
    claimed = door.records.claim(template["task_id"], LEASE, {})
    assert claimed is not None
    assert templates.get("local", template["template_id"]).state is TemplateState.PREPARING
    door.parts.records.cancel("local", template["task_id"], ORIGIN)
    templates.settle()
    assert templates.get("local", template["template_id"]).state is TemplateState.FAILED
