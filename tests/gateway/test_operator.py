"""The operator's routes, and what callers meet at a closed door."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.gateway.conftest import Door, Open
from tests.servers import wait_until

HERE = "/v1/operator"


def post(door: Door, photo: bytes, key: str) -> httpx.Response:
    files: Any = {"source": photo, "target": photo}
    return door.client.post("/v1/fuse", files=files, data={"consent": "true"}, headers={"Idempotency-Key": key})


def until_refused(door: Door, photo: bytes) -> list[httpx.Response]:
    """The answers to new requests, up to the first that is no 202: gateways look once a second."""
    answers: list[httpx.Response] = []

    def refused() -> bool:
        answers.append(post(door, photo, str(len(answers))))
        return answers[-1].status_code == 503

    wait_until(refused, "new work is refused")
    return answers


def test_maintenance_closes_the_door_for_new_work_only(door: Door, photo: bytes) -> None:
    before = post(door, photo, "before").json()["task_id"]
    assert door.client.get(f"{HERE}/maintenance").json() == {"maintenance": False, "since": None, "reason": ""}
    closed = door.client.put(f"{HERE}/maintenance", json={"reason": "new disks."})
    assert (closed.status_code, closed.json()["maintenance"]) == (200, True)
    refused = until_refused(door, photo)[-1]
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("maintenance", "30")
    assert "new disks" in refused.json()["detail"]
    assert post(door, photo, "before").json()["task_id"] == before, "what was accepted is accepted"
    assert door.client.get(f"/v1/tasks/{before}").status_code == 200
    assert {key.split("/")[3] for key in door.kept()} >= {before}
    assert door.client.delete(f"{HERE}/maintenance").json()["maintenance"] is False
    wait_until(lambda: post(door, photo, "new").status_code == 202, "the door is open")


def test_a_full_lane_takes_nothing_more_and_keeps_nothing(open_door: Open, photo: bytes) -> None:
    door = open_door(tasks={"max_backlog": 3})
    *accepted, refused = until_refused(door, photo)
    assert refused.json()["code"] == "overloaded"
    assert refused.json()["context"]["limit"] == 3
    assert int(refused.headers["retry-after"]) == refused.json()["context"]["retry_after"] > 0
    assert len(door.kept()) == 2 * len(accepted)
    assert post(door, photo, "0").status_code == 202, "a repeat takes no room"


def test_a_lane_is_paused_and_resumed(door: Door, photo: bytes) -> None:
    post(door, photo, "one")
    lanes = {lane["lane"]: lane for lane in door.client.get(f"{HERE}/lanes").json()}
    assert (lanes["standard"]["queued"], lanes["standard"]["paused_since"]) == (1, None)
    paused = {lane["lane"]: lane for lane in door.client.put(f"{HERE}/lanes/standard/pause", json={}).json()}
    assert paused["standard"]["paused_since"] is not None
    resumed = {lane["lane"]: lane for lane in door.client.delete(f"{HERE}/lanes/standard/pause").json()}
    assert resumed["standard"]["paused_since"] is None
    unknown = door.client.put(f"{HERE}/lanes/fast/pause")
    assert (unknown.status_code, unknown.json()["code"]) == (422, "option_invalid")


def test_tasks_are_listed_ended_begun_anew_and_held(door: Door, photo: bytes) -> None:
    ids = [post(door, photo, str(number)).json()["task_id"] for number in range(3)]
    listed = door.client.get(f"{HERE}/tasks", params={"limit": 2}).json()
    assert [found["task"]["task_id"] for found in listed] == ids[:0:-1]
    assert (listed[0]["tenant"], listed[0]["hold"]) == ("local", False)
    there = f"{HERE}/tasks/{ids[0]}"
    assert door.client.post(f"{there}/requeue").json()["code"] == "requeue_refused"
    assert door.client.post(f"{there}/cancel").json()["task"]["status"] == "canceled"
    assert [t["task"]["task_id"] for t in door.client.get(f"{HERE}/tasks?state=canceled").json()] == ids[:1]
    assert door.client.post(f"{there}/requeue").json()["task"]["status"] == "queued"
    assert door.client.put(f"{there}/hold", json={"hold": True}).json()["hold"] is True
    assert door.client.delete(f"/v1/tasks/{ids[0]}").json()["code"] == "task_held"
    assert door.client.get(there).json()["hold"] is True


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/tasks/nobody", None, 404, "task_not_found"),
        ("GET", "/tasks?limit=0", None, 422, "option_invalid"),
        ("GET", "/tasks?state=lost", None, 422, "option_invalid"),
        ("PUT", "/tasks/nobody/hold", {"hold": True}, 404, "task_not_found"),
        ("PUT", "/tasks/nobody/hold", {}, 422, "option_invalid"),
        ("PUT", "/maintenance", {"reason": "x" * 1000}, 422, "option_invalid"),
        ("POST", "/lanes", {}, 405, "method_not_allowed"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(
    shared_door: Door, method: str, path: str, body: object, status: int, code: str
) -> None:
    answer = shared_door.client.request(method, f"{HERE}{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
