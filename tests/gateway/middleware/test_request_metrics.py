"""The outcome of a request is the code of its problem document, whoever wrote that."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from facefleet.errors.input import ConsentRequired
from facefleet.gateway import problems
from facefleet.gateway.middleware.access_log import AccessLog
from facefleet.gateway.middleware.request_metrics import RequestMetrics
from facefleet.gateway.middleware.tracing import RequestTracing
from facefleet.observability.metrics import Metrics
from facefleet.observability.tracing import NoTracer


def application(metrics: Metrics) -> FastAPI:
    """Routes that the framework refuses: fusion is only read, faces need a number, templates are not there at all."""
    app = FastAPI(
        middleware=[
            Middleware(RequestTracing, tracer=NoTracer()),
            Middleware(AccessLog),
            Middleware(RequestMetrics, metrics=metrics),
            Middleware(problems.Problems),
        ]
    )
    problems.install(app)

    @app.get("/v1/fuse")
    async def fuse() -> None: ...

    @app.post("/v1/faces")
    async def faces(number: int) -> None: ...

    @app.post("/v1/batches")
    async def batches() -> None:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "no")

    @app.post("/fuse")
    async def alias() -> None:
        raise ConsentRequired("Nobody agreed.")

    return app


async def refuse(path: str, metrics: Metrics) -> httpx.Response:
    transport: Any = httpx.ASGITransport(app=application(metrics))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.post(path)


@pytest.mark.parametrize(
    ("path", "kind", "status", "code"),
    [
        ("/v1/templates", "template", 404, "route_not_found"),
        ("/v1/fuse", "fuse", 405, "method_not_allowed"),
        ("/v1/faces?number=x", "detect", 422, "option_invalid"),
        ("/v1/batches", "fuse", 400, "request_invalid"),
        ("/fuse", "fuse", 422, "consent_required"),
    ],
)
def test_what_the_framework_refuses_is_counted_by_its_code(path: str, kind: str, status: int, code: str) -> None:
    metrics = Metrics(CollectorRegistry())
    answer = asyncio.run(refuse(path, metrics))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    sample = metrics.registry.get_sample_value
    assert sample("facefusion_requests_total", {"kind": kind, "outcome": code}) == 1
    assert sample("facefusion_requests_total", {"kind": kind, "outcome": "accepted"}) is None
