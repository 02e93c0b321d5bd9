"""Verifies and reads the messages of a server's webhooks, for the program that receives them (Standard Webhooks).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from facefleet.client.views import TaskView, task_view
from facefleet.errors.client import ServerUnreachable, SignatureInvalid
from facefleet.errors.input import RequestError

TOLERANCE_SECONDS = 300.0
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message of a webhook.

    Attributes:
        id: The same in every attempt: what was seen before can be left out.
        type: ``task.succeeded`` and others.
        timestamp: When it happened.
        task: The task then.
    """

    id: str
    type: str
    timestamp: datetime
    task: TaskView


def verify(
    headers: Mapping[str, str], body: bytes, secret: str, *,
    tolerance: float = TOLERANCE_SECONDS, clock: Callable[[], float] = time.time,
) -> Notice:  # fmt: skip
    """Check that a message is from the server and fresh, and read it.

    Args:
        headers: Of the request; how their names are written does not matter.
        body: As it came, before any JSON parser.
        secret: ``whsec_…``; several, separated by blanks, while they change.
        tolerance: s that its time may differ from ours: an old one was kept by somebody who sends it again.
        clock: s since 1970.

    Raises:
        SignatureInvalid: It is not signed with any of these secrets, or not fresh. Answer 401 and ignore it.
        RequestError: It is signed, and no message of a task.
    """
    named = {name.lower(): value for name, value in headers.items()}
    message_id = check_signature(named, body, secret, tolerance=tolerance, clock=clock)
    try:
        document = json.loads(body)
        timestamp = datetime.fromisoformat(document["timestamp"])
        return Notice(id=message_id, type=str(document["type"]), timestamp=timestamp, task=task_view(document["data"]))
    except (ValueError, KeyError, TypeError, AttributeError, ServerUnreachable):
        raise RequestError("The message is signed, but it tells of no task.") from None


def check_signature(
    headers: Mapping[str, str], body: bytes, secret: str, *, tolerance: float, clock: Callable[[], float]
) -> str:
    """The id of a message that is signed and fresh; the names of ``headers`` are in lower case.

    Raises:
        SignatureInvalid: It is not.
    """
    try:
        message_id, timestamp, signatures = (headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        sent = int(timestamp)
    except (KeyError, ValueError):
        raise SignatureInvalid("The headers webhook-id, -timestamp and -signature are not all there.") from None
    if abs(clock() - sent) > tolerance:
        raise SignatureInvalid(f"The message is more than {tolerance:g} s old, or of a clock that is wrong.")
    signed = f"{message_id}.{timestamp}.".encode() + body
    mine = [b"v1," + base64.b64encode(hmac.digest(_key(one), signed, hashlib.sha256)) for one in secret.split()]
    theirs = [one.encode() for one in signatures.split()]
    if not any(hmac.compare_digest(one, other) for one in mine for other in theirs):
        raise SignatureInvalid("No signature is that of the message and the secret.")
    return message_id


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise SignatureInvalid(f"A secret has the form {_PREFIX}<base64>; this one has not.") from None
