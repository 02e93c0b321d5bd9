"""Turns every failure of a request into a problem document (RFC 9457) with our ``code``.

``problem`` is the one way to such a document: it also notes the code in the state of the request, where tracing and
request metrics read it, whether a layer, a route or the framework refused. A person without credentials gets a page.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from http import HTTPMethod, HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facefleet.errors.access import Unauthenticated
from facefleet.errors.base import FacefleetError, InternalError
from facefleet.errors.input import MethodNotAllowed, OptionInvalid, RequestError
from facefleet.errors.lookup import RouteNotFound
from facefleet.gateway.plain_html import MEDIA_TYPE as HTML
from facefleet.gateway.plain_html import SECURITY
from facefleet.gateway.unauthenticated_page import page, wants_page
from facefleet.observability.logs import logger
from facefleet.section import reason_of

MEDIA_TYPE = "application/problem+json"
DOCUMENTATION = "/docs/errors"  # relative, so that it holds behind any host name
REQUEST_ID = "request_id"  # in the state of a request
TRACE_ID = "trace_id"  # there, too
FIELDS = "fields"  # in the detail of an error: each offending field, with its reason
ANSWER_HEADERS = "answer_headers"  # in the state of a request: what its answer has besides its own
CODE = "code"  # in the state of a request: of the problem it was answered with
_RETRY_SECONDS = 1  # where the error knows no better

_log = logger(__name__)


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str
    reason: str


class ProblemDocument(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = Field(description="link to the documentation of the code")
    title: str = Field(description="the class of problem, the same each time")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="what happened, which value, and what to do")
    instance: str = Field(description="this occurrence: the `X-Request-ID`, which is on the log lines too")
    code: str = Field(description="stable name of the problem, for programs")
    retryable: bool = Field(description="whether the same request can succeed later; then there is a `Retry-After`")
    field: str | None = Field(description="the first offending field, header or parameter")
    errors: list[FieldProblem] = Field(description="each offending field, where several can be named")
    trace_id: str = Field(
        description="of the trace, which is on the log lines too: the caller's `traceparent`, or ours"
    )
    context: dict[str, Any] = Field(description="facts about this occurrence, such as limits")


def problem(error: FacefleetError, scope: Scope) -> Response:
    """Answer a request that met an error, and note its code; what can be tried again says when."""
    scope["state"][CODE] = error.code
    text = json.dumps(_document(error, scope["state"]).model_dump(), ensure_ascii=False, default=str)
    headers = {"Retry-After": str(error.detail.get("retry_after", _RETRY_SECONDS))} if error.retryable else {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = _challenge(error)
        if wants_page(scope):
            return _page(error, scope, headers)
    return Response(text, status_code=error.status, headers=headers, media_type=MEDIA_TYPE)


def _page(error: Unauthenticated, scope: Scope, headers: dict[str, str]) -> Response:
    """Tell a person that no good credential came with the request."""
    more = {"Cache-Control": "no-store", "Vary": "Accept, Accept-Language"}
    return Response(
        page(scope, error.code), status_code=error.status, headers=SECURITY | headers | more,
        media_type=HTML,
    )  # fmt: skip


def _challenge(error: Unauthenticated) -> str:
    """How to ask again (RFC 6750, section 3); whoever sent no credential is told no error."""
    invalid = "" if error.code == Unauthenticated.code else ', error="invalid_token"'
    return f'Bearer realm="facefleet"{invalid}'


def _document(error: FacefleetError, state: Mapping[str, Any]) -> ProblemDocument:
    return document(error, state[REQUEST_ID], state[TRACE_ID])


def document(error: FacefleetError, request_id: str, trace_id: str) -> ProblemDocument:
    """Describe an error to whoever sent the request."""
    context = dict(error.detail)
    fields = context.pop(FIELDS, [])
    errors = [FieldProblem.model_validate(one) for one in fields] if isinstance(fields, list) else []
    named = context.get("field", context.get("header"))
    return ProblemDocument(
        type=f"{DOCUMENTATION}#{error.code}", title=error.title, status=error.status, detail=error.message,
        instance=f"urn:uuid:{uuid.UUID(request_id)}", code=error.code, retryable=error.retryable,
        field=str(named) if named else next((one.field for one in errors), None), errors=errors,
        trace_id=trace_id, context=context,
    )  # fmt: skip


def install(app: FastAPI) -> None:
    """Answer what the framework itself refuses, and what routes raise, with problem documents."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(FacefleetError, _ours)


class Problems:
    """Catches what the layers inside of it raise: authentication, body limit, routes.

    The layers outside of it (tracing, access log, request metrics) see its documents as ordinary answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application and answer its failure with a document, unless another answer has begun."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def note_start(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, note_start)
        except ClientDisconnect:
            _log.info("request.client_went_away", path=scope["path"])
        except Exception as error:
            refusal = error if isinstance(error, FacefleetError) else _bug(scope, error)
            if begun:
                raise
            await problem(refusal, scope)(scope, receive, send)


def _bug(scope: Scope, error: Exception) -> FacefleetError:
    _log.error("request.internal_error", path=scope["path"], exc_info=error)
    return InternalError("The gateway met an internal error; the log has it.")


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, FacefleetError)  # noqa: S101 - the framework's signature is wider than its promise
    return problem(error, request.scope)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    path, method = request.url.path, request.method
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem(RouteNotFound(f"There is nothing at {path}.", path=path), request.scope)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        refusal = MethodNotAllowed(f"{method} is not allowed at {path}.", method=method)
        answer = problem(refusal, request.scope)
        answer.headers["Allow"] = ", ".join(_allowed(request))
        return answer
    return problem(RequestError(str(error.detail)), request.scope)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    fields = [{"field": _field(e["loc"]), "reason": reason_of(e)} for e in error.errors()]
    reasons = "; ".join(f"{one['field']}: {one['reason']}" for one in fields)
    return problem(OptionInvalid(f"{reasons}.", **{FIELDS: fields}), request.scope)


def _allowed(request: Request) -> list[str]:
    """List every method of a path; the framework names those of the first matching route only."""
    scopes = {method.value: {**request.scope, "method": method.value} for method in HTTPMethod}
    routes = request.app.routes
    return [name for name, scope in scopes.items() if any(r.matches(scope)[0] is Match.FULL for r in routes)]


def _field(location: tuple[int | str, ...]) -> str:
    """Name a field as the caller wrote it; a body that is no JSON has a position instead of a name."""
    where, *rest = location
    return ".".join(str(part) for part in rest) if rest and isinstance(rest[0], str) else str(where)
