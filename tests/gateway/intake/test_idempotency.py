"""A request that is sent twice makes one task."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from tests.gateway.conftest import Door, Open, picture


def post(door: Door, key: str, source: bytes, target: bytes, **data: str) -> httpx.Response:
    files: Any = {"source": source, "target": target}
    return door.client.post(
        "/v1/fuse", files=files, data={"consent": "true"} | data, headers={"Idempotency-Key": key}
    )  # fmt: skip


def test_the_same_request_again_answers_with_the_first_task_and_keeps_nothing_new(door: Door) -> None:
    source, target = picture(seed=1), picture(seed=2)
    first, again = post(door, "order-17", source, target), post(door, "order-17", source, target)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["task_id"] == first.json()["task_id"]
    assert again.headers["location"] == first.headers["location"]
    assert len(door.kept()) == 2
    # A default that is spelt out is the same option.
    spelt = post(door, "order-17", source, target, options='{"strength": 1.0}')
    assert spelt.json()["task_id"] == first.json()["task_id"]


@pytest.mark.parametrize("change", ["source", "target", "options"])
def test_the_same_key_with_another_request_is_a_conflict(door: Door, change: str) -> None:
    photos = {"source": picture(seed=1), "target": picture(seed=2)}
    assert post(door, "order-17", photos["source"], photos["target"]).status_code == 202
    data = {"options": '{"shape": 0.1}'} if change == "options" else {}
    other = photos if change == "options" else photos | {change: picture(seed=3)}
    answer = post(door, "order-17", other["source"], other["target"], **data)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")
    assert len(door.kept()) == 2


def test_photos_that_change_places_are_another_request(door: Door) -> None:
    source, target = picture(seed=1), picture(seed=2)
    assert post(door, "k", source, target).status_code == 202
    assert post(door, "k", target, source).json()["code"] == "idempotency_conflict"


def test_of_concurrent_twins_on_two_gateways_one_wins_and_the_losers_uploads_go(open_door: Open) -> None:
    doors = [open_door(), open_door()]
    source, target = picture(seed=1), picture(seed=2)
    for attempt in range(5):
        with ThreadPoolExecutor(8) as pool:
            key = f"order-{attempt}"
            answers = list(pool.map(lambda n: post(doors[n % 2], key, source, target), range(8)))  # noqa: B023
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["task_id"] for answer in answers}) == 1
        assert len(doors[0].kept()) == 2 * (attempt + 1)


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256])
def test_a_key_of_other_than_visible_ascii_is_refused(shared_door: Door, key: str) -> None:
    photo = picture()
    answer = shared_door.client.post(
        "/v1/fuse", files={"source": photo, "target": photo}, data={"consent": "true"},
        headers={b"Idempotency-Key": key.encode()},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")
    assert shared_door.kept() == []
