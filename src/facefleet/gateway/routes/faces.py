"""``POST /v1/faces``: the faces of a photo, to choose from; nothing is made of it, and nothing of it is kept."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from facefleet.gateway.follow.changes import Changes
from facefleet.gateway.follow.prefer import answered
from facefleet.gateway.intake.multipart import Fields, read_form
from facefleet.gateway.intake.options import detect_options_schema, parse_detect_options
from facefleet.gateway.intake.tasks import Intake, TaskRequest, idempotency_key_of
from facefleet.gateway.intake.webhooks import WEBHOOK_FIELDS, WEBHOOK_TEXTS, WebhookIntake
from facefleet.gateway.middleware.authentication import Principal
from facefleet.gateway.openapi import (
    APPLIED,
    INTAKE_REFUSALS,
    KEY,
    LOCATION,
    PHOTO,
    PHOTO_REFUSALS,
    PREFER,
    form,
    refusals,
)
from facefleet.gateway.views import Accepted, TaskView
from facefleet.media.sniff import Limits
from facefleet.tasks.kinds import KINDS, Kind

FIELDS = Fields(photos={"image": 1}, texts={"options": 1, **WEBHOOK_TEXTS}, needed=KINDS[Kind.DETECT].roles)
WAIT_SECONDS = 10.0  # where the caller does not say; it takes a tenth of one

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The faces, in the `output` of the task", "model": TaskView, "headers": LOCATION | APPLIED,
    },
    202: {"description": "It takes longer; ask the task", "model": Accepted, "headers": LOCATION | APPLIED},
}  # fmt: skip
_BODY = form(
    {"image": PHOTO, "options": detect_options_schema(), **WEBHOOK_FIELDS},
    required=("image",),
    parameters=(PREFER, KEY),
)
_REFUSALS = refusals(*PHOTO_REFUSALS, *INTAKE_REFUSALS)


def router(intake: Intake, limits: Limits, webhooks: WebhookIntake, changes: Changes) -> APIRouter:
    """The route of faces."""
    routes = APIRouter(tags=["faces"])

    @routes.post(
        "/v1/faces", status_code=202, response_model=TaskView | Accepted, openapi_extra=_BODY,
        responses=_ANSWERS | _REFUSALS,
    )  # fmt: skip
    async def faces(request: Request, response: Response) -> Response:
        """Find the faces of a photo: boxes, pose, and what each can be used for. No face is no error."""
        key = idempotency_key_of(request.headers.get("idempotency-key"))
        sent = await read_form(request.headers.get("content-type", ""), request.stream(), limits, FIELDS)
        options = parse_detect_options(sent.texts.get("options")).to_json()
        webhook, trace = await webhooks.read(sent.texts), request.headers.get("traceparent")
        wanted = TaskRequest(sent, options, key, trace, kind=Kind.DETECT, webhook=webhook)
        principal: Principal = request.state.principal
        task = await run_in_threadpool(intake.accept, principal, wanted)
        return await answered(changes, request, response, task, WAIT_SECONDS)

    return routes
