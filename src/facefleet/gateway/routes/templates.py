"""Serves ``/v1/templates``: targets that are registered once and fused into many times."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from facefleet.errors.conflict import TaskEnded
from facefleet.errors.input import ConsentRequired, OptionInvalid
from facefleet.errors.lookup import TaskNotFound, TemplateNotFound
from facefleet.errors.outage import RecordsUncertain, StoreUnavailable
from facefleet.errors.task import ObjectMissing
from facefleet.gateway.caller import AsCaller, Caller
from facefleet.gateway.downloads import Downloads, Redirect
from facefleet.gateway.follow.prefer import waited
from facefleet.gateway.intake.consent import CONSENT_FIELDS, CONSENT_TEXTS
from facefleet.gateway.intake.multipart import Fields, Form
from facefleet.gateway.intake.reception import Reading, Reception
from facefleet.gateway.intake.webhooks import WEBHOOK_FIELDS, WEBHOOK_TEXTS
from facefleet.gateway.openapi import (
    APPLIED,
    INTAKE_REFUSALS,
    KEY,
    LOCATION,
    PHOTO,
    PHOTO_REFUSALS,
    PICTURES,
    PREFER,
    form,
    refusals,
)
from facefleet.gateway.routes.paging import NextCursor, PageQuery
from facefleet.gateway.views import Problem, problem_of
from facefleet.media.sniff import ImageType
from facefleet.observability.logs import logger
from facefleet.storage.store import Store
from facefleet.tasks.audit import Action
from facefleet.tasks.kinds import KINDS, Kind
from facefleet.tasks.records.audit_log import AuditLog
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.templates import Template, Templates, TemplateState
from facefleet.upkeep.retention import Retention

FIELDS = Fields(
    photos={"image": 1}, texts={"name": 1, **CONSENT_TEXTS, **WEBHOOK_TEXTS}, needed=KINDS[Kind.TEMPLATE].roles
)
MAX_NAME = 255

_log = logger(__name__)


class TemplateLinks(BaseModel):
    """Where to go on."""

    self: str
    image: str
    task: str


class TemplateView(BaseModel):
    """A registered target."""

    template_id: str
    name: str
    status: TemplateState
    width: int = Field(description="px of the upright image")
    height: int = Field(description="px of the upright image")
    media_type: str
    bytes: int
    faces: list[dict[str, Any]] | None = Field(description="as those of `/v1/faces`; null until it is ready")
    error: Problem | None = Field(description="of a failed template")
    created_at: datetime
    ready_at: datetime | None
    task_id: str = Field(description="the task that prepares it")
    links: TemplateLinks


class TemplatePageView(BaseModel):
    """Some templates, the newest first."""

    templates: list[TemplateView]
    next_cursor: NextCursor


class TemplateReceipt(BaseModel):
    """What stays of a deleted template."""

    template_id: str
    deleted_at: datetime
    status: Literal["deleted", "deleting"] = Field(description="deleting: the store was away; the sweeper goes on")


_NAME = {"type": "string", "maxLength": MAX_NAME, "description": "in your own words; not unique; empty: none"}
_BODY = form(
    {"image": PHOTO, "name": _NAME, **CONSENT_FIELDS, **WEBHOOK_FIELDS},
    required=("image", "consent"),
    parameters=(PREFER, KEY),
)
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "It is prepared, or has failed", "model": TemplateView, "headers": LOCATION | APPLIED},
    202: {"description": "It will be prepared", "model": TemplateView, "headers": LOCATION | APPLIED},
}
_REFUSALS = refusals(*PHOTO_REFUSALS, *INTAKE_REFUSALS, ConsentRequired, TemplateNotFound)


def _name(form: Form[object]) -> str:
    name = form.texts.get("name", "")
    if len(name) > MAX_NAME or "\0" in name:
        raise OptionInvalid(f"name must have at most {MAX_NAME} characters, none of them NUL.", field="name")
    return name


_READING = Reading(Kind.TEMPLATE, FIELDS, name=_name)


def router(
    reception: Reception, templates: Templates, records: TaskRepository, store: Store, audit_log: AuditLog,
    retention: Retention,
) -> APIRouter:  # fmt: skip
    """The routes of templates."""
    routes = APIRouter(prefix="/v1/templates", tags=["templates"])

    @routes.post("", status_code=202, response_model=TemplateView, openapi_extra=_BODY, responses=_ANSWERS | _REFUSALS)
    async def register(request: Request, caller: AsCaller, response: Response) -> TemplateView:
        """Register a target; a worker finds its faces. It is kept until you delete it."""
        task = await reception.accept(request, caller, _READING)
        task = await waited(reception.changes, request, response, task)
        shown = view(await run_in_threadpool(templates.of_task, task.tenant, task.id))
        response.status_code = 200 if task.state.terminal else 202
        response.headers["Location"] = shown.links.self
        return shown

    @routes.get("", response_model=TemplatePageView)
    async def newest(caller: AsCaller, query: Annotated[PageQuery, Query()]) -> TemplatePageView:
        """Your templates, the newest first."""
        page = await run_in_threadpool(templates.page, caller.tenant, query.cursor, query.limit)
        return TemplatePageView(templates=[view(one) for one in page.rows], next_cursor=page.next_cursor)

    @routes.get("/{template_id}", response_model=TemplateView, responses=refusals(TemplateNotFound))
    async def show(template_id: str, caller: AsCaller) -> TemplateView:
        """The template as it stands."""
        return view(await run_in_threadpool(templates.get, caller.tenant, template_id))

    @routes.head("/{template_id}/image", include_in_schema=False)
    @routes.get(
        "/{template_id}/image", response_class=Response,
        responses=PICTURES | refusals(OptionInvalid, TemplateNotFound, StoreUnavailable),
    )  # fmt: skip
    async def image(template_id: str, request: Request, caller: AsCaller, redirect: Redirect = True) -> Response:
        """The photo of a template; where the store gives links, a redirect to it."""

        downloads = Downloads(store, audit_log, caller.origin, request.method, redirect=redirect)
        return await run_in_threadpool(lambda: _image(downloads, templates.get(caller.tenant, template_id)))

    @routes.delete(
        "/{template_id}", response_model=TemplateReceipt, responses=refusals(TemplateNotFound, RecordsUncertain)
    )
    async def delete(template_id: str, caller: AsCaller) -> TemplateReceipt:
        """Delete a template and its photo now; tasks that still want to use it fail. To delete it again is no error."""
        return await run_in_threadpool(_delete, templates, records, retention, caller, template_id)

    return routes


def view(template: Template) -> TemplateView:
    """The template as its owner sees it."""
    here = f"/v1/templates/{template.id}"
    return TemplateView(
        template_id=template.id, name=template.name, status=template.state, width=template.width,
        height=template.height, media_type=template.media_type, bytes=template.bytes,
        faces=[dict(face) for face in template.faces] if template.faces is not None else None,
        error=problem_of(template.failure), created_at=template.created_at, ready_at=template.ready_at,
        task_id=template.task,
        links=TemplateLinks(self=here, image=f"{here}/image", task=f"/v1/tasks/{template.task}"),
    )  # fmt: skip


def _image(downloads: Downloads, template: Template) -> Response:
    name = f"{template.id}{ImageType(template.media_type).extension}"
    try:
        if not template.object:
            raise ObjectMissing("A failed template has no photo any more.")
        return downloads.answer(template.object, template.media_type, name, Action.TEMPLATE_READ, template.id)
    except ObjectMissing:
        raise TemplateNotFound("The photo of the template is gone.", template_id=template.id) from None


def _delete(
    templates: Templates, records: TaskRepository, retention: Retention, caller: Caller, template_id: str
) -> TemplateReceipt:
    template = templates.delete(caller.tenant, template_id, caller.origin)
    status: Literal["deleted", "deleting"] = "deleted"
    _cancel(records, template, caller)
    try:
        retention.delete_template(template)
    except StoreUnavailable as error:
        status = "deleting"
        _log.warning("template.deleting", template_id=template.id, code=error.code)
    assert template.deleted_at is not None  # noqa: S101 - it was just deleted
    return TemplateReceipt(template_id=template.id, deleted_at=template.deleted_at, status=status)


def _cancel(records: TaskRepository, template: Template, caller: Caller) -> None:
    """End the task that prepares a template, unless it has ended."""
    with suppress(TaskEnded, TaskNotFound):
        records.cancel(template.tenant, template.task, caller.origin)
