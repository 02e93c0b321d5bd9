"""Form libraries send every field of a form, filled in or not: an empty one counts as absent."""

from __future__ import annotations

import pytest
from tests.gateway.conftest import Door, picture

pytestmark = pytest.mark.needs_server

Files = list[tuple[str, tuple[str | None, bytes]]]
EMPTY = {"options": "", "template_id": "", "webhook_url": "", "webhook_events": ""}


def texts(name: str, *values: str) -> Files:
    """The same field several times."""
    return [(name, (None, value.encode())) for value in values]


@pytest.mark.parametrize("path", ["/v1/fuse", "/fuse", "/v1/batches"])
def test_empty_fields_of_a_fusion_count_as_absent(door: Door, photo: bytes, path: str) -> None:
    answer = door.client.post(path, files={"source": photo, "target": photo}, data={**EMPTY, "consent": "yes"})
    assert answer.status_code == 202, answer.json()


def test_empty_fields_of_a_search_count_as_absent(door: Door, photo: bytes) -> None:
    empty = {name: "" for name in EMPTY if name != "template_id"}
    assert door.client.post("/v1/faces", files={"image": photo}, data=empty).status_code in (200, 202)


def test_empty_fields_of_a_template_count_as_absent(door: Door, photo: bytes) -> None:
    empty = {"name": "", "webhook_url": "", "webhook_events": "", "consent": "1"}
    answer = door.client.post("/v1/templates", files={"image": photo}, data=empty)
    assert answer.status_code in (201, 202), answer.json()
    assert answer.json().get("name", "") == ""


def test_openapi_does_not_forbid_what_counts_as_absent(shared_door: Door) -> None:
    operations = [
        one for path in shared_door.client.get("/openapi.json").json()["paths"].values() for one in path.values()
    ]
    forms = [
        one["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
        for one in operations
        if "multipart/form-data" in one.get("requestBody", {}).get("content", {})
    ]
    assert len(forms) >= 4
    assert not [name for form in forms for name, field in form.items() if "minLength" in field]


@pytest.mark.parametrize("path", ["/v1/fuse", "/v1/batches"])
def test_an_empty_target_leaves_the_word_to_the_template(door: Door, photo: bytes, path: str) -> None:
    files = {"source": ("a.jpg", photo), "target": ("", b"")}
    answer = door.client.post(path, files=files, data={"consent": "true", "template_id": "x"})
    assert answer.json()["code"] == "template_not_found"


def test_an_empty_consent_is_none(door: Door, photo: bytes) -> None:
    problem = door.submit(consent="", source=photo, target=photo).json()
    assert problem["code"] == "consent_required"
    assert "consent is" not in problem["detail"]


def test_a_no_is_quoted(door: Door, photo: bytes) -> None:
    problem = door.submit(consent="maybe", source=photo, target=photo).json()
    assert problem["code"] == "consent_required"
    assert "'maybe'" in problem["detail"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_empty_photo_among_others_is_refused_since_their_numbers_would_shift(
    door: Door, order: tuple[int, int]
) -> None:
    targets = [("target", ("b.jpg", [picture(), b""][which])) for which in order]
    answer = door.client.post("/v1/batches", files=[("source", picture()), *targets], data={"consent": "true"})
    assert answer.json()["code"] == "upload_missing"
    assert answer.json()["context"]["field"] == "target"
    assert door.kept() == []


def test_a_field_that_is_empty_once_and_filled_in_once_is_filled_in(door: Door, photo: bytes) -> None:
    files: Files = [("source", ("a", photo)), ("target", ("b", photo)), *texts("consent", "", "TRUE")]
    assert door.client.post("/v1/fuse", files=files).status_code == 202


def test_empty_parts_without_number_are_refused(door: Door, photo: bytes) -> None:
    files: Files = [("source", ("a", photo)), *texts("options", *[""] * 9)]
    assert door.client.post("/v1/fuse", files=files).json()["code"] == "request_invalid"
