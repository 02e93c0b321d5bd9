"""Serves ``GET /v1/tasks``: the caller's tasks, page by page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from facefleet.gateway.caller import AsCaller
from facefleet.gateway.follow.queue_position import QueuePosition
from facefleet.gateway.routes.paging import NextCursor, PageQuery
from facefleet.gateway.times import Time
from facefleet.gateway.views import TaskView, view
from facefleet.tasks.kinds import Kind
from facefleet.tasks.records.listing import CURSOR, Listing, TaskFilter
from facefleet.tasks.transitions import State


class TaskQuery(PageQuery):
    """Which tasks, and how many of them."""

    state: State | None = None
    kind: Kind | None = None
    created_after: Time | None = Field(None, description="RFC 3339, with its zone")
    created_before: Time | None = Field(None, description="RFC 3339, with its zone")
    batch: str | None = Field(None, max_length=36, pattern=r"^[0-9a-f-]+$", description="its items, in their order")
    cursor: str | None = Field(None, pattern=CURSOR, description="`next_cursor` of the page before")


class TaskPage(BaseModel):
    """Some tasks, the newest first."""

    tasks: list[TaskView]
    next_cursor: NextCursor


def router(listing: Listing, queue_position: QueuePosition) -> APIRouter:
    """The route of lists."""
    routes = APIRouter(prefix="/v1", tags=["tasks"])

    @routes.get("/tasks", response_model=TaskPage)
    async def newest(caller: AsCaller, query: Annotated[TaskQuery, Query()]) -> TaskPage:
        """Your tasks, the newest first; the items of a batch in their order."""
        wanted = TaskFilter(query.state, query.kind, query.created_after, query.created_before, query.batch)
        page = await run_in_threadpool(listing.page, caller.tenant, wanted, query.cursor, query.limit)
        shown = [view(task, await queue_position.place(task)) for task in page.rows]
        return TaskPage(tasks=shown, next_cursor=page.next_cursor)

    return routes
