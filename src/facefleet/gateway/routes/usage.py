"""Serves ``GET /v1/usage``: what the caller's tenant has used, day by day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from facefleet.clock import Clock
from facefleet.errors.input import OptionInvalid
from facefleet.gateway.caller import AsCaller
from facefleet.gateway.times import Day
from facefleet.tasks.kinds import Kind
from facefleet.tasks.records.usage import Usage

DEFAULT_DAYS = 30
MOST_DAYS = 366


class UsageQuery(BaseModel):
    """From which day to which, both included."""

    model_config = ConfigDict(extra="forbid")

    first: Day | None = Field(None, alias="from", description=f"UTC; {DEFAULT_DAYS} days up to `to` where not given")
    last: Day | None = Field(None, alias="to", description="UTC; today where not given")


class UsageDay(BaseModel):
    """The tasks of one kind that were created on one day."""

    date: date
    kind: Kind
    tasks: int = Field(description="those under way included")
    succeeded: int
    failed: int
    canceled: int
    bytes_in: int = Field(description="of the uploads")
    bytes_out: int = Field(description="of the results")
    seconds: float = Field(description="that the runs took which succeeded")


class UsageView(BaseModel):
    """Days on which nothing was asked for are left out."""

    model_config = ConfigDict(populate_by_name=True)

    first: date = Field(alias="from")
    last: date = Field(alias="to")
    days: list[UsageDay]


def router(usage: Usage, clock: Clock) -> APIRouter:
    """The route of usage."""
    routes = APIRouter(prefix="/v1", tags=["usage"])

    @routes.get("/usage", response_model=UsageView)
    async def show(caller: AsCaller, query: Annotated[UsageQuery, Query()]) -> UsageView:
        """What you have used, by day and kind."""
        first, last = _span(query, clock().date())
        rows = await run_in_threadpool(usage.days, caller.tenant, first, last)
        days = [
            UsageDay(
                date=d.day, kind=d.kind, tasks=d.tasks, succeeded=d.succeeded, failed=d.failed, canceled=d.canceled,
                bytes_in=d.bytes_in, bytes_out=d.bytes_out, seconds=d.seconds,
            )
            for d in rows
        ]  # fmt: skip
        return UsageView(first=first, last=last, days=days)

    return routes


def _span(query: UsageQuery, today: date) -> tuple[date, date]:
    last = query.last or today
    first = query.first or max(date.min + timedelta(days=DEFAULT_DAYS), last) - timedelta(days=DEFAULT_DAYS - 1)
    if not 0 <= (last - first).days < MOST_DAYS:
        raise OptionInvalid(
            f"from must not be after to, and not {MOST_DAYS} days before it or more.", field="from", max_days=MOST_DAYS
        )
    return first, last
