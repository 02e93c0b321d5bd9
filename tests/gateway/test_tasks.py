"""Asking for a task and for its result."""

from __future__ import annotations

from datetime import timedelta

from tests.gateway.conftest import Door, picture

from facefleet.errors.input import FaceNotFound
from facefleet.storage.keys import result_key
from facefleet.tasks.task import Task

LEASE = timedelta(minutes=1)


def submitted(door: Door) -> str:
    photo = picture()
    task_id: str = door.submit(source=photo, target=photo).json()["task_id"]
    return task_id


def claimed(door: Door) -> Task:
    task = door.records.claim(submitted(door), LEASE, {"face_landmark": "1"})
    assert task is not None
    return task


def test_a_waiting_task_shows_its_state_and_has_no_result_yet(door: Door) -> None:
    task_id = submitted(door)
    view = door.client.get(f"/v1/tasks/{task_id}").json()
    assert (view["status"], view["attempts"], view["error"]) == ("queued", 0, None)
    answer = door.client.get(f"/v1/tasks/{task_id}/result")
    assert (answer.status_code, answer.json()["code"]) == (409, "result_not_ready")
    assert answer.headers["retry-after"]


def test_a_finished_task_gives_its_picture_with_its_type(door: Door) -> None:
    task = claimed(door)
    key = result_key(task.tenant, task.id, task.fence)
    door.parts.store.put(key, b"a picture")
    assert door.records.succeed(task, key, "image/webp", {"fuse": 1.0})
    view = door.client.get(f"/v1/tasks/{task.id}").json()
    assert (view["status"], view["progress"], view["timings_ms"]) == ("succeeded", 1.0, {"fuse": 1.0})
    answer = door.client.get(view["links"]["result"])
    assert (answer.status_code, answer.content) == (200, b"a picture")
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["content-disposition"].endswith(f'{task.id}.webp"')
    assert "no-store" in answer.headers["cache-control"]
    door.parts.store.delete(key)
    assert door.client.get(view["links"]["result"]).json()["code"] == "result_unavailable"


def test_a_failed_task_says_why(door: Door) -> None:
    task = claimed(door)
    door.records.fail(task, FaceNotFound("No face was found in the source.", field="source", number=1))
    view = door.client.get(f"/v1/tasks/{task.id}").json()
    assert view["status"] == "failed"
    assert view["error"]["code"] == "face_not_found"
    assert (view["error"]["field"], view["error"]["detail"]) == ("source", {"field": "source", "number": 1})
    answer = door.client.get(f"/v1/tasks/{task.id}/result")
    assert (answer.status_code, answer.json()["context"]["cause"]) == (410, "face_not_found")
    assert (answer.json()["field"], answer.json()["context"]["number"]) == ("source", 1)


def test_a_task_that_has_not_ended_can_be_canceled_twice(door: Door) -> None:
    for task_id in (submitted(door), claimed(door).id):
        for _ in range(2):
            answer = door.client.post(f"/v1/tasks/{task_id}/cancel")
            assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
        version = door.client.get(f"/v1/tasks/{task_id}").json()["version"]
        assert version == answer.json()["version"]
        gone = door.client.get(f"/v1/tasks/{task_id}/result")
        assert (gone.status_code, gone.json()["code"]) == (410, "result_unavailable")


def test_a_task_that_has_ended_cannot_be_canceled(door: Door) -> None:
    task = claimed(door)
    door.records.fail(task, FaceNotFound("No face was found in the source."))
    answer = door.client.post(f"/v1/tasks/{task.id}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "task_ended")
    assert door.client.post("/v1/tasks/0/cancel").status_code == 404


def test_what_is_not_there_is_a_problem_document(door: Door) -> None:
    for path, code in [("/v1/tasks/0", "task_not_found"), ("/v1/tasks/0/result", "task_not_found"),
                       ("/nothing", "route_not_found")]:  # fmt: skip
        answer = door.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, code)
        assert answer.headers["content-type"] == "application/problem+json"
    answer = door.client.get("/v1/fuse")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"
