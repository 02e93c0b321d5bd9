"""Serves ``/healthz``, ``/readyz`` and ``/metrics``, for orchestrators and Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from facefleet.errors.outage import OutageError
from facefleet.observability.metrics import Metrics

Checks = Mapping[str, Callable[[], object]]


class Health(BaseModel):
    """``degraded``: work is accepted and safe, but waits until the broker is back."""

    status: Literal["ok", "degraded", "unavailable"]
    checks: dict[str, str]


def router(needed: Checks, wanted: Checks, metrics: Metrics) -> APIRouter:
    """The routes of health.

    Args:
        needed: Parts without which nothing can be accepted: name → a call that raises ``OutageError``.
        wanted: Parts without which work waits.
        metrics: What ``/metrics`` shows.
    """
    routes = APIRouter(include_in_schema=False)

    @routes.get("/healthz")
    async def alive() -> Health:
        return Health(status="ok", checks={})

    @routes.get("/readyz")
    async def ready(response: Response) -> Health:
        health = await run_in_threadpool(_check, needed, wanted)
        response.status_code = 503 if health.status == "unavailable" else 200
        return health

    @routes.get("/metrics")
    async def scrape() -> Response:
        text = await run_in_threadpool(generate_latest, metrics.scraped)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return routes


def _check(needed: Checks, wanted: Checks) -> Health:
    must = {name: _state(call) for name, call in needed.items()}
    may = {name: _state(call) for name, call in wanted.items()}
    if any(state != "ok" for state in must.values()):
        return Health(status="unavailable", checks=must | may)
    degraded = any(state != "ok" for state in may.values())
    return Health(status="degraded" if degraded else "ok", checks=must | may)


def _state(call: Callable[[], object]) -> str:
    try:
        call()
    except OutageError as error:
        return error.code
    return "ok"
