"""Reads a gateway's responses: JSON of a success; a problem document becomes its class of ``facefleet.errors``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from facefleet.client.retry_policy import RETRIED, retry_after
from facefleet.errors.base import FacefleetError
from facefleet.errors.client import RefusedByServer, ServerUnreachable
from facefleet.errors.task import TaskFailed
from facefleet.errors.tree import tree

Document = Mapping[str, Any]

_CLASSES = {cls.code: cls for cls in tree() if "code" in vars(cls)}
_PERMANENT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)  # a second attempt would fail as the first
_REQUEST_ID = "X-Request-ID"


def document(response: httpx.Response) -> Document:
    """The JSON object of a successful response.

    Raises:
        ServerUnreachable: The body is no JSON object, so whatever answered is no gateway.
    """
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise not_a_gateway(response)
    return body


def refusal(response: httpx.Response) -> FacefleetError:
    """The error of a response that is no success.

    ``detail`` gains ``http_status`` and, where the response has them, ``request_id`` and ``retry_after`` (s).
    """
    try:
        body = response.json()
        code, message, detail = str(body["code"]), str(body["detail"]), dict(body.get("context") or {})
    except (ValueError, KeyError, TypeError, AttributeError):
        return not_a_gateway(response)
    facts = {
        "http_status": response.status_code, "request_id": response.headers.get(_REQUEST_ID),
        "retry_after": retry_after(response.headers.get("Retry-After")),
    }  # fmt: skip
    known = _CLASSES.get(code)
    error = known(message) if known else RefusedByServer(message, code=code)
    error.detail |= detail | {name: value for name, value in facts.items() if value is not None}
    return error


def failure(code: str, message: str, detail: Document, **ids: str) -> FacefleetError:
    """The error that a task, or the preparation of a template, ended with; ``ids`` go into its detail."""
    known = _CLASSES.get(code)
    error = known(message) if known else TaskFailed(message, cause=code)
    error.detail |= {**detail, **ids}
    return error


def not_a_gateway(response: httpx.Response) -> ServerUnreachable:
    """The error of a response that no gateway gives."""
    error = ServerUnreachable(
        f"{_without_secrets(response.url)} answered {response.status_code}, but not as a facefleet gateway does.",
        http_status=response.status_code,
    )
    if (delay := retry_after(response.headers.get("Retry-After"))) is not None:
        error.detail["retry_after"] = delay
    return error


def no_response(error: httpx.HTTPError | httpx.InvalidURL) -> ServerUnreachable:
    """The error of a request without a response."""
    if isinstance(error, httpx.InvalidURL):
        return ServerUnreachable(f"The address of the server is not one: {error}.")
    url = _without_secrets(error.request.url) if isinstance(error, httpx.RequestError) else ""
    why = (str(error) or type(error).__name__).rstrip(".")
    return ServerUnreachable(f"{url} does not answer: {why}.", url=url)


def is_transient(error: FacefleetError) -> bool:
    """Whether the same request, sent again, can succeed."""
    status = error.detail.get("http_status")
    if status is not None:
        return status in RETRIED
    return isinstance(error.__cause__, httpx.TransportError) and not isinstance(error.__cause__, _PERMANENT)


def _without_secrets(url: httpx.URL) -> str:
    """The address without credentials and without its query, which may be a signature."""
    return str(url.copy_with(username=None, password=None, query=None, fragment=None))
