"""``/v1/operator/…``: the operator's hands over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field, StrictBool
from starlette.concurrency import run_in_threadpool

from facefleet.errors.conflict import RequeueRefused, TaskEnded
from facefleet.errors.input import NotPermitted, OptionInvalid
from facefleet.errors.lookup import TaskNotFound
from facefleet.errors.outage import RecordsUncertain
from facefleet.gateway.middleware.authentication import Principal
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
    task: TaskView


class Reason(BaseModel):
    """Why, for whoever looks next."""

    reason: str = Field("", max_length=500)


class Door(BaseModel):
    """Whether new work is taken."""

    maintenance: bool
    since: datetime | None = None
    reason: str = ""


class HoldBody(BaseModel):
    """Whether a task is under legal hold."""

    hold: StrictBool


def require_operator(request: Request) -> None:
    """Let operators in, and nobody else.

    Raises:
        NotPermitted: The caller is none.
    """
    principal: Principal = request.state.principal
    if not principal.operator:
        raise NotPermitted("Only operators may do this.", subject=principal.subject)


def router(control: Control) -> APIRouter:
    """The routes of operators; each change is a line in the log, with its author."""
    routes = APIRouter(
        prefix="/v1/operator", tags=["operator"], dependencies=[Depends(require_operator)],
        responses=refusals(NotPermitted),
    )  # fmt: skip

    async def change(request: Request, event: str, call: Callable[[], _T], **what: Any) -> _T:
        done = await run_in_threadpool(call)
        _log.info(f"operator.{event}", subject=request.state.principal.subject, **what)
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
    async def requeue(task_id: str, request: Request) -> OperatorTask:
        """Queue a failed or canceled task again, with all its budgets and its time."""
        return _view(await change(request, "requeue", lambda: control.tasks.requeue(task_id), task_id=task_id))

    @routes.post("/tasks/{task_id}/cancel", responses=refusals(TaskNotFound, TaskEnded, RecordsUncertain))
    async def cancel(task_id: str, request: Request) -> OperatorTask:
        """End a task that has not ended."""
        return _view(await change(request, "cancel", lambda: control.cancel(task_id), task_id=task_id))

    @routes.put("/tasks/{task_id}/hold", responses=refusals(TaskNotFound, RecordsUncertain))
    async def hold(task_id: str, body: HoldBody, request: Request) -> OperatorTask:
        """Begin or end the legal hold of a task."""
        done = await change(
            request, "hold", lambda: control.tasks.hold(task_id, on=body.hold), task_id=task_id, hold=body.hold
        )
        return _view(done)

    @routes.get("/lanes")
    async def lanes() -> list[LaneStatus]:
        """How much waits and runs in each lane, and which are paused."""
        return await run_in_threadpool(control.lanes)

    @routes.put("/lanes/{lane}/pause", responses=refusals(OptionInvalid, RecordsUncertain))
    async def pause(
        lane: Lane, request: Request, body: Reason | None = None, track: Track = "stable"
    ) -> list[LaneStatus]:
        """Workers take nothing more from this lane; new work is accepted and waits."""
        reason = body.reason if body else ""
        await change(request, "pause", lambda: control.pause(lane, track, reason), lane=lane, reason=reason)
        return await run_in_threadpool(control.lanes)

    @routes.delete("/lanes/{lane}/pause", responses=refusals(OptionInvalid, RecordsUncertain))
    async def resume(lane: Lane, request: Request, track: Track = "stable") -> list[LaneStatus]:
        """Workers take from this lane again."""
        await change(request, "resume", lambda: control.resume(lane, track), lane=lane)
        return await run_in_threadpool(control.lanes)

    @routes.get("/maintenance")
    async def maintenance() -> Door:
        """Whether new work is taken."""
        return await run_in_threadpool(_door, control)

    @routes.put("/maintenance", responses=refusals(RecordsUncertain))
    async def close(request: Request, body: Reason | None = None) -> Door:
        """Take no new work; what was accepted goes on."""
        reason = body.reason if body else ""
        await change(request, "maintenance_on", lambda: control.begin_maintenance(reason), reason=reason)
        return await run_in_threadpool(_door, control)

    @routes.delete("/maintenance", responses=refusals(RecordsUncertain))
    async def reopen(request: Request) -> Door:
        """Take new work again."""
        await change(request, "maintenance_off", control.end_maintenance)
        return await run_in_threadpool(_door, control)

    return routes


def _view(task: Task) -> OperatorTask:
    return OperatorTask(
        tenant=task.tenant, subject=task.subject, track=task.route.track, failures=task.failures, lost=task.lost,
        hold=task.hold, run_at=task.run_at, deadline_at=task.deadline_at, inputs_kept=task.inputs_kept,
        task=view(task),
    )  # fmt: skip


def _door(control: Control) -> Door:
    closed = control.maintenance()
    return Door(maintenance=True, since=closed.since, reason=closed.reason) if closed else Door(maintenance=False)
