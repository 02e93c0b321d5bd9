"""Serves ``/v1/operator/…``: operators look at tasks, lanes and maintenance, and change them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from starlette.concurrency import run_in_threadpool

from facefleet.errors.access import NotPermitted
from facefleet.errors.conflict import RequeueRefused, TaskEnded
from facefleet.errors.input import OptionInvalid
from facefleet.errors.lookup import TaskNotFound
from facefleet.errors.outage import RecordsUncertain
from facefleet.gateway.caller import AsCaller, Caller
from facefleet.gateway.openapi import refusals
from facefleet.gateway.views import TaskView, view
from facefleet.observability.logs import logger
from facefleet.tasks.lanes import Lane
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State
from facefleet.upkeep.operations import Control, LaneStatus

MOST_TASKS = 1_000
Track = Literal["stable"]
_T = TypeVar("_T")

_log = logger(__name__)


class OperatorTask(BaseModel):
    """A task with what only operators see of it."""

    tenant: str
    subject: str
    track: str
    failures: int = Field(description="failures that spent the budget of retries")
    lost: int = Field(description="workers that were lost while they ran it")
    hold: bool = Field(description="legal hold: nothing of it is deleted")
    run_at: datetime = Field(description="it does not run before")
    deadline_at: datetime
    inputs_kept: bool = Field(description="its uploads are still there")
    inspections: list[dict[str, Any]] = Field(
        description="of photos and result: `role`, `check`, `model`, `version`, `score`, `verdict`"
    )
    task: TaskView


class Reason(BaseModel):
    """Why, for whoever looks next."""

    reason: str = Field("", max_length=500)


class MaintenanceStatus(BaseModel):
    """Whether new work is taken."""

    # The name that OpenAPI knows it by, which programs generated from that document use.
    __qualname__ = "Door"
    model_config = ConfigDict(title="Door")

    maintenance: bool
    since: datetime | None = None
    reason: str = ""


class HoldBody(BaseModel):
    """Whether a task is under legal hold."""

    hold: StrictBool


def router(control: Control) -> APIRouter:
    """The routes of operators; each change is a line in the log, with its author."""
    routes = APIRouter(prefix="/v1/operator", tags=["operator"], responses=refusals(NotPermitted))

    async def change(caller: Caller, event: str, call: Callable[[], _T], **what: Any) -> _T:
        done = await run_in_threadpool(call)
        _log.info(f"operator.{event}", subject=caller.subject, **what)
        return done

    @routes.get("/tasks")
    async def newest(
        state: State | None = None, limit: Annotated[int, Query(ge=1, le=MOST_TASKS)] = 50
    ) -> list[OperatorTask]:
        """The newest tasks of all tenants."""
        return [_view(task) for task in await run_in_threadpool(control.tasks.newest, limit, state)]

    @routes.get("/tasks/{task_id}", responses=refusals(TaskNotFound))
    async def show(task_id: str) -> OperatorTask:
        """One task, whoever's it is."""
        return _view(await run_in_threadpool(control.tasks.get, task_id))

    @routes.post("/tasks/{task_id}/requeue", responses=refusals(TaskNotFound, RequeueRefused, RecordsUncertain))
    async def requeue(task_id: str, caller: AsCaller) -> OperatorTask:
        """Queue a failed or canceled task again, with all its budgets and its time."""
        return _view(
            await change(caller, "requeue", lambda: control.tasks.requeue(task_id, caller.origin), task_id=task_id)
        )

    @routes.post("/tasks/{task_id}/cancel", responses=refusals(TaskNotFound, TaskEnded, RecordsUncertain))
    async def cancel(task_id: str, caller: AsCaller) -> OperatorTask:
        """End a task that has not ended."""
        return _view(await change(caller, "cancel", lambda: control.cancel(task_id, caller.origin), task_id=task_id))

    @routes.put("/tasks/{task_id}/hold", responses=refusals(TaskNotFound, RecordsUncertain))
    async def hold(task_id: str, body: HoldBody, caller: AsCaller) -> OperatorTask:
        """Begin or end the legal hold of a task."""
        done = await change(
            caller,
            "hold",
            lambda: control.tasks.hold(task_id, caller.origin, on=body.hold),
            task_id=task_id,
            hold=body.hold,
        )
        return _view(done)

    @routes.get("/lanes")
    async def lanes() -> list[LaneStatus]:
        """How much waits and runs in each lane, and which are paused."""
        return await run_in_threadpool(control.lanes)

    @routes.put("/lanes/{lane}/pause", responses=refusals(OptionInvalid, RecordsUncertain))
    async def pause(
        lane: Lane, caller: AsCaller, body: Reason | None = None, track: Track = "stable"
    ) -> list[LaneStatus]:
        """Workers take nothing more from this lane; new work is accepted and waits."""
        reason = body.reason if body else ""
        await change(
            caller, "pause", lambda: control.pause(lane, caller.origin, track, reason), lane=lane, reason=reason
        )
        return await run_in_threadpool(control.lanes)

    @routes.delete("/lanes/{lane}/pause", responses=refusals(OptionInvalid, RecordsUncertain))
    async def resume(lane: Lane, caller: AsCaller, track: Track = "stable") -> list[LaneStatus]:
        """Workers take from this lane again."""
        await change(caller, "resume", lambda: control.resume(lane, caller.origin, track), lane=lane)
        return await run_in_threadpool(control.lanes)

    @routes.get("/maintenance")
    async def maintenance() -> MaintenanceStatus:
        """Whether new work is taken."""
        return await run_in_threadpool(_maintenance_status, control)

    @routes.put("/maintenance", responses=refusals(RecordsUncertain))
    async def close(caller: AsCaller, body: Reason | None = None) -> MaintenanceStatus:
        """Take no new work; what was accepted goes on."""
        reason = body.reason if body else ""
        await change(caller, "maintenance_on", lambda: control.begin_maintenance(caller.origin, reason), reason=reason)
        return await run_in_threadpool(_maintenance_status, control)

    @routes.delete("/maintenance", responses=refusals(RecordsUncertain))
    async def reopen(caller: AsCaller) -> MaintenanceStatus:
        """Take new work again."""
        await change(caller, "maintenance_off", lambda: control.end_maintenance(caller.origin))
        return await run_in_threadpool(_maintenance_status, control)

    return routes


def _view(task: Task) -> OperatorTask:
    return OperatorTask(
        tenant=task.tenant, subject=task.subject, track=task.route.track, failures=task.failures, lost=task.lost,
        hold=task.hold, run_at=task.run_at, deadline_at=task.deadline_at, inputs_kept=task.inputs_kept,
        inspections=[dict(one) for one in task.inspections or ()], task=view(task),
    )  # fmt: skip


def _maintenance_status(control: Control) -> MaintenanceStatus:
    closed = control.maintenance()
    if closed is None:
        return MaintenanceStatus(maintenance=False)
    return MaintenanceStatus(maintenance=True, since=closed.since, reason=closed.reason)
