"""Answers of a gateway as JSON or as errors: its problem documents become the classes of ``facefleet.errors`` again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from facefleet.client.patience import RETRIED, retry_after
from facefleet.errors.base import FacefleetError
from facefleet.errors.client import RefusedByServer, ServerUnreachable
from facefleet.errors.task import TaskFailed
from facefleet.errors.tree import tree

Document = Mapping[str, Any]

_CLASSES = {cls.code: cls for cls in tree() if "code" in vars(cls)}
_LASTING = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)  # ours to mend; no second attempt differs
_REQUEST_ID = "X-Request-ID"


def document(answer: httpx.Response) -> Document:
    """The JSON object of a good answer.

    Raises:
        ServerUnreachable: It is none; whatever answered is no gateway.
    """
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise stranger(answer)
    return found


def refusal(answer: httpx.Response) -> FacefleetError:
    """The error of an answer that is not a good one.

    ``detail`` gains ``http_status`` and, where the answer has them, ``request_id`` and ``retry_after`` (s).
    """
    try:
        body = answer.json()
        code, message, detail = str(body["code"]), str(body["detail"]), dict(body.get("context") or {})
    except (ValueError, KeyError, TypeError, AttributeError):
        return stranger(answer)
    about = {
        "http_status": answer.status_code, "request_id": answer.headers.get(_REQUEST_ID),
        "retry_after": retry_after(answer.headers.get("Retry-After")),
    }  # fmt: skip
    known = _CLASSES.get(code)
    error = known(message) if known else RefusedByServer(message, code=code)
    error.detail |= detail | {name: value for name, value in about.items() if value is not None}
    return error


def failure(code: str, message: str, detail: Document, **whose: str) -> FacefleetError:
    """The error that a task ended with, or the preparation of a template; ``whose`` has its id."""
    known = _CLASSES.get(code)
    error = known(message) if known else TaskFailed(message, cause=code)
    error.detail |= {**detail, **whose}
    return error


def stranger(answer: httpx.Response) -> ServerUnreachable:
    """What answers at this address is not one of us."""
    error = ServerUnreachable(
        f"{_shown(answer.url)} answered {answer.status_code}, but not as a facefleet gateway does.",
        http_status=answer.status_code,
    )
    if (asked := retry_after(answer.headers.get("Retry-After"))) is not None:
        error.detail["retry_after"] = asked
    return error


def outage(error: httpx.HTTPError | httpx.InvalidURL) -> ServerUnreachable:
    """A request without an answer."""
    if isinstance(error, httpx.InvalidURL):
        return ServerUnreachable(f"The address of the server is not one: {error}.")
    url = _shown(error.request.url) if isinstance(error, httpx.RequestError) else ""
    why = (str(error) or type(error).__name__).rstrip(".")
    return ServerUnreachable(f"{url} does not answer: {why}.", url=url)


def passes(error: FacefleetError) -> bool:
    """Whether the same request, sent again, can meet a better answer."""
    status = error.detail.get("http_status")
    if status is not None:
        return status in RETRIED
    return isinstance(error.__cause__, httpx.TransportError) and not isinstance(error.__cause__, _LASTING)


def _shown(url: httpx.URL) -> str:
    """Without what only its owner should see: credentials, and the signature of a link."""
    return str(url.copy_with(username=None, password=None, query=None, fragment=None))
