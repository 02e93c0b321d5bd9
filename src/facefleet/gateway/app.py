"""The gateway program: builds everything once, starts the sweeper, answers HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from threading import Event, Thread

import anyio.to_thread
import uvicorn
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware

from facefleet.clock import now
from facefleet.config import Settings
from facefleet.errors.input import ConfigInvalid
from facefleet.gateway import gauges, openapi, problems
from facefleet.gateway.follow.changes import Changes
from facefleet.gateway.follow.queue_position import Outlook
from facefleet.gateway.intake.admission import Admission
from facefleet.gateway.intake.batches import BatchIntake
from facefleet.gateway.intake.multipart import FUSION
from facefleet.gateway.intake.tasks import Intake
from facefleet.gateway.intake.templates import Targets
from facefleet.gateway.intake.webhooks import WebhookIntake
from facefleet.gateway.middleware.access_log import AccessLog
from facefleet.gateway.middleware.authentication import LocalAuthentication, require_loopback
from facefleet.gateway.middleware.body_limit import Allowance, BodyLimit
from facefleet.gateway.middleware.request_metrics import Outcomes
from facefleet.gateway.middleware.tracing import Traces
from facefleet.gateway.routes import (
    batches,
    erasure,
    errors,
    events,
    faces,
    fuse,
    health,
    listing,
    operator,
    page,
    tasks,
    templates,
    usage,
    webhooks,
)
from facefleet.gateway.server import Server, allow_connections
from facefleet.gateway.webhook_delivery import deliverer_of, resolver_of
from facefleet.media.sniff import Limits
from facefleet.observability import logs
from facefleet.observability.metrics import Metrics
from facefleet.observability.tracing import Tracer, open_tracer
from facefleet.queue.app import build_app
from facefleet.queue.broker import Broker
from facefleet.queue.submit import Submitter
from facefleet.queue.wakes import Waker, heard
from facefleet.storage.opening import open_store
from facefleet.storage.store import Store
from facefleet.tasks import schema
from facefleet.tasks.backlog import Backlog
from facefleet.tasks.batches import Batches
from facefleet.tasks.database import Database
from facefleet.tasks.deliveries import Deliveries
from facefleet.tasks.listing import Listing
from facefleet.tasks.repository import TaskRepository
from facefleet.tasks.retention_records import Keeping
from facefleet.tasks.switches import CachedSwitches, Switches
from facefleet.tasks.templates import Templates
from facefleet.tasks.usage import Usage
from facefleet.upkeep.operations import Control
from facefleet.upkeep.retention import Retention, Terms
from facefleet.upkeep.sweeper import Sweeper
from facefleet.webhooks.deliver import Deliverer
from facefleet.webhooks.resolve import Resolver

_FORM_OVERHEAD_BYTES = 8_192  # boundaries and part headers
_GRACEFUL_SECONDS = 10
# The framework's own: it reads the environment, and its spans would say the same as ours.
_UNUSED: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}

_log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the gateway is made of."""

    database: Database
    records: TaskRepository
    store: Store
    broker: Broker
    submitter: Submitter
    waker: Waker
    metrics: Metrics
    tracer: Tracer

    @classmethod
    def build(cls, settings: Settings) -> Parts:
        """Open everything; the broker may be away.

        Raises:
            OutageError: Records or store cannot be opened.
        """
        metrics = Metrics(CollectorRegistry())
        database = Database(
            settings.records_url, busy_timeout=settings.records.busy_timeout, on_outage=metrics.on_outage("records")
        )
        schema.require_current(database)
        queue = settings.queue
        url = queue.url.get_secret_value()
        celery = build_app(
            url, prefix=queue.prefix, lower_lane_every=queue.lower_lane_every,
            visibility_timeout=queue.visibility_timeout,
        )  # fmt: skip
        broker_away = metrics.on_outage("broker")
        waker = Waker(url, prefix=queue.prefix, metrics=metrics)
        return cls(
            database,
            TaskRepository(database, now, waker),
            open_store(settings.objects_url, settings.objects, on_outage=metrics.on_outage("store")),
            Broker(url, prefix=queue.prefix, on_outage=broker_away),
            Submitter(celery, on_outage=broker_away),
            waker,
            metrics,
            open_tracer(settings.tracing, "gateway", metrics.count_spans),
        )

    def close(self) -> None:
        """Give everything back."""
        self.waker.close()
        self.broker.close()
        self.database.close()
        self.tracer.close()


