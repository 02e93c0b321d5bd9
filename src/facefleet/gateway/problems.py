"""Where HTTP meets errors: every failure becomes a problem document (RFC 9457) with our ``code``."""

from __future__ import annotations

import json
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facefleet.errors import (
    FacefleetError,
    InternalError,
    MethodNotAllowed,
    OptionInvalid,
    RequestError,
    RouteNotFound,
)
from facefleet.observability.logs import logger

MEDIA_TYPE = "application/problem+json"
CODE = "code"  # in the state of a request: of the problem it was answered with
_RETRY_SECONDS = 1  # where the error knows no better

_log = logger(__name__)


def problem(error: FacefleetError) -> Response:
    """The document of an error; what can be tried again says when."""
    body = {
        "type": f"urn:facefleet:error:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.message,
        "code": error.code,
        "retryable": error.retryable,
        "context": error.detail,
    }
    headers = {"Retry-After": str(error.detail.get("retry_after", _RETRY_SECONDS))} if error.retryable else None
    text = json.dumps(body, ensure_ascii=False, default=str)
    return Response(text, status_code=error.status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer what the framework itself refuses in the same shape."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(FacefleetError, _ours)


class Problems:
    """Outermost ASGI layer: catches what the layers inside and the routes let through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application and turn its failure into a document, unless the answer has begun."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except ClientDisconnect:
            _log.info("request.client_went_away", path=scope["path"])
        except Exception as error:
            answer = error if isinstance(error, FacefleetError) else _bug(scope, error)
            if begun:
                raise
            await _answer(scope, answer)(scope, receive, send)


def _bug(scope: Scope, error: Exception) -> FacefleetError:
    _log.error("request.internal_error", path=scope["path"], exc_info=error)
    return InternalError("The gateway met an internal error; the log has it.")


def _answer(scope: Scope, error: FacefleetError) -> Response:
    """The document, and its code where whoever counts requests finds it."""
    scope.setdefault("state", {})[CODE] = error.code
    return problem(error)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, FacefleetError)  # noqa: S101 - the framework's signature is wider than its promise
    return _answer(request.scope, error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    path = request.url.path
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem(RouteNotFound(f"There is nothing at {path}.", path=path))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer = problem(MethodNotAllowed(f"{request.method} is not allowed at {path}.", method=request.method))
        answer.headers.update(error.headers or {})
        return answer
    return problem(RequestError(str(error.detail)))


async def _validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    found = [{"field": ".".join(str(part) for part in e["loc"]), "reason": e["msg"]} for e in error.errors()]
    return problem(OptionInvalid("; ".join(f"{f['field']}: {f['reason']}" for f in found), fields=found))
