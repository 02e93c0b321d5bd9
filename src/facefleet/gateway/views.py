"""Shapes the JSON that the API shows of a task, for the answers and for OpenAPI."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from facefleet.gateway.follow.queue_position import MOST_AHEAD, Place
from facefleet.observability.tracing import trace_id_of
from facefleet.tasks.kinds import Kind
from facefleet.tasks.task import Failure, Task
from facefleet.tasks.transitions import State


class Links(BaseModel):
    """Where to go on."""

    self: str
    result: str
    events: str = Field(description="what happens to it, as it happens (server-sent events)")
    cancel: str


class Accepted(BaseModel):
    """A task that is safe with us."""

    task_id: str
    status: State
    links: Links


class Problem(BaseModel):
    """Why a task failed."""

    code: str
    message: str
    field: str | None = Field(description="the field of the request that it is about, where it is about one")
    detail: dict[str, Any] = Field(description="facts; of one of several photos `number` says which, from 0")


class WebhookView(BaseModel):
    """Who is told of a task."""

    url: str
    events: list[State]
    deliveries: str = Field(description="link to what was sent, and what became of it")


class ConsentView(BaseModel):
    """What was attested of the people shown."""

    subject: str = Field(description="who attested it")
    at: datetime
    reference: str | None = Field(description="where the caller keeps the consent")
    own_photo: bool = Field(description="the person in the source is the caller")
    guardian: bool = Field(description="a guardian has agreed for a minor")


class TaskView(BaseModel):
    """A task."""

    task_id: str
    kind: Kind
    status: State
    lane: str
    progress: float = Field(description="0 to 1")
    step: str | None = Field(description="of a running task: what the progress speaks of")
    position: int | None = Field(
        description=f"of a queued task: how many of its lane come before it, at most {MOST_AHEAD:,}"
    )
    estimated_start: datetime | None = Field(
        description="of a queued task: at the rate of the last minute; null where nothing of the lane has started"
    )
    attempts: int = Field(description="runs so far")
    version: int = Field(description="rises with every change")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    options: dict[str, Any]
    models: dict[str, str] = Field(description="name to version of the models of the last run")
    timings_ms: dict[str, float] = Field(description="step to milliseconds of the run that succeeded")
    erased_at: datetime | None = Field(description="when photos and result were erased on request")
    error: Problem | None = Field(description="of a failed task, or of the attempt before the next")
    consent: ConsentView | None = Field(description="what was attested; null where no picture is made")
    webhook: WebhookView | None = Field(description="who is told of this task")
    template_id: str | None = Field(description="the registered target it uses, or registers")
    batch_id: str | None = Field(description="the batch it is part of")
    item: int | None = Field(description="its place in the batch, from 0")
    output: dict[str, Any] | None = Field(
        description="what it found, or of a fusion which faces it replaced and skipped, and the strength of each blend"
    )
    result_bytes: int | None = Field(description="of the result")
    trace_id: str | None = Field(description="of the trace of the request that made it")
    links: Links


def links_of(task: Task) -> Links:
    """Relative, so that they hold behind any host name."""
    here = f"/v1/tasks/{task.id}"
    return Links(self=here, result=f"{here}/result", events=f"{here}/events", cancel=f"{here}/cancel")


def accepted(task: Task) -> Accepted:
    """The body of a 202."""
    return Accepted(task_id=task.id, status=task.state, links=links_of(task))


def problem_of(failure: Failure | None) -> Problem | None:
    """Why something failed, as its owner sees it."""
    if failure is None:
        return None
    named = failure.detail.get("field")
    return Problem(
        code=failure.code, message=failure.message, field=str(named) if named else None, detail=dict(failure.detail)
    )


def view(task: Task, place: Place | None = None) -> TaskView:
    """The task as its owner sees it, and where it stands while it is queued."""
    failure = task.failure if task.state != State.SUCCEEDED else None
    return TaskView(
        task_id=task.id, kind=task.kind, status=task.state, lane=task.route.lane,
        progress=task.progress, step=task.step,
        position=place.position if place else None, estimated_start=place.estimated_start if place else None,
        attempts=task.fence, version=task.version,
        created_at=task.created_at, started_at=task.started_at, finished_at=task.finished_at,
        erased_at=task.erased_at, options=dict(task.options),
        models=dict(task.models), timings_ms=dict(task.timings_ms),
        error=problem_of(failure), consent=_consent(task), webhook=_webhook(task),
        trace_id=trace_id_of(task.traceparent),
        template_id=task.template, batch_id=task.batch, item=task.item,
        output=dict(task.output) if task.output is not None else None,
        result_bytes=task.bytes_out if task.result is not None else None,
        links=links_of(task),
    )  # fmt: skip


def _consent(task: Task) -> ConsentView | None:
    given = task.consent
    if not given.subject:
        return None
    return ConsentView(
        subject=given.subject, at=given.at, reference=given.reference, own_photo=given.own_photo,
        guardian=given.guardian,
    )  # fmt: skip


def _webhook(task: Task) -> WebhookView | None:
    if task.webhook is None:
        return None
    events = [State(event) for event in task.webhook.events]
    return WebhookView(url=task.webhook.url, events=events, deliveries=f"/v1/tasks/{task.id}/webhooks")