def create(settings: Settings, parts: Parts) -> FastAPI:
    """The ASGI application.

    Args:
        settings: Of this process.
        parts: Opened by the caller, who closes them.
    """
    limits = Limits(**settings.images.model_dump())
    registered = Templates(parts.database, now)
    together = Batches(parts.database, now, parts.waker)
    keeping = Keeping(parts.database, now, parts.waker)
    retention = Retention(keeping, registered, together, parts.store, parts.metrics, now, _terms(settings))
    queue = settings.queue
    wakes = partial(heard, queue.url.get_secret_value(), prefix=queue.prefix)
    changes = Changes(parts.records, wakes, parts.metrics, settings.gateway.watchers)
    deliveries = Deliveries(parts.database, now)
    resolver = resolver_of(settings.webhooks)
    deliverer = deliverer_of(settings, deliveries, resolver, parts.metrics, now)
    app = FastAPI(
        title="facefleet", version=version("facefleet"), summary="Face fusion as a service.",
        lifespan=_lifespan(settings, parts, retention, changes, resolver, deliverer),
        middleware=_middleware(settings, limits, parts.metrics, parts.tracer),
        docs_url=None, redoc_url=None, redirect_slashes=False, telemetry=_UNUSED,
    )  # fmt: skip
    problems.install(app)
    openapi.describe(app)
    deadline = timedelta(seconds=settings.tasks.deadline)
    control = Control(parts.database, now, parts.waker)
    outlook = Outlook(control.tasks, now)
    gauges.watch(parts.metrics, parts.broker, control, deliveries, now)
    admission = Admission(
        CachedSwitches(Switches(parts.database, now).all), Backlog(control.tasks, settings.tasks.max_backlog, now)
    )
    intake = Intake(parts.records, parts.store, parts.submitter, now, deadline, admission)
    targets = Targets(registered)
    told = WebhookIntake(resolver if deliverer else None)
    app.include_router(fuse.router(intake, limits, told, changes, targets))
    patience = timedelta(seconds=settings.tasks.batch_deadline)
    batch_intake = BatchIntake(intake, together, targets, told, limits, patience)
    app.include_router(batches.router(batch_intake, together, parts.store, retention))
    app.include_router(faces.router(intake, limits, told, changes))
    app.include_router(templates.router(intake, limits, told, changes, registered, retention))
    app.include_router(tasks.router(parts.records, parts.store, changes, outlook))
    app.include_router(events.router(parts.records, changes, outlook))
    app.include_router(listing.router(Listing(parts.database), outlook))
    app.include_router(usage.router(Usage(parts.database), now))
    app.include_router(erasure.router(parts.records, retention))
    app.include_router(webhooks.router(parts.records, deliveries))
    app.include_router(operator.router(control))
    app.include_router(errors.router())
    app.include_router(page.router(page.Site.load()))
    needed = {"records": lambda: schema.require_current(parts.database), "store": parts.store.check}
    app.include_router(health.router(needed, {"queue": parts.broker.ping}, parts.metrics))
    app.state.leave = changes.leave
    return app


def _middleware(settings: Settings, limits: Limits, metrics: Metrics, tracer: Tracer) -> list[Middleware]:
    """Outermost first: a failure anywhere is a problem document, and every request is logged and counted."""
    body = sum(FUSION.photos.values()) * limits.max_bytes + FUSION.held_bytes + _FORM_OVERHEAD_BYTES
    gateway = settings.gateway
    batch = Allowance(gateway.batch_bytes, gateway.batch_timeout, held_bytes=2 * limits.max_bytes)
    return [
        Middleware(Traces, tracer=tracer),
        Middleware(AccessLog),
        Middleware(Outcomes, kinds=fuse.KINDS, metrics=metrics),
        Middleware(problems.Problems),
        Middleware(LocalAuthentication),
        Middleware(
            BodyLimit,
            usual=Allowance(body, settings.gateway.upload_timeout),
            total_bytes=settings.gateway.upload_bytes,
            others={"/v1/batches": batch},
        ),
    ]


def _terms(settings: Settings) -> Terms:
    kept = settings.retention
    inputs, results, rows, orphans = (
        timedelta(seconds=s) for s in (kept.inputs, kept.results, kept.rows, kept.orphans)
    )
    return Terms(inputs, results, rows, orphans)


def _lifespan(
    settings: Settings,
    parts: Parts,
    retention: Retention,
    changes: Changes,
    resolver: Resolver,
    deliverer: Deliverer | None,
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.gateway.threads
        grace = timedelta(seconds=settings.sweeper.grace)
        sweeper = Sweeper(parts.records, parts.broker, parts.submitter, parts.metrics, now, grace)
        stop = Event()
        threads = [
            Thread(target=sweeper.run, args=(stop.wait, settings.sweeper.interval), name="sweeper", daemon=True),
            Thread(target=retention.run, args=(stop.wait, settings.retention.interval), name="retention", daemon=True),
        ]
        if deliverer is not None:
            threads.append(Thread(target=deliverer.run, args=(stop,), name="webhooks", daemon=True))
        for thread in threads:
            thread.start()
        waiting = asyncio.create_task(changes.run())
        yield
        waiting.cancel()
        # All stop before their parts are closed by whoever opened them.
        stop.set()
        for thread in threads:
            await asyncio.to_thread(thread.join, _GRACEFUL_SECONDS)
        resolver.close()

    return lifespan


def run(settings: Settings) -> int:
    """Serve until told to stop.

    Raises:
        ConfigInvalid: The address is not ours, not loopback, or taken.
        OutageError: Records or store cannot be opened.
    """
    logs.configure(settings.logs.level, settings.logs.format)
    allow_connections()
    require_loopback(settings.gateway.host)
    listener = listen(settings.gateway.host, settings.gateway.port)
    parts = Parts.build(settings)
    try:
        app = create(settings, parts)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, proxy_headers=False,
            timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        )  # fmt: skip
        _log.info("gateway.listening", host=settings.gateway.host, port=listener.getsockname()[1])
        Server(config, app.state.leave).run(sockets=[listener])
    finally:
        parts.close()
        listener.close()
    return 0


def listen(host: str, port: int) -> socket.socket:
    """The gateway's socket; port 0 takes any free one.

    Raises:
        ConfigInvalid: The address is not ours, or taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends without delay only where the protocol is named; else a kept connection waits 40 ms for each answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigInvalid(
            f"Cannot listen on {host}:{port}: {error.strerror}; choose another port.", setting="gateway.port", port=port
        ) from error
    return listener
