"""Requests with several sources, and the newer options."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from tests.gateway.conftest import Door, picture

BOTH = [{"target_face": 0}, {"source": 1, "source_face": 0, "target_face": 2}]


def send(door: Door, options: Any, sources: int, key: str | None = None, seed: int = 0) -> httpx.Response:
    files = [("source", ("s", picture(seed=seed + number))) for number in range(sources)]
    data = {"consent": "true", "options": json.dumps(options)}
    headers = {"idempotency-key": key} if key else {}
    return door.client.post("/v1/fuse", files=[*files, ("target", ("t", picture(seed=99)))], data=data, headers=headers)


def test_each_source_is_stored_under_its_own_role(door: Door) -> None:
    answer = send(door, {"faces": BOTH, "tiles": True}, sources=2)
    assert answer.status_code == 202, answer.text
    task = door.records.get("local", answer.json()["task_id"])
    assert list(task.inputs) == ["source", "source-1", "target"]
    assert [door.parts.store.get(key) for key in task.inputs.values()] == [
        picture(seed=0), picture(seed=1), picture(seed=99)
    ]  # fmt: skip
    assert task.options["faces"] == [
        {"source": 0, "source_face": None, "target_face": 0},
        {"source": 1, "source_face": 0, "target_face": 2},
    ]
    assert task.options["tiles"] is True


def test_a_record_without_newer_options_is_that_of_the_release_before(door: Door) -> None:
    task = door.records.get(
        "local", send(door, {"tiles": False, "faces": [], "age": 0, "min_strength": None}, 1).json()["task_id"]
    )
    assert task.options == {"strength": 1.0, "shape": 0.5, "source_face": None, "target_face": None}
    assert list(task.inputs) == ["source", "target"]


@pytest.mark.parametrize("weakest", [0, 0.5])
def test_the_weakest_blend_is_kept_where_it_is_given_be_it_none_at_all(door: Door, weakest: float) -> None:
    answer = send(door, {"strength": 0.5, "min_strength": weakest}, 1)
    assert door.records.get("local", answer.json()["task_id"]).options["min_strength"] == weakest


def test_a_weakest_blend_stronger_than_the_one_asked_for_is_refused_by_name(door: Door) -> None:
    problem = send(door, {"strength": 0.5, "min_strength": 0.6}, 1).json()
    assert problem["errors"] == [
        {"field": "options.min_strength", "reason": "Input should be less than or equal to strength"}
    ]


@pytest.mark.parametrize(
    ("options", "sources"),
    [
        ({"faces": BOTH}, 1),
        ({"faces": BOTH[:1]}, 2),
        ({}, 2),
        ({"faces": [{"target_face": 1}, {"target_face": 1}]}, 1),
        ({"faces": [{"target_face": face} for face in range(7)]}, 1),
        ({"faces": BOTH, "target_face": "all"}, 2),
        ({"faces": [{"source": 6, "target_face": 0}]}, 1),
        ({"faces": [{"source": 0}]}, 1),
        ({"faces": [{"target_face": 0, "other": 1}]}, 1),
        ({"faces": [{"target_face": -1}]}, 1),
        ({"tiles": "yes"}, 1),
        ({"min_strength": 1.01}, 1),
        ({"min_strength": 0.6, "strength": 0.5}, 1),
    ],
)
def test_choices_that_do_not_fit_are_refused_at_the_door(shared_door: Door, options: Any, sources: int) -> None:
    answer = send(shared_door, options, sources)
    assert (answer.status_code, answer.json()["code"]) == (422, "option_invalid")
    assert shared_door.kept() == []


@pytest.mark.parametrize("path", ["/v1/fuse", "/v1/faces"])
def test_an_option_that_is_there_twice_is_refused_by_name(shared_door: Door, path: str) -> None:
    photos = {"source": picture(), "target": picture()} if path == "/v1/fuse" else {"image": picture()}
    form = {"options": '{"tiles": true, "tiles": false}'} | ({"consent": "true"} if path == "/v1/fuse" else {})
    answer = shared_door.client.post(path, files=photos, data=form)
    assert (answer.status_code, answer.json()["field"]) == (422, "options.tiles")


def test_six_sources_are_taken_and_seven_are_not(door: Door) -> None:
    options = {"faces": [{"source": number, "target_face": number} for number in range(6)]}
    assert send(door, options, 6).status_code == 202
    answer = send(door, options, 7)
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


def test_the_same_key_with_another_second_source_is_a_conflict(door: Door) -> None:
    first = send(door, {"faces": BOTH}, 2, key="k")
    assert send(door, {"faces": BOTH}, 2, key="k").json()["task_id"] == first.json()["task_id"]
    other = send(door, {"faces": BOTH}, 2, key="k", seed=1)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


def test_the_description_of_the_options_is_whole(door: Door) -> None:
    body = door.client.get("/openapi.json").json()["paths"]["/v1/fuse"]["post"]["requestBody"]
    schema = body["content"]["multipart/form-data"]["schema"]["properties"]
    assert "$ref" not in json.dumps(schema)
    assert schema["source"]["maxItems"] == 6
    assert schema["options"]["properties"]["faces"]["items"]["required"] == ["target_face"]
