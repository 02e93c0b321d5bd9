"""What is attested beside the yes: taken by every way in, kept with the task, told again, and required by a rule."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from tests.gateway.conftest import Door, Open, picture
from tests.tasks.fakes import FakeClock

from facefleet.client import Client, Consent
from facefleet.errors.input import ConsentRequired
from facefleet.tasks.audit import Entry
from facefleet.tasks.records.audit_log import AuditFilter, AuditLog

PHOTO = picture(seed=5)
SAID = {"consent_reference": "consent-2041", "own_photo": "true", "guardian": "yes"}
TOLD = {"subject": "local", "reference": "consent-2041", "own_photo": True, "guardian": True}


def told(door: Door, task_id: str) -> dict[str, Any]:
    consent: dict[str, Any] = door.client.get(f"/v1/tasks/{task_id}").json()["consent"]
    assert consent.pop("at")
    return consent


def entries(door: Door) -> list[Entry]:
    return list(AuditLog(door.parts.database, FakeClock()).entries(AuditFilter()))


def test_a_form_and_its_json_attest_the_same(door: Door) -> None:
    key = {"Idempotency-Key": "one"}
    files = {"source": PHOTO, "target": PHOTO}
    by_form = door.client.post("/v1/fuse", files=files, data={"consent": "true"} | SAID, headers=key).json()
    data = {"data": base64.b64encode(PHOTO).decode()}
    said = {"consent": True, "consent_reference": "consent-2041", "own_photo": True, "guardian": True}
    by_json = door.client.post("/v1/fuse", json={"source": data, "target": data} | said, headers=key).json()
    assert told(door, by_form["task_id"]) == TOLD
    assert by_json["task_id"] == by_form["task_id"]
    (entry,) = entries(door)
    assert (entry.action, entry.consent, entry.consent_reference) == ("task.create", "local", "consent-2041")


def test_a_plain_yes_says_nothing_else(door: Door) -> None:
    task_id = door.submit(source=PHOTO, target=PHOTO).json()["task_id"]
    assert told(door, task_id) == {"subject": "local", "reference": None, "own_photo": False, "guardian": False}
    assert entries(door)[0].consent_reference is None
    assert "consent_reference" not in entries(door)[0].canonical(), "hashed as before there were any"


def test_where_no_picture_is_made_nothing_is_attested(door: Door) -> None:
    answer = door.client.post("/v1/faces", files={"image": PHOTO}, headers={"Prefer": "wait=0"})
    assert door.client.get(f"/v1/tasks/{answer.json()['task_id']}").json()["consent"] is None
    refused = door.client.post("/v1/faces", files={"image": PHOTO}, data={"own_photo": "true"})
    assert refused.json()["code"] == "request_invalid"


def test_a_template_and_a_batch_attest_too(door: Door) -> None:
    template = door.client.post("/v1/templates", files={"image": PHOTO}, data={"consent": "true"} | SAID).json()
    batch = door.client.post(
        "/v1/batches", files=[("source", PHOTO), ("target", PHOTO), ("target", PHOTO)], data={"consent": "true"} | SAID
    ).json()
    listed = door.client.get("/v1/tasks", params={"batch": batch["batch_id"]}).json()["tasks"]
    tasks = [template["task_id"], *(one["task_id"] for one in listed)]
    assert [told(door, task_id) for task_id in tasks] == [TOLD] * 3
    assert [(one.action, one.consent_reference) for one in entries(door)] == [
        ("template.create", "consent-2041"), ("batch.create", "consent-2041"),
    ]  # fmt: skip


def test_usage_counts_what_was_attested(door: Door) -> None:
    for texts in ({}, {"consent_reference": "a"}, {"own_photo": "true", "consent_reference": "b"}, {"guardian": "1"}):
        assert door.submit(source=PHOTO, target=PHOTO, texts=texts).status_code == 202
    (day,) = door.client.get("/v1/usage").json()["days"]
    assert (day["tasks"], day["with_reference"], day["own_photos"], day["by_guardian"]) == (4, 2, 1, 1)


def test_another_attestation_is_another_request_to_an_idempotency_key(door: Door) -> None:
    def send(**said: str) -> dict[str, Any]:
        files, data = {"source": PHOTO, "target": PHOTO}, {"consent": "true"} | said
        answer: dict[str, Any] = door.client.post(
            "/v1/fuse", files=files, data=data, headers={"Idempotency-Key": "k"}
        ).json()
        return answer

    first = send(consent_reference="a")
    assert send(consent_reference="a", own_photo="no")["task_id"] == first["task_id"]
    assert send(consent_reference="b")["code"] == "idempotency_conflict"
    assert send()["code"] == "idempotency_conflict"


@pytest.mark.parametrize(
    ("texts", "field"),
    [
        ({"own_photo": "maybe"}, "own_photo"),
        ({"guardian": "2"}, "guardian"),
        ({"consent_reference": "a\nb"}, "consent_reference"),
        ({"consent_reference": "x" * 256}, "consent_reference"),
    ],
)
def test_what_cannot_be_understood_is_refused(shared_door: Door, texts: dict[str, str], field: str) -> None:
    answer = shared_door.submit(source=PHOTO, target=PHOTO, texts=texts)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "option_invalid", field)
    assert shared_door.kept() == []


@pytest.mark.parametrize(
    "said", [{"own_photo": "true"}, {"guardian": 1}, {"consent_reference": 7}, {"own_photo": None}]
)
def test_json_is_strict_about_types(shared_door: Door, said: dict[str, Any]) -> None:
    data = {"data": base64.b64encode(PHOTO).decode()}
    answer = shared_door.client.post("/v1/fuse", json={"consent": True, "source": data, "target": data} | said)
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


def test_a_rule_asks_every_way_in_for_a_reference(open_door: Open) -> None:
    door, yes = open_door(safety={"consent": "reference"}), {"consent": "true"}
    answers = [
        door.submit(source=PHOTO, target=PHOTO),
        door.client.post("/v1/templates", files={"image": PHOTO}, data=yes),
        door.client.post("/v1/batches", files={"source": PHOTO, "target": PHOTO}, data=yes),
    ]
    for answer in answers:
        refused = answer.json()
        assert (answer.status_code, refused["code"], refused["field"]) == (422, "consent_required", "consent_reference")
    assert door.kept() == []
    assert door.submit(source=PHOTO, target=PHOTO, texts={"consent_reference": "c"}).status_code == 202
    assert door.client.post("/v1/faces", files={"image": PHOTO}, headers={"Prefer": "wait=0"}).status_code == 202


def test_the_client_attests_by_one_argument(door: Door) -> None:
    said = Consent(reference="consent-2041", own_photo=True, guardian=True)
    with Client(str(door.client.base_url)) as client:
        task = client.fuse(PHOTO, PHOTO, consent=said)
        template = client.register(PHOTO, consent=said)
        batch = client.batch(source=PHOTO, target=PHOTO, consent=said)
        plain = client.fuse(PHOTO, PHOTO, consent=True)
        item = next(batch.tasks())
        for nothing in (False, None, "yes", 1):
            with pytest.raises(ConsentRequired):
                client.fuse(PHOTO, PHOTO, consent=nothing)  # type: ignore[arg-type]
        (day,) = (one for one in client.usage().days if one.kind == "fuse")
        assert client.task(plain.id).view.consent is not None
    for task_id in (task.id, template.view.task_id, item.id):
        assert told(door, task_id) == TOLD
    assert (day.with_reference, day.own_photos, day.by_guardian) == (2, 2, 2)


def test_openapi_has_the_fields_as_a_form_and_as_json(door: Door) -> None:
    described = door.client.get("/openapi.json").json()["paths"]
    for path in ("/v1/fuse", "/v1/templates", "/v1/batches"):
        for kind, body in described[path]["post"]["requestBody"]["content"].items():
            fields = body["schema"]["properties"]
            flag = "boolean" if kind == "application/json" else "string"
            assert [fields[name]["type"] for name in ("consent", "own_photo", "guardian")] == [flag] * 3
            assert fields["consent_reference"]["maxLength"] == 255
