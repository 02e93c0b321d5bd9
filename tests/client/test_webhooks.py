"""What a receiver may believe."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from tests.client.scripted import Said, in_turn, saying, task

from facefleet.client import Client
from facefleet.client.webhooks import check_signature, verify
from facefleet.errors.client import SignatureInvalid
from facefleet.errors.input import RequestError

# The specification's own example.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT, EXAMPLE = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = json.dumps({
    "type": "task.failed", "timestamp": "2021-02-25T15:02:10Z",
    "data": task("failed", 3, error={"code": "face_not_found", "message": "No face."}),
}).encode()  # fmt: skip


def signed(body: bytes, secret: str = SECRET, at: int = AT) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = base64.b64encode(hmac.digest(key, f"{ID}.{at}.".encode() + body, hashlib.sha256)).decode()
    return {"Webhook-Id": ID, "Webhook-Timestamp": str(at), "Webhook-Signature": f"v1,{mac}"}


def clock() -> float:
    return AT + 60.0


def test_the_published_signature_is_that_of_the_published_example() -> None:
    headers = {"webhook-id": ID, "webhook-timestamp": str(AT), "webhook-signature": f"v1a,x {SIGNATURE}"}
    assert check_signature(headers, EXAMPLE, SECRET, tolerance=300.0, clock=clock) == ID


@pytest.mark.parametrize("secret", [SECRET, f"{OTHER} {SECRET}", f"{SECRET}\n{OTHER}"])
def test_a_message_that_is_signed_and_fresh_is_read(secret: str) -> None:
    notice = verify(signed(BODY), BODY, secret, clock=clock)
    assert (notice.id, notice.type, notice.task.status) == (ID, "task.failed", "failed")
    assert notice.task.error is not None
    assert notice.task.error.code == "face_not_found"
    assert notice.timestamp.year == 2021


def test_what_is_changed_forged_old_or_unsigned_is_not_believed() -> None:
    good = signed(BODY)
    for headers, body, secret in [
        (good, BODY + b" ", SECRET), (good, BODY, OTHER), (good | {"Webhook-Id": "msg_2"}, BODY, SECRET),
        (good | {"Webhook-Signature": "v1,é"}, BODY, SECRET), (good | {"Webhook-Signature": ""}, BODY, SECRET),
        (signed(BODY, at=AT - 600), BODY, SECRET), (signed(BODY, at=AT + 600), BODY, SECRET),
        (good | {"Webhook-Timestamp": "soon"}, BODY, SECRET), ({}, BODY, SECRET), (good, BODY, ""), (good, BODY, "é"),
    ]:  # fmt: skip
        with pytest.raises(SignatureInvalid):
            verify(headers, body, secret, clock=clock)


@pytest.mark.parametrize("body", [EXAMPLE, b"no json", b"[]", b'{"type":"x","timestamp":"2021-02-25","data":[]}'])
def test_what_is_signed_and_tells_of_no_task_is_told_apart(body: bytes) -> None:
    with pytest.raises(RequestError):
        verify(signed(body), body, SECRET, clock=clock)


def test_a_submission_names_its_receiver() -> None:
    with saying(in_turn(Said(202, task("queued", 1)))) as server, Client(server.url) as facefleet:
        facefleet.fuse(b"a", b"b", consent=True, webhook_url="https://example.com/hook", webhook_events=["failed"])
        facefleet.fuse(b"a", b"b", consent=True)
    first, second = (heard.body for heard in server.heard)
    assert b'name="webhook_url"\r\n\r\nhttps://example.com/hook\r\n' in first
    assert b'name="webhook_events"\r\n\r\n["failed"]\r\n' in first
    assert b"webhook" not in second
