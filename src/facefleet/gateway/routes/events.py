"""Serves ``GET /v1/tasks/{id}/events``: the changes of a task as they happen (server-sent events, WHATWG HTML 9.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from facefleet.errors.lookup import TaskNotFound
from facefleet.gateway.caller import AsCaller, Still
from facefleet.gateway.follow.changes import Changes
from facefleet.gateway.follow.queue_position import Place, QueuePosition
from facefleet.gateway.openapi import refusals
from facefleet.gateway.views import view
from facefleet.tasks.events import Event
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State

BEAT_SECONDS = 15.0  # a comment at least this often: proxies cut silent connections, and we notice readers that left
PLACE_SECONDS = 5.0  # between looks at the place of a queued task
_RETRY_MS = 1_000  # when a reader whose stream broke comes back
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would keep events until its buffer is full
_EVENT = {
    "type": "object",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "description": "the version"},
        "event": {"type": "string", "enum": list(State)},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/TaskView"},
        },
    },
}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The stream: `id` is the version, `event` the status, `data` the task; it ends after the last",
        "content": {"text/event-stream": {"itemSchema": _EVENT}},
    },
    204: {"description": "The task has ended and the reader has seen its last event"},
}

_SeenByHeader = Annotated[
    int | None,
    Header(alias="Last-Event-ID", ge=0, description="id of the last event seen; nothing up to it is sent again"),
]
_SeenByQuery = Annotated[
    int | None, Query(alias="last_event_id", ge=0, description="the same, for readers that cannot send the header")
]


def router(records: TaskRepository, changes: Changes, queue_position: QueuePosition) -> APIRouter:
    """The route of events."""
    routes = APIRouter(prefix="/v1/tasks", tags=["tasks"])

    @routes.get("/{task_id}/events", response_class=Response, responses=_STREAM | refusals(TaskNotFound))
    async def events(
        task_id: str, caller: AsCaller, header: _SeenByHeader = None, query: _SeenByQuery = None
    ) -> Response:
        """Follow a task: one event now, one with each change, the last when it ends."""
        task = await run_in_threadpool(records.get, caller.tenant, task_id)
        seen = header if header is not None else query or 0
        if task.state.terminal and task.version <= seen:
            return Response(status_code=204)  # with any other answer a browser would come back for ever
        changes.require_room()
        stream = _Stream(changes, queue_position).run(task, seen, caller.still)
        return StreamingResponse(stream, media_type="text/event-stream", headers=_HEADERS)

    return routes


@dataclass(frozen=True, slots=True)
class _Stream:
    changes: Changes
    queue_position: QueuePosition

    async def run(self, task: Task, seen: int, still: Still) -> AsyncIterator[str]:
        """Events of a task from this version on, until it ends, the gateway leaves or the reader may not go on."""
        with self.changes.watch(task, "events") as watch:
            place, silent_seconds = await self.queue_position.place(task), 0.0
            yield f"retry: {_RETRY_MS}\n\n" + (_event(task, place) if task.version > seen else "")
            while not (task.state.terminal or watch.over):
                newer = await watch.newer(PLACE_SECONDS)
                if not await still():
                    return
                task, before = newer or task, place
                place = await self.queue_position.place(task)
                if (newer and newer.version > seen) or _place_changed(before, place):
                    silent_seconds = 0.0
                    yield _event(task, place)
                elif (silent_seconds := silent_seconds + PLACE_SECONDS) >= BEAT_SECONDS:
                    silent_seconds = 0.0
                    yield ": still here\n\n"


def _place_changed(before: Place | None, now: Place | None) -> bool:
    return now is not None and before is not None and now.position != before.position


def _event(task: Task, place: Place | None) -> str:
    event = Event.of(task)
    return f"id: {event.id}\nevent: {event.name}\ndata: {view(task, place).model_dump_json()}\n\n"
