"""What a client asks for: each request of the API as a value, without any sending."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from facefleet.assignments import FaceAssignment
from facefleet.client.photos import Files, Photo, uploads
from facefleet.errors import ConsentRequired, UploadMissing

LONGEST_WAIT_SECONDS = 30  # the server's own limit of `Prefer: wait=N`
APPLIED = "Preference-Applied"


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that may be sent again: it changes nothing, or it carries a key by which the server knows it.

    Attributes:
        method: ``GET``, ``POST`` or ``DELETE``.
        path: Below the address of the server.
        silence: s more than usual that the server may stay silent.
        follow: Whether the answer may be at another place, as the link of a store is.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    files: Files = field(default_factory=list)
    silence: float = 0.0
    follow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where a server tells of a task.

    Attributes:
        url: Of the receiver; none tells nobody.
        events: States to tell of; the server's default where not given: the terminal ones.
    """

    url: str | None = None
    events: Sequence[str] | None = None

    def fields(self) -> dict[str, str]:
        """As fields of a form."""
        found = {} if self.url is None else {"webhook_url": self.url}
        return found if self.events is None else found | {"webhook_events": json.dumps(list(self.events))}


def fusion(
    photos: Mapping[str, Sequence[Photo]], options: Mapping[str, object], webhook: Webhook, *,
    consent: bool, wait: float | None, key: str | None,
) -> Ask:  # fmt: skip
    """``POST /v1/fuse``.

    Args:
        photos: Field → its photos.
        options: Those that are given; none for the server's default.
        webhook: Whom to tell.
        consent: Whether the people shown agree.
        wait: s that the answer may wait for the end of the task.
        key: By which the server knows the request again; made where not given.

    Raises:
        ConsentRequired: They do not; nothing is sent.
        UploadMissing: There is no target.
    """
    _require_consent(consent=consent)
    if not photos["target"]:
        raise UploadMissing("A fusion needs a target.", field="target")
    given = {name: value for name, value in options.items() if not (value is None or value is False or value == [])}
    data = {"consent": "true", "options": json.dumps(given)} | webhook.fields()
    headers = {"Idempotency-Key": key or uuid4().hex} | preference(wait)
    return Ask("POST", "/v1/fuse", headers=headers, data=data, files=uploads(photos), silence=wait or 0.0)


def fuse_options(
    *, strength: float | None, shape: float | None, age: float | None, source_face: int | None,
    target_face: int | str | None, faces: Sequence[FaceAssignment], tiles: bool,
) -> dict[str, object]:  # fmt: skip
    """Options of a fusion by their names in the API."""
    return {
        "strength": strength, "shape": shape, "age": age, "source_face": source_face, "target_face": target_face,
        "faces": [asdict(one) for one in faces], "tiles": tiles,
    }  # fmt: skip


def task(task_id: str, part: str = "", method: str = "GET", **more: Any) -> Ask:
    """A request about one task."""
    return Ask(method, f"/v1/tasks/{quote(task_id, safe='')}{part}", **more)


def tasks(cursor: str | None, limit: int, **wanted: str | datetime | None) -> Ask:
    """One page of ``GET /v1/tasks``."""
    given = {name: value for name, value in wanted.items() if value is not None}
    texts = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}
    page = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
    return Ask("GET", "/v1/tasks", params=texts | page)


def usage(first: date | None, last: date | None) -> Ask:
    """``GET /v1/usage``."""
    given = {"from": first, "to": last}
    return Ask("GET", "/v1/usage", params={name: day.isoformat() for name, day in given.items() if day is not None})


def preference(wait: float | None) -> dict[str, str]:
    """The header that asks a server to answer when a task has ended, or after so many s."""
    whole = 0 if wait is None else min(LONGEST_WAIT_SECONDS, int(wait))
    return {"Prefer": f"wait={whole}"} if whole > 0 else {}


def _require_consent(*, consent: bool) -> None:
    if consent is not True:
        raise ConsentRequired(
            "Pass consent=True once the people shown in the photos have agreed; nothing was sent.", field="consent"
        )
