"""Serves ``GET /v1/usage`` and ``GET /v1/operator/usage``: what was used day by day, by one tenant or by each."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from facefleet.clock import Clock
from facefleet.errors.access import NotPermitted
from facefleet.errors.input import OptionInvalid
from facefleet.gateway.caller import AsCaller
from facefleet.gateway.openapi import refusals
from facefleet.gateway.times import Day
from facefleet.tasks.kinds import Kind
from facefleet.tasks.records.usage import DayUsage, Usage

DEFAULT_DAYS = 30
MOST_DAYS = 366


class UsageGroup(StrEnum):
    """What the tasks of a day are told apart by."""

    KIND = "kind"
    CREDENTIAL = "credential"


class UsageQuery(BaseModel):
    """From which day to which, both included."""

    model_config = ConfigDict(extra="forbid")

    first: Day | None = Field(None, alias="from", description=f"UTC; {DEFAULT_DAYS} days up to `to` where not given")
    last: Day | None = Field(None, alias="to", description="UTC; today where not given")
    by: UsageGroup = Field(UsageGroup.KIND, description="`credential`: by key or token, too")


class OperatorUsageQuery(UsageQuery):
    """The same, of every tenant."""

    tenant: str | None = Field(None, max_length=64, pattern=r"^[^\x00]*$", description="only its tasks")


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
    with_reference: int = Field(description="whose consent says where it is kept")
    own_photos: int = Field(description="whose source shows the caller, as it attested")
    by_guardian: int = Field(description="for which a guardian agreed, as the caller attested")
    credential: str | None = Field(description="id of the key or token, where it is asked for and there was one")


class OperatorUsageDay(UsageDay):
    """The same, of one tenant."""

    tenant: str


class UsageSpan(BaseModel):
    """From which day to which."""

    model_config = ConfigDict(populate_by_name=True)

    first: date = Field(alias="from")
    last: date = Field(alias="to")


class UsageView(UsageSpan):
    """Days on which nothing was asked for are left out."""

    days: list[UsageDay]


class OperatorUsageView(UsageSpan):
    """The same, of every tenant."""

    days: list[OperatorUsageDay]


def router(usage: Usage, clock: Clock) -> APIRouter:
    """The route of usage."""
    routes = APIRouter(prefix="/v1", tags=["usage"])

    @routes.get("/usage", response_model=UsageView)
    async def show(caller: AsCaller, query: Annotated[UsageQuery, Query()]) -> UsageView:
        """What you have used, by day and kind."""
        first, last, rows = await _totals(usage, clock, query, caller.tenant)
        return UsageView(first=first, last=last, days=[UsageDay(**_shown(row)) for row in rows])

    @routes.get("/operator/usage", response_model=OperatorUsageView, responses=refusals(NotPermitted))
    async def everybodys(query: Annotated[OperatorUsageQuery, Query()]) -> OperatorUsageView:
        """What each tenant has used, by day and kind."""
        first, last, rows = await _totals(usage, clock, query, query.tenant)
        days = [OperatorUsageDay(tenant=row.tenant, **_shown(row)) for row in rows]
        return OperatorUsageView(first=first, last=last, days=days)

    return routes


async def _totals(
    usage: Usage, clock: Clock, query: UsageQuery, tenant: str | None
) -> tuple[date, date, list[DayUsage]]:  # fmt: skip
    first, last = _span(query, clock().date())
    by_credential = query.by is UsageGroup.CREDENTIAL
    rows = await run_in_threadpool(usage.days, tenant, first, last, by_credential=by_credential)
    return first, last, rows


def _shown(row: DayUsage) -> dict[str, Any]:
    return {
        "date": row.day, "kind": row.kind, "tasks": row.tasks, "succeeded": row.succeeded, "failed": row.failed,
        "canceled": row.canceled, "bytes_in": row.bytes_in, "bytes_out": row.bytes_out, "seconds": row.seconds,
        "with_reference": row.with_reference, "own_photos": row.own_photos, "by_guardian": row.by_guardian,
        "credential": row.credential,
    }  # fmt: skip


def _span(query: UsageQuery, today: date) -> tuple[date, date]:
    last = query.last or today
    first = query.first or max(date.min + timedelta(days=DEFAULT_DAYS), last) - timedelta(days=DEFAULT_DAYS - 1)
    if not 0 <= (last - first).days < MOST_DAYS:
        raise OptionInvalid(
            f"from must not be after to, and not {MOST_DAYS} days before it or more.", field="from", max_days=MOST_DAYS
        )
    return first, last
