"""Serves ``POST /v1/fuse``: one fusion."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from facefleet.assignments import MAX_SOURCES
from facefleet.gateway.caller import AsCaller
from facefleet.gateway.intake.consent import CONSENT_FIELDS
from facefleet.gateway.intake.multipart import FUSION, Form
from facefleet.gateway.intake.options import fuse_options_schema, parse_fuse_options
from facefleet.gateway.intake.reception import Reading, Reception
from facefleet.gateway.intake.webhooks import WEBHOOK_FIELDS
from facefleet.gateway.openapi import (
    APPLIED,
    FUSION_REFUSALS,
    KEY,
    LOCATION,
    PHOTO,
    PREFER,
    REMOTE_REFUSALS,
    TEMPLATE_ID,
    UPLOAD_REFUSALS,
    form,
    refusals,
)
from facefleet.gateway.views import Accepted, TaskView
from facefleet.tasks.kinds import Kind

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
        **CONSENT_FIELDS,
        "options": fuse_options_schema(),
        **WEBHOOK_FIELDS,
    },
    required=("source", "consent"),
    parameters=(PREFER, KEY),
    json=True,
)
_REFUSALS = refusals(*REMOTE_REFUSALS, *UPLOAD_REFUSALS, *FUSION_REFUSALS)


def _options(form: Form[object]) -> dict[str, object]:
    return parse_fuse_options(form.texts.get("options"), sources=form.sources).to_json()


_READING = Reading(Kind.FUSE, FUSION, _options, json=True)


def router(reception: Reception) -> APIRouter:
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
    async def fuse(request: Request, caller: AsCaller, response: Response) -> Response:
        """Fuse the face of `source` into `target`: answers at once with a task, or when it has ended (`Prefer`)."""
        return await reception.answer(request, response, caller, _READING)

    return routes
