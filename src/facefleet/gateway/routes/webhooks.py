"""Serves ``/v1/tasks/{id}/webhooks``: the deliveries of a task, their attempts, and sending one again."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from facefleet.errors.lookup import DeliveryNotFound, TaskNotFound
from facefleet.errors.outage import RecordsUncertain
from facefleet.gateway.caller import AsCaller, Caller
from facefleet.gateway.openapi import refusals
from facefleet.observability.logs import bound, logger
from facefleet.tasks.deliveries import Deliveries, Delivery, DeliveryState
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.transitions import State

_log = logger(__name__)


class AttemptView(BaseModel):
    """One try."""

    at: datetime
    status: int | None = Field(description="HTTP status of the answer; none where there was none")
    error: str | None = Field(description="why it does not count as delivered")
    ms: int


class DeliveryView(BaseModel):
    """One event on its way."""

    delivery_id: str = Field(description="the webhook-id header of every attempt")
    event: State
    status: DeliveryState
    attempts: list[AttemptView] = Field(description="whose outcome is known, oldest first; the last 30")
    next_at: datetime | None = Field(description="when it is tried again; while pending")
    happened_at: datetime
    ended_at: datetime | None = Field(description="when it was delivered or given up")


class DeliveriesView(BaseModel):
    """All events of a task that somebody is told of."""

    deliveries: list[DeliveryView]


def router(records: TaskRepository, deliveries: Deliveries) -> APIRouter:
    """The routes of deliveries."""
    routes = APIRouter(prefix="/v1/tasks/{task_id}/webhooks", tags=["webhooks"])

    @routes.get("", response_model=DeliveriesView, responses=refusals(TaskNotFound))
    async def show(task_id: str, caller: AsCaller) -> DeliveriesView:
        """What was sent of a task, and what became of it."""
        sent = await run_in_threadpool(lambda: deliveries.of_task(records.get(caller.tenant, task_id)))
        return DeliveriesView(deliveries=[_view(delivery) for delivery in sent])

    @routes.post(
        "/{delivery_id}/replay",
        status_code=202,
        response_model=DeliveryView,
        responses=refusals(TaskNotFound, DeliveryNotFound, RecordsUncertain),
    )
    async def replay(task_id: str, delivery_id: str, caller: AsCaller) -> DeliveryView:
        """Send an event again now, whatever became of it."""
        return await run_in_threadpool(_replay, records, deliveries, caller, task_id, delivery_id)

    return routes


def _replay(
    records: TaskRepository, deliveries: Deliveries, caller: Caller, task_id: str, delivery_id: str
) -> DeliveryView:
    task = records.get(caller.tenant, task_id)
    with bound(task_id=task.id, tenant=task.tenant, delivery_id=delivery_id[:64]):
        delivery = deliveries.replay(task, delivery_id, caller.origin)
        _log.info("webhook.replayed", subject=caller.subject)
    return _view(delivery)


def _view(delivery: Delivery) -> DeliveryView:
    attempts = [AttemptView(at=a.at, status=a.status, error=a.error, ms=a.ms) for a in delivery.log]
    return DeliveryView(
        delivery_id=delivery.id, event=delivery.event, status=delivery.state, attempts=attempts,
        next_at=delivery.next_at, happened_at=delivery.happened_at, ended_at=delivery.ended_at,
    )  # fmt: skip
