"""``POST /v1/fuse``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from facefleet.assignments import MAX_SOURCES
from facefleet.gateway.follow.changes import Changes
from facefleet.gateway.follow.prefer import answered
from facefleet.gateway.intake.multipart import FUSION, read_form
from facefleet.gateway.intake.options import fuse_options_schema, parse_fuse_options
from facefleet.gateway.intake.tasks import Intake, TaskRequest, idempotency_key_of
from facefleet.gateway.intake.templates import Targets
from facefleet.gateway.intake.webhooks import WEBHOOK_FIELDS, WebhookIntake
from facefleet.gateway.middleware.authentication import Principal
from facefleet.gateway.openapi import (
    APPLIED,
    CONSENT,
    FUSION_REFUSALS,
    KEY,
    LOCATION,
    PHOTO,
    PREFER,
    TEMPLATE_ID,
    form,
    refusals,
)
from facefleet.gateway.views import Accepted, TaskView
from facefleet.media.sniff import Limits
from facefleet.tasks.kinds import Kind
from facefleet.tasks.task import Task

KINDS = {
    "/fuse": Kind.FUSE, "/v1/fuse": Kind.FUSE, "/v1/batches": Kind.FUSE,
    "/v1/faces": Kind.DETECT, "/v1/templates": Kind.TEMPLATE,
}  # fmt: skip
"""Path → what a request to it asks for."""

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The task has ended in time (`Prefer`)", "model": TaskView, "headers": LOCATION | APPLIED},
    202: {"description": "The task is safe, whatever dies now", "model": Accepted, "headers": LOCATION | APPLIED},
}
_BODY = form(
    {
        "source": {
            "title": "The photo whose face is taken; with options.faces the field may be repeated",
            "type": "array",
            "items": PHOTO,
            "minItems": 1,
            "maxItems": MAX_SOURCES,
        },
        "target": PHOTO | {"title": "The photo whose face is replaced"},
        "template_id": TEMPLATE_ID,
        "consent": CONSENT,
        "options": fuse_options_schema(),
        **WEBHOOK_FIELDS,
    },
    required=("source", "consent"),
    parameters=(PREFER, KEY),
)
_REFUSALS = refusals(*FUSION_REFUSALS)


def router(intake: Intake, limits: Limits, webhooks: WebhookIntake, changes: Changes, targets: Targets) -> APIRouter:
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
    async def fuse(request: Request, response: Response) -> Response:
        """Fuse the face of `source` into `target`: answers at once with a task, or when it has ended (`Prefer`)."""
        key = idempotency_key_of(request.headers.get("idempotency-key"))
        sent = await read_form(request.headers.get("content-type", ""), request.stream(), limits, FUSION)
        options = parse_fuse_options(sent.texts.get("options"), sources=sent.sources).to_json()
        webhook = await webhooks.read(sent.texts)
        principal: Principal = request.state.principal
        traceparent = request.headers.get("traceparent")

        def accept() -> Task:
            template = targets.of_form(principal, sent, options)
            return intake.accept(principal, TaskRequest(sent, options, key, traceparent, template, webhook=webhook))

        task = await run_in_threadpool(accept)
        return await answered(changes, request, response, task)

    return routes
