"""Builds each request of the API as an `ApiRequest`, which the transport sends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

from facefleet.assignments import FaceAssignment
from facefleet.client import arguments
from facefleet.client import consent as consents
from facefleet.client.consent import Consent
from facefleet.client.photos import Content, Files, Photo, Usable, contents
from facefleet.client.responses import Document
from facefleet.client.views import Upload
from facefleet.errors.input import OptionInvalid, RequestError, UploadMissing
from facefleet.options import FuseChoices, FuseOptions

LONGEST_WAIT_SECONDS = 30  # the server's own limit of `Prefer: wait=N`
APPLIED = "Preference-Applied"
_PAGE = 100  # entries; the most that a server gives at once
_COMMIT_SECONDS = 60.0  # more than usual, for the records of a thousand items

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request that may be sent again: it changes nothing, or it carries an idempotency key; but for new API keys.

    Its body is a form of ``data`` and ``files``, or ``json``, or ``content``.

    Attributes:
        method: ``GET``, ``POST``, ``PUT`` or ``DELETE``.
        path: Below the address of the server.
        extra_read_timeout: s beyond the client's timeout to wait for bytes of the response.
        follow: Whether to follow a redirect, as to the link of a store.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    files: Files = field(default_factory=list)
    json: Document | None = None
    content: Content | None = None
    extra_read_timeout: float = 0.0
    follow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """The webhook of a task: where the server reports its changes.

    Attributes:
        url: Of the receiver; None for no webhook.
        events: States to report; the server's default where not given: the terminal ones.
    """

    url: str | None = None
    events: Sequence[str] | None = None

    def fields(self) -> dict[str, str]:
        """As fields of a form."""
        url = {} if self.url is None else {"webhook_url": arguments.text("webhook_url", self.url)}
        if self.events is None:
            return url
        return url | {"webhook_events": json.dumps(arguments.several("webhook_events", self.events))}


def fusion(
    photos: Mapping[str, Sequence[Usable]], options: Mapping[str, object], webhook: Webhook, *,
    consent: bool | Consent, wait: float | None, key: str | None, template_id: str | None = None,
) -> ApiRequest:  # fmt: skip
    """``POST /v1/fuse``.

    Args:
        photos: Field → its photos.
        options: Those that are given, as JSON.
        webhook: Where to report the task.
        consent: Whether the people shown agree, or what is attested of that.
        wait: s that the response may wait for the end of the task.
        key: Idempotency key; made where not given.
        template_id: The target, where it is a registered one.

    Raises:
        ConsentRequired: They did not; nothing is sent.
        UploadMissing: There is no target.
        RequestError: There are both a target and a template.
        OptionInvalid: An argument cannot be sent.
    """
    attested = consents.fields(consent)
    _check_targets(photos["target"], [template_id] if template_id is not None else [])
    data = attested | {"options": _json(options)} | webhook.fields()
    if template_id is not None:
        data["template_id"] = arguments.text("template", template_id)
    return _submission("/v1/fuse", photos, data, wait=wait, key=key, uploads=True)


def batch(
    photos: Mapping[str, Sequence[Photo]], template_ids: Sequence[str], options: Mapping[str, object], *,
    consent: bool | Consent, key: str | None,
) -> ApiRequest:  # fmt: skip
    """``POST /v1/batches``.

    Raises:
        ConsentRequired: The people shown do not agree; nothing is sent.
        UploadMissing: There is no source, or nothing to fuse into.
        RequestError: There are both targets and templates, or several sources and several of those.
        OptionInvalid: An argument cannot be sent.
    """
    attested = consents.fields(consent)
    if not photos["source"]:
        raise UploadMissing("A batch needs a source.", field="source")
    _check_targets(photos["target"], template_ids)
    if len(photos["source"]) > 1 and len(photos["target"]) + len(template_ids) > 1:
        raise RequestError("A batch is one source for many targets, or one target for many sources.")
    ids = [arguments.text("template", one) for one in template_ids]
    data = attested | {"options": _json(options), "template_id": ids}
    return _submission("/v1/batches", photos, data, key=key, extra_read_timeout=_COMMIT_SECONDS)


def registration(
    image: Photo, *, consent: bool | Consent, name: str | None, wait: float | None, key: str | None
) -> ApiRequest:
    """``POST /v1/templates``.

    Raises:
        ConsentRequired: The people shown do not agree; nothing is sent.
        OptionInvalid: An argument cannot be sent.
    """
    data = consents.fields(consent) | ({} if name is None else {"name": arguments.text("name", name)})
    return _submission("/v1/templates", {"image": [image]}, data, wait=wait, key=key)


def faces(image: Usable, *, tiles: bool, timeout: float) -> ApiRequest:
    """``POST /v1/faces``, always with a preference: without one, the server waits longer than some callers."""
    headers = preference(timeout) or {"Prefer": "wait=0"}
    request = _submission(
        "/v1/faces",
        {"image": [image]},
        {"options": _json({"tiles": tiles} if tiles else {})},
        wait=timeout,
        uploads=True,
    )
    return replace(request, headers={**request.headers, **headers})


def several(name: str, one: T | None, many: Iterable[T]) -> list[T]:
    """The values given by an argument or by its plural, such as ``source`` or ``sources``.

    Raises:
        RequestError: Both are given, or the plural is a single photo or name, whose letters would be taken for values.
    """
    if isinstance(many, (str, bytes, bytearray, memoryview, os.PathLike)):
        raise RequestError(f"{name}s is a list; give a single one as {name}.", field=name)
    values = arguments.several(f"{name}s", many)
    if one is None:
        return values
    if values:
        raise RequestError(f"Give either {name} or {name}s, not both.", field=name)
    return [one]


def fuse_options(choices: FuseChoices) -> dict[str, object]:
    """Options of a fusion as JSON: those that are given; the others are the server's to choose.

    Raises:
        OptionInvalid: ``faces`` are no assignments.
        TypeError: There is no such option.
    """
    given = {name: value for name, value in choices.items() if value is not None}
    for name in given.keys() - FuseOptions.table().keys():
        raise TypeError(f"unexpected keyword argument {name!r}")
    assignments = arguments.several("faces", choices.get("faces", ()))
    if not all(isinstance(one, FaceAssignment) for one in assignments):
        raise OptionInvalid("faces must be a list of FaceAssignment.", option="faces")
    return FuseOptions.jsonable({**given, "faces": tuple(assignments)})


def task(task_id: str, part: str = "", method: str = "GET", **more: Any) -> ApiRequest:
    """A request about one task."""
    return ApiRequest(method, f"/v1/tasks/{_in_path('task_id', task_id)}{part}", **more)


def template(template_id: str, part: str = "", method: str = "GET", **more: Any) -> ApiRequest:
    """A request about one template."""
    return ApiRequest(method, f"/v1/templates/{_in_path('template_id', template_id)}{part}", **more)


def withdrawal(upload_id: str) -> ApiRequest:
    """``DELETE /v1/uploads/{id}``."""
    return ApiRequest("DELETE", f"/v1/uploads/{_in_path('upload', upload_id)}")


def of_batch(batch_id: str, part: str = "", method: str = "GET", **more: Any) -> ApiRequest:
    """A request about one batch."""
    return ApiRequest(method, f"/v1/batches/{_in_path('batch_id', batch_id)}{part}", **more)


def tasks(**wanted: str | datetime | None) -> ApiRequest:
    """The first page of ``GET /v1/tasks``."""
    return first_page("tasks", **_texts(wanted))


def audit(*, every_tenant: bool, **wanted: str | datetime | None) -> ApiRequest:
    """The first page of ``GET /v1/audit``, or of ``GET /v1/operator/audit`` about a tenant or about everybody."""
    operator = every_tenant or wanted.get("tenant") is not None
    return first_page("operator/audit" if operator else "audit", **_texts(wanted))


def _texts(wanted: Mapping[str, str | datetime | None]) -> dict[str, str]:
    """The values that are given, as they stand in a query."""
    given = {name: value for name, value in wanted.items() if value is not None}
    return {
        name: value.isoformat() if isinstance(value, datetime) else arguments.text(name, value)
        for name, value in given.items()
    }


def first_page(name: str, **wanted: str) -> ApiRequest:
    """The first page of a list."""
    return ApiRequest("GET", f"/v1/{name}", params={**wanted, "limit": str(_PAGE)})


def usage(
    first: date | None, last: date | None, *, by_credential: bool, tenant: str | None, every_tenant: bool
) -> ApiRequest:  # fmt: skip
    """``GET /v1/usage``, or ``GET /v1/operator/usage`` about a tenant or about everybody."""
    given = {name: day for name, day in {"from": first, "to": last}.items() if day is not None}
    params = {name: arguments.day(name, day) for name, day in given.items()} | _texts({"tenant": tenant})
    if by_credential:
        params["by"] = "credential"
    operator = every_tenant or tenant is not None
    return ApiRequest("GET", "/v1/operator/usage" if operator else "/v1/usage", params=params)


def preference(wait: float | None) -> dict[str, str]:
    """The header by which the response waits until a task has ended, or that many s."""
    whole = 0 if wait is None else int(min(LONGEST_WAIT_SECONDS, wait))
    return {"Prefer": f"wait={whole}"} if whole > 0 else {}


def _submission(
    path: str, photos: Mapping[str, Sequence[Usable]], data: Mapping[str, Any], *,
    wait: float | None = None, key: str | None = None, extra_read_timeout: float = 0.0, uploads: bool = False,
) -> ApiRequest:  # fmt: skip
    """A form with an idempotency key, so that it may be sent again; ``uploads``: whether the endpoint takes them."""
    files = contents(photos)
    for name, photo in files:
        if isinstance(photo, Upload) and not uploads:
            raise OptionInvalid(f"{name} must be a photo here; uploads are taken by fuse and faces.", field=name)
    idempotency_key = uuid4().hex if key is None else arguments.idempotency_key(key)
    waited = 0.0 if wait is None else arguments.seconds("wait", wait)
    headers = {"Idempotency-Key": idempotency_key} | preference(wait)
    return ApiRequest(
        "POST", path, headers=headers, data=data, files=files, extra_read_timeout=extra_read_timeout + waited
    )


def _json(options: Mapping[str, object]) -> str:
    return json.dumps(options, default=_unsendable)


def _unsendable(value: object) -> None:
    raise OptionInvalid(f"No option has a value such as {ascii(value)[:80]}.")


def _in_path(name: str, given_id: str) -> str:
    """An id quoted so that it cannot lead to another path."""
    if not arguments.text(name, given_id):
        raise OptionInvalid(f"{name} is empty.", option=name)
    return quote(given_id, safe="")


def _check_targets(targets: Sequence[Usable], template_ids: Sequence[str]) -> None:
    if not (targets or template_ids):
        raise UploadMissing("There is nothing to fuse into: give a target, or a template.", field="target")
    if targets and template_ids:
        raise RequestError("Give either targets or templates, not both.", field="template_id")
