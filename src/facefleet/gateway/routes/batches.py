"""Serves ``/v1/batches``: one face into many photos, or many faces into one."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from facefleet.errors.conflict import TaskHeld
from facefleet.errors.lookup import BatchNotFound
from facefleet.errors.outage import RecordsUncertain, StoreUnavailable
from facefleet.gateway.archive import archive
from facefleet.gateway.caller import AsCaller, Caller
from facefleet.gateway.downloads import PRIVATE
from facefleet.gateway.intake.batches import BatchIntake
from facefleet.gateway.intake.consent import CONSENT_FIELDS
from facefleet.gateway.intake.options import fuse_options_schema
from facefleet.gateway.intake.reception import Incoming
from facefleet.gateway.intake.webhooks import WEBHOOK_FIELDS
from facefleet.gateway.openapi import (
    FUSION_REFUSALS,
    KEY,
    LOCATION,
    PHOTO,
    TEMPLATE_ID,
    form,
    refusals,
)
from facefleet.gateway.routes.paging import NextCursor, PageQuery
from facefleet.observability.logs import logger
from facefleet.storage.store import Store
from facefleet.tasks.audit import Action
from facefleet.tasks.batches import MAX_ITEMS, Batch, Batches
from facefleet.tasks.records.audit_log import AuditLog
from facefleet.tasks.transitions import State
from facefleet.upkeep.retention import Retention

_log = logger(__name__)


class BatchStatus(StrEnum):
    """Where a batch is."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"
    CANCELED = "canceled"


class BatchCounts(BaseModel):
    """How many of its items are where."""

    queued: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    canceled: int = 0


class BatchLinks(BaseModel):
    """Where to go on."""

    self: str
    tasks: str
    results: str
    cancel: str


class BatchView(BaseModel):
    """A batch."""

    batch_id: str
    total: int
    status: BatchStatus = Field(description="canceled: what had not ended was; the rest has its results")
    counts: BatchCounts
    created_at: datetime
    erased_at: datetime | None
    template_id: str | None = Field(description="the registered target that all items share")
    links: BatchLinks


class BatchPageView(BaseModel):
    """Some batches, the newest first."""

    batches: list[BatchView]
    next_cursor: NextCursor


class BatchReceipt(BaseModel):
    """What stays of an erased batch."""

    batch_id: str
    erased_at: datetime | None
    status: Literal["erased", "erasing"] = Field(description="erasing: the store was away; the sweeper goes on")


def _many(field: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": field, "maxItems": MAX_ITEMS}


_BODY = form(
    {
        "source": _many(PHOTO), "target": _many(PHOTO), "template_id": _many(TEMPLATE_ID),
        **CONSENT_FIELDS, "options": fuse_options_schema(), **WEBHOOK_FIELDS,
    },
    required=("source", "consent"), parameters=(KEY,),
)  # fmt: skip
_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {"description": "Every item is safe, whatever dies now", "headers": LOCATION}
}
_REFUSALS = refusals(*FUSION_REFUSALS)
_ZIP: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`0007.jpg` of every item that has succeeded, and `results.json` of all",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def router(intake: BatchIntake, batches: Batches, store: Store, audit_log: AuditLog, retention: Retention) -> APIRouter:
    """The routes of batches."""
    routes = APIRouter(prefix="/v1/batches", tags=["batches"])

    @routes.post("", status_code=202, response_model=BatchView, openapi_extra=_BODY, responses=_ANSWERS | _REFUSALS)
    async def submit(request: Request, caller: AsCaller, response: Response) -> BatchView:
        """Fuse one source into many targets, or many sources into one: one task each, in the lane `bulk`."""
        shown = view(await intake.accept(caller, Incoming.of(request)))
        response.headers["Location"] = shown.links.self
        return shown

    @routes.get("", response_model=BatchPageView)
    async def newest(caller: AsCaller, query: Annotated[PageQuery, Query()]) -> BatchPageView:
        """Your batches, the newest first."""
        page = await run_in_threadpool(batches.page, caller.tenant, query.cursor, query.limit)
        return BatchPageView(batches=[view(one) for one in page.rows], next_cursor=page.next_cursor)

    @routes.get("/{batch_id}", response_model=BatchView, responses=refusals(BatchNotFound))
    async def show(batch_id: str, caller: AsCaller) -> BatchView:
        """The batch as it stands."""
        return view(await run_in_threadpool(batches.get, caller.tenant, batch_id))

    @routes.get(
        "/{batch_id}/results", response_class=Response,
        responses=_ZIP | refusals(BatchNotFound, StoreUnavailable),
    )  # fmt: skip
    async def results(batch_id: str, caller: AsCaller) -> Response:
        """What has succeeded so far, as one ZIP file."""
        batch = await run_in_threadpool(batches.get, caller.tenant, batch_id)
        await run_in_threadpool(store.check)  # once the answer has begun it is too late to say so
        await run_in_threadpool(audit_log.record, caller.origin, Action.BATCH_READ, batch.id)
        headers = PRIVATE | {"Content-Disposition": f'attachment; filename="{batch.id}.zip"'}
        return StreamingResponse(archive(batches.items(batch), store), media_type="application/zip", headers=headers)

    @routes.post("/{batch_id}/cancel", response_model=BatchView, responses=refusals(BatchNotFound, RecordsUncertain))
    async def cancel(batch_id: str, caller: AsCaller) -> BatchView:
        """End every item that has not ended; to cancel it again changes nothing."""
        return view(await run_in_threadpool(batches.cancel, caller.tenant, batch_id, caller.origin))

    @routes.delete(
        "/{batch_id}", response_model=BatchReceipt, responses=refusals(BatchNotFound, TaskHeld, RecordsUncertain)
    )
    async def erase(batch_id: str, caller: AsCaller) -> BatchReceipt:
        """Erase the photos and results of every item now; to erase it again changes nothing."""
        return await run_in_threadpool(_erase, batches, retention, caller, batch_id)

    return routes


def view(batch: Batch) -> BatchView:
    """The batch as its owner sees it."""
    here = f"/v1/batches/{batch.id}"
    return BatchView(
        batch_id=batch.id, total=batch.total, status=_status(batch), created_at=batch.created_at,
        counts=BatchCounts(**{state.value: count for state, count in batch.counts.items()}),
        erased_at=batch.erased_at, template_id=batch.template,
        links=BatchLinks(
            self=here, tasks=f"/v1/tasks?batch={batch.id}", results=f"{here}/results", cancel=f"{here}/cancel"
        ),
    )  # fmt: skip


def _status(batch: Batch) -> BatchStatus:
    if batch.canceled_at is not None or batch.erased_at is not None:
        return BatchStatus.CANCELED
    queued = batch.counts.get(State.QUEUED, 0)
    if queued == batch.total:
        return BatchStatus.QUEUED
    return BatchStatus.RUNNING if queued or batch.counts.get(State.RUNNING) else BatchStatus.ENDED


def _erase(batches: Batches, retention: Retention, caller: Caller, batch_id: str) -> BatchReceipt:
    batch = batches.get(caller.tenant, batch_id)
    status: Literal["erased", "erasing"] = "erased"
    try:
        retention.erase_batch(batch, caller.origin)
    except StoreUnavailable as error:
        status = "erasing"
        _log.warning("batch.erasing", batch_id=batch.id, code=error.code)
    return BatchReceipt(
        batch_id=batch.id, erased_at=batches.get(caller.tenant, batch_id).erased_at, status=status
    )  # fmt: skip
