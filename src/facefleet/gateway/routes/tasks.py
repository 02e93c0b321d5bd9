"""Serves ``/v1/tasks/{id}``: the task, its result, its cancellation."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from facefleet.errors.conflict import ResultNotReady, ResultUnavailable, TaskEnded
from facefleet.errors.input import OptionInvalid
from facefleet.errors.lookup import TaskNotFound
from facefleet.errors.outage import RecordsUncertain, StoreUnavailable
from facefleet.errors.task import ObjectMissing
from facefleet.gateway.caller import AsCaller, Caller
from facefleet.gateway.downloads import Downloads, Redirect
from facefleet.gateway.follow.changes import Changes
from facefleet.gateway.follow.prefer import waited
from facefleet.gateway.follow.queue_position import QueuePosition
from facefleet.gateway.openapi import APPLIED, PICTURES, PREFER, refusals
from facefleet.gateway.views import TaskView, view
from facefleet.media.sniff import ImageType
from facefleet.storage.store import Store
from facefleet.tasks.audit import Action
from facefleet.tasks.records.audit_log import AuditLog
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.task import Task


def router(
    records: TaskRepository, store: Store, audit_log: AuditLog, changes: Changes, queue_position: QueuePosition
) -> APIRouter:
    """The routes of tasks."""
    routes = APIRouter(prefix="/v1/tasks", tags=["tasks"])

    @routes.get(
        "/{task_id}", response_model=TaskView, openapi_extra={"parameters": [PREFER]},
        responses={200: {"headers": APPLIED}, **refusals(TaskNotFound)},
    )  # fmt: skip
    async def show(task_id: str, request: Request, caller: AsCaller, response: Response) -> TaskView:
        """The task as it stands, or when it has ended (`Prefer: wait=N`)."""
        task = await run_in_threadpool(records.get, caller.tenant, task_id)
        task = await waited(changes, request, response, task)
        return view(task, await queue_position.place(task))

    @routes.head("/{task_id}/result", include_in_schema=False)
    @routes.get(
        "/{task_id}/result", response_class=Response,
        responses=PICTURES
        | refusals(OptionInvalid, TaskNotFound, ResultNotReady, ResultUnavailable, StoreUnavailable),
    )  # fmt: skip
    async def result(task_id: str, request: Request, caller: AsCaller, redirect: Redirect = True) -> Response:
        """The fused photo of a task that succeeded; where the store gives links, a redirect to it."""
        downloads = Downloads(store, audit_log, caller.origin, request.method, redirect=redirect)
        return await run_in_threadpool(_result, records, downloads, caller, task_id)

    @routes.post(
        "/{task_id}/cancel", response_model=TaskView, responses=refusals(TaskNotFound, TaskEnded, RecordsUncertain)
    )
    async def cancel(task_id: str, caller: AsCaller) -> TaskView:
        """End a task that has not ended; to cancel it again changes nothing."""
        return view(await run_in_threadpool(records.cancel, caller.tenant, task_id, caller.origin))

    return routes


def _result(records: TaskRepository, downloads: Downloads, caller: Caller, task_id: str) -> Response:
    task = records.get(caller.tenant, task_id)
    if task.result is None or task.result_type is None:
        raise _no_result(task)
    name = f"{task.id}{ImageType(task.result_type).extension}"
    try:
        return downloads.answer(task.result, task.result_type, name, Action.RESULT_READ, task.id)
    except ObjectMissing:
        raise ResultUnavailable("The result has been deleted.", task_id=task.id) from None


def _no_result(task: Task) -> ResultNotReady | ResultUnavailable:
    if not task.state.terminal:
        return ResultNotReady(f"The task is {task.state}; ask again.", task_id=task.id, status=task.state.value)
    cause = task.failure.code if task.failure else None
    reason = f": {task.failure.message}" if task.failure else "."
    detail = task.failure.detail if task.failure else {}
    return ResultUnavailable(
        f"The task ended as {task.state} and has no result{reason}",
        task_id=task.id, status=task.state.value, cause=cause,
        **{name: detail[name] for name in ("field", "number") if name in detail},
    )  # fmt: skip
