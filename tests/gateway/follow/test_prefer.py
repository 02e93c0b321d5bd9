"""Waiting for the end of a task inside its request."""

from __future__ import annotations

import time
from datetime import timedelta
from threading import Timer

import httpx
import pytest
from tests.gateway.conftest import Door, picture

from facefleet.gateway.follow.prefer import wait_of

LEASE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        (["wait"], 30),
        (["wait="], 30),
        (['wait=""'], 30),
        (["wait=5"], 5),
        (['WAIT = "5"; foo=bar'], 5),
        (["respond-async, wait=7"], 7),
        (["respond-async", "wait=7"], 7),
        (["wait=3, wait=9"], 3),
        (["wait=0"], 0),
        (["wait=005"], 5),
        (["wait=31"], 30),
        (["wait=" + "9" * 5000], 30),
        (["wait=-1"], None),
        (["wait=soon"], None),
        (["wait=²"], None),
        (["waiting=3"], None),
        ([",;=,"], None),
    ],
)
def test_a_preference_is_read_as_the_standard_says(headers: list[str], seconds: int | None) -> None:
    assert wait_of(headers) == seconds


def post(door: Door, prefer: str) -> httpx.Response:
    photo = picture()
    return door.client.post(
        "/v1/fuse", files={"source": photo, "target": photo}, data={"consent": "true"}, headers={"Prefer": prefer}
    )


def test_a_task_that_ends_in_time_is_the_answer(door: Door) -> None:
    def cancel() -> None:
        with httpx.Client(base_url=door.client.base_url, trust_env=False, verify=False) as another:
            task_id = another.get("/v1/operator/tasks").json()[0]["task"]["task_id"]
            another.post(f"/v1/tasks/{task_id}/cancel")

    Timer(0.3, cancel).start()
    began = time.monotonic()
    answer = post(door, "wait=20")
    assert time.monotonic() - began < 5
    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    assert answer.headers["preference-applied"] == "wait=20"
    assert answer.json() == door.client.get(answer.headers["location"]).json()


def test_a_task_that_does_not_is_accepted_as_ever(door: Door) -> None:
    answer = post(door, "wait=1")
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers["preference-applied"] == "wait=1"
    here = answer.headers["location"]
    assert door.records.claim(answer.json()["task_id"], LEASE, {}) is not None
    began = time.monotonic()
    waited = door.client.get(here, headers={"Prefer": "wait=1"})
    assert 0.9 < time.monotonic() - began < 5
    assert (waited.status_code, waited.json()["status"]) == (200, "running")
    assert waited.headers["preference-applied"] == "wait=1"


def test_who_prefers_nothing_waits_for_nothing(door: Door) -> None:
    answer = post(door, "respond-async")
    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers


def test_a_task_that_has_ended_is_not_waited_for(door: Door) -> None:
    here = post(door, "wait=0").headers["location"]
    door.client.post(f"{here}/cancel")
    began = time.monotonic()
    assert door.client.get(here, headers={"Prefer": "wait"}).headers["preference-applied"] == "wait=30"
    assert time.monotonic() - began < 5
