"""Serves ``DELETE /v1/tasks/{id}``: photos and result are deleted at once, in every state; a receipt stays."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from facefleet.errors.conflict import TaskHeld
from facefleet.errors.lookup import TaskNotFound
from facefleet.errors.outage import RecordsUncertain, StoreUnavailable
from facefleet.gateway.caller import AsCaller, Caller
from facefleet.gateway.openapi import refusals
from facefleet.observability.logs import bound, logger
from facefleet.tasks.records.repository import TaskRepository
from facefleet.upkeep.retention import Retention

_log = logger(__name__)


class Receipt(BaseModel):
    """What stays of an erased task."""

    task_id: str
    erased_at: datetime | None
    status: Literal["erased", "erasing"] = Field(description="erasing: the store was away; the sweeper goes on")


def router(records: TaskRepository, retention: Retention) -> APIRouter:
    """The route of erasure."""
    routes = APIRouter(prefix="/v1/tasks", tags=["tasks"])

    @routes.delete("/{task_id}", response_model=Receipt, responses=refusals(TaskNotFound, TaskHeld, RecordsUncertain))
    async def erase(task_id: str, caller: AsCaller) -> Receipt:
        """Erase a task's photos and result now; to erase it again changes nothing."""
        return await run_in_threadpool(_erase, records, retention, caller, task_id)

    return routes


def _erase(records: TaskRepository, retention: Retention, caller: Caller, task_id: str) -> Receipt:
    task = records.get(caller.tenant, task_id)
    status: Literal["erased", "erasing"] = "erased"
    with bound(task_id=task.id, tenant=task.tenant):
        try:
            retention.erase(task, caller.origin)
        except StoreUnavailable as error:
            status = "erasing"
            _log.warning("task.erasing", code=error.code)
    return Receipt(task_id=task.id, erased_at=records.get(caller.tenant, task_id).erased_at, status=status)
