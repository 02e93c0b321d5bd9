"""``POST /v1/fuse``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from facefleet.assignments import MAX_SOURCES
from facefleet.gateway.intake import FuseRequest, Intake, idempotency_key_of
from facefleet.gateway.principal import Principal
from facefleet.gateway.uploads import read_form
from facefleet.gateway.views import Accepted, accepted, options_schema, parse_options
from facefleet.gateway.webhooks import WEBHOOK_ENCODING, WEBHOOK_FIELDS, WebhookIntake
from facefleet.media.sniff import Limits
from facefleet.tasks.task import Kind

KINDS = {"/fuse": Kind.FUSE, "/v1/fuse": Kind.FUSE}  # path → what a request to it asks for

_PHOTO = {"type": "string", "format": "binary", "description": "JPEG, PNG or WebP"}
_BODY: dict[str, Any] = {
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
                        **WEBHOOK_FIELDS,
                    },
                },
                "encoding": {"options": {"contentType": "application/json"}, **WEBHOOK_ENCODING},
            }
        },
    }
}


def router(intake: Intake, limits: Limits, webhooks: WebhookIntake) -> APIRouter:
    """The routes of fusion."""
    routes = APIRouter()

    @routes.post("/fuse", include_in_schema=False, status_code=202)
    @routes.post("/v1/fuse", status_code=202, response_model=Accepted, openapi_extra=_BODY, tags=["fusion"])
    async def fuse(request: Request, response: Response) -> Accepted:
        """Fuse the face of `source` into `target`: answers at once with a task."""
        key = idempotency_key_of(request.headers.get("idempotency-key"))
        form = await read_form(request.headers.get("content-type", ""), request.stream(), limits)
        options = parse_options(form.texts.get("options"), sources=form.sources)
        webhook = await webhooks.read(form.texts)
        principal: Principal = request.state.principal
        wanted = FuseRequest(form, options, key, request.headers.get("traceparent"), webhook)
        answer = accepted(await run_in_threadpool(intake.accept, principal, wanted))
        response.headers["Location"] = answer.links.self
        return answer

    return routes
