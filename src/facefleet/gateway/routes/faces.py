"""Serves ``POST /v1/faces``: the faces of a photo, to choose from; no picture is made, and the photo is not kept."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from facefleet.gateway.caller import AsCaller
from facefleet.gateway.intake.multipart import Fields, Form
from facefleet.gateway.intake.options import detect_options_schema, parse_detect_options
from facefleet.gateway.intake.reception import Reading, Reception
from facefleet.gateway.intake.webhooks import WEBHOOK_FIELDS, WEBHOOK_TEXTS
from facefleet.gateway.openapi import (
    APPLIED,
    INTAKE_REFUSALS,
    KEY,
    LOCATION,
    PHOTO,
    PHOTO_REFUSALS,
    PREFER,
    REMOTE_REFUSALS,
    UPLOAD_REFUSALS,
    form,
    refusals,
)
from facefleet.gateway.views import Accepted, TaskView
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
    json=True,
)
_REFUSALS = refusals(*REMOTE_REFUSALS, *UPLOAD_REFUSALS, *PHOTO_REFUSALS, *INTAKE_REFUSALS)


def _options(form: Form[object]) -> dict[str, object]:
    return parse_detect_options(form.texts.get("options")).to_json()


_READING = Reading(Kind.DETECT, FIELDS, _options, wait_seconds=WAIT_SECONDS, json=True)


def router(reception: Reception) -> APIRouter:
    """The route of faces."""
    routes = APIRouter(tags=["faces"])

    @routes.post(
        "/v1/faces", status_code=202, response_model=TaskView | Accepted, openapi_extra=_BODY,
        responses=_ANSWERS | _REFUSALS,
    )  # fmt: skip
    async def faces(request: Request, caller: AsCaller, response: Response) -> Response:
        """Find the faces of a photo: boxes, pose, and what each can be used for. No face is no error."""
        return await reception.answer(request, response, caller, _READING)

    return routes
