"""``POST /v1/faces`` through a real gateway, with a real worker's handler behind it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.gateway.conftest import Door, Work, picture
from tests.gateway.test_erasure import retention
from tests.tasks.fakes import FakeClock

from facefleet.clock import now
from facefleet.media.sniff import sniff


def test_faces_are_found_while_the_caller_waits_and_the_photo_is_gone(door: Door, work: Work, pair: bytes) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(door.client.post, "/v1/faces", files={"image": pair})
        while not asked.done():
            work(door)
    answer = asked.result()
    assert answer.status_code == 200
    output = answer.json()["output"]
    header = sniff(pair)
    assert output["image"] == {"width": header.width, "height": header.height}
    assert [face["index"] for face in output["faces"]] == [0, 1]
    for face in output["faces"]:
        assert (face["usable_as_source"], face["usable_as_target"], face["reasons"]) == (True, True, [])
        assert len(face["landmarks5"]) == 5
    assert answer.json()["lane"] == "interactive"
    assert door.kept() == []


def test_a_photo_without_a_face_is_no_error(door: Door, work: Work, photo: bytes) -> None:
    accepted = door.client.post("/v1/faces", files={"image": photo}, headers={"Prefer": "wait=0"})
    assert accepted.status_code == 202
    work(door)
    shown = door.client.get(accepted.json()["links"]["self"]).json()
    assert (shown["status"], shown["output"]["faces"], shown["result_bytes"]) == ("succeeded", [], None)
    assert door.client.get(accepted.json()["links"]["result"]).json()["code"] == "result_unavailable"


def test_the_upload_of_a_search_that_was_canceled_goes_in_the_next_round(door: Door, photo: bytes) -> None:
    accepted = door.client.post("/v1/faces", files={"image": photo}, headers={"Prefer": "wait=0"}).json()
    assert len(door.kept()) == 1
    door.client.post(accepted["links"]["cancel"])
    retention(door, FakeClock(now())).round()
    assert door.kept() == []


@pytest.mark.parametrize(
    ("files", "data", "code"),
    [
        ({}, {"options": "{}"}, "upload_missing"),
        ({"image": b"no photo"}, {}, "image_type_unsupported"),
        ({"image": picture()}, {"options": '{"tiles": 1}'}, "option_invalid"),
        ({"image": picture()}, {"consent": "true"}, "request_invalid"),
    ],
)
def test_a_search_that_cannot_be_is_refused(shared_door: Door, files: Any, data: Any, code: str) -> None:
    files = files or {"options": (None, "{}")}
    answer = shared_door.client.post("/v1/faces", files=files, data={} if "options" in files else data)
    assert answer.json()["code"] == code
    assert shared_door.kept() == []
