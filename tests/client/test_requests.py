"""What a client asks for, before anything is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from facefleet.client import FaceAssignment
from facefleet.client.requests import (
    ApiRequest,
    Webhook,
    faces,
    fuse_options,
    fusion,
    of_batch,
    preference,
    task,
    template,
)
from facefleet.errors.input import ConsentRequired, UploadMissing

NONE: Any = {
    "strength": None, "min_strength": None, "shape": None, "age": None, "source_face": None, "target_face": None,
    "faces": (), "tiles": False,
}  # fmt: skip


def asked(consent: Any = True, wait: float | None = None, key: str | None = None, **options: Any) -> ApiRequest:
    photos = {"source": [b"a"], "target": [b"b"]}
    return fusion(photos, fuse_options(NONE | options), Webhook(), consent=consent, wait=wait, key=key)


def test_a_server_hears_only_of_the_options_that_are_given() -> None:
    assert json.loads(asked().data["options"]) == {}
    given = asked(strength=0.0, min_strength=0.0, source_face=0, tiles=True, faces=[FaceAssignment(2, 1, 0)])
    assert json.loads(given.data["options"]) == {
        "strength": 0.0, "min_strength": 0.0, "source_face": 0, "tiles": True,
        "faces": [{"target_face": 2, "source": 1, "source_face": 0}],
    }  # fmt: skip


def test_an_option_that_does_not_exist_is_refused_as_any_keyword_argument() -> None:
    with pytest.raises(TypeError, match="strenght"):
        asked(strenght=0.5)


def test_every_submission_has_a_key_of_its_own_or_that_of_its_caller() -> None:
    keys = {asked().headers["Idempotency-Key"] for _ in range(3)}
    assert len(keys) == 3
    assert asked(key="order-17").headers["Idempotency-Key"] == "order-17"


@pytest.mark.parametrize("consent", [False, None, "true", 1])
def test_without_consent_nothing_is_sent(consent: Any) -> None:
    with pytest.raises(ConsentRequired):
        asked(consent=consent)


def test_without_a_target_nothing_is_sent() -> None:
    with pytest.raises(UploadMissing):
        fusion({"source": [b"a"], "target": []}, {}, Webhook(), consent=True, wait=None, key=None)


@pytest.mark.parametrize(
    ("wait", "header"), [(None, {}), (0, {}), (0.9, {}), (1, {"Prefer": "wait=1"}), (90.5, {"Prefer": "wait=30"})]
)
def test_a_wait_is_asked_for_in_whole_seconds_that_a_server_grants(wait: float | None, header: dict[str, str]) -> None:
    assert preference(wait) == header


def test_an_id_cannot_lead_elsewhere() -> None:
    for asked_for, name in ((task, "tasks"), (template, "templates"), (of_batch, "batches")):
        assert asked_for("../operator/lanes?x#y").path == f"/v1/{name}/..%2Foperator%2Flanes%3Fx%23y"


@pytest.mark.parametrize(("timeout", "header"), [(0.3, "wait=0"), (7.5, "wait=7"), (60.0, "wait=30")])
def test_a_search_for_faces_never_waits_longer_than_its_caller(timeout: float, header: str) -> None:
    assert faces(b"a", tiles=False, timeout=timeout).headers["Prefer"] == header
