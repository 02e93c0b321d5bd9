"""``POST /v1/fuse``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from facefleet.assignments import MAX_SOURCES
from facefleet.errors import (
    ConsentRequired,
    IdempotencyConflict,
    ImageAnimated,
    ImageDecodeFailed,
    ImageTooLargeBytes,
    ImageTooLargePixels,
    ImageTooSmall,
    ImageTypeUnsupported,
    Maintenance,
    OptionInvalid,
    RecordsUncertain,
    StoreUnavailable,
    UploadMissing,
)
from facefleet.gateway.events import Changes
from facefleet.gateway.intake import FuseRequest, Intake, idempotency_key_of
from facefleet.gateway.openapi import APPLIED, LOCATION, PREFER, refusals
from facefleet.gateway.preferences import answered
from facefleet.gateway.principal import Principal
from facefleet.gateway.uploads import read_form
from facefleet.gateway.views import Accepted, TaskView, links_of, options_schema, parse_options
from facefleet.media.sniff import Limits
from facefleet.tasks.task import Kind

KINDS = {"/fuse": Kind.FUSE, "/v1/fuse": Kind.FUSE}  # path → what a request to it asks for

_PHOTO = {"type": "string", "format": "binary", "description": "JPEG, PNG or WebP"}
_KEY = {
    "name": "Idempotency-Key", "in": "header", "required": False, "example": "order-17",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "a request that is sent again with the same key makes no second task",
}  # fmt: skip
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The task has ended in time (`Prefer`)", "model": TaskView, "headers": LOCATION | APPLIED},
    202: {"description": "The task is safe, whatever dies now", "model": Accepted, "headers": LOCATION | APPLIED},
}
_BODY: dict[str, Any] = {
    "parameters": [PREFER, _KEY],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["source", "target", "consent"],
                    "additionalProperties": False,
                    "properties": {
                        "source": {
                            "title": "The photo whose face is taken; with options.faces the field may be repeated",
                            "type": "array",
                            "items": _PHOTO,
                            "minItems": 1,
                            "maxItems": MAX_SOURCES,
                        },
                        "target": _PHOTO | {"title": "The photo whose face is replaced"},
                        "consent": {
                            "type": "string",
                            "enum": ["true"],
                            "description": "attests that the people shown agree",
                        },
                        "options": options_schema(),
                    },
                },
                "encoding": {"options": {"contentType": "application/json"}},
            }
        },
    },
}

_REFUSALS = refusals(
    ConsentRequired, IdempotencyConflict, ImageAnimated, ImageDecodeFailed, ImageTooLargeBytes, ImageTooLargePixels,
    ImageTooSmall, ImageTypeUnsupported, Maintenance, OptionInvalid, RecordsUncertain, StoreUnavailable, UploadMissing,
)  # fmt: skip


def router(intake: Intake, limits: Limits, changes: Changes) -> APIRouter:
    """The routes of fusion."""
    routes = APIRouter()

    @routes.post("/fuse", include_in_schema=False, status_code=202)
    @routes.post(
        "/v1/fuse",
        status_code=202,
        response_model=TaskView | Accepted,
        openapi_extra=_BODY,
        responses=_ANSWERS | _REFUSALS,
        tags=["fusion"],
    )
    async def fuse(request: Request, response: Response) -> TaskView | Accepted:
        """Fuse the face of `source` into `target`: answers at once with a task, or when it has ended (`Prefer`)."""
        key = idempotency_key_of(request.headers.get("idempotency-key"))
        form = await read_form(request.headers.get("content-type", ""), request.stream(), limits)
        options = parse_options(form.texts.get("options"), sources=form.sources)
        principal: Principal = request.state.principal
        wanted = FuseRequest(form, options, key, request.headers.get("traceparent"))
        task = await run_in_threadpool(intake.accept, principal, wanted)
        response.headers["Location"] = links_of(task).self
        return await answered(changes, request, response, task)

    return routes
