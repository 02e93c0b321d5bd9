"""The worker program: builds everything once, warms the models, then consumes.

Ready means: models loaded and warmed, broker connected, consuming.
"""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import cv2
from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import setup_logging, worker_ready
from prometheus_client import CollectorRegistry

from facefleet.config import Settings
from facefleet.observability import logs
from facefleet.observability.metrics import Metrics
from facefleet.queue.app import HANDLE, build_app
from facefleet.queue.retries import RetryPolicy
from facefleet.storage.store import open_store
from facefleet.tasks import schema
from facefleet.tasks.database import Database
from facefleet.tasks.repository import TaskRepository
from facefleet.worker.handlers import Handler
from facefleet.worker.leases import Leases
from facefleet.worker.probe import Probe
from facefleet.worker.runtime import build_engine

_log = logs.logger(__name__)


def now() -> datetime:
    """UTC."""
    return datetime.now(UTC)


def run(settings: Settings) -> int:
    """Consume until told to stop.

    Returns:
        Celery's exit status.

    Raises:
        FacefleetError: Something needed at start is missing or away.
    """
    logs.configure(settings.logs.level, settings.logs.format)
    cv2.setNumThreads(settings.engine.runtime_threads)  # tasks are our parallelism
    ready, metrics = Event(), Metrics(CollectorRegistry())
    with ExitStack() as stack:
        # The probe answers "not ready" from the first moment; leases stop last, so that a finishing task keeps its own.
        if settings.worker.metrics_port:
            probe = Probe(settings.worker.metrics_host, settings.worker.metrics_port, metrics.registry, ready)
            probe.start()
            stack.callback(probe.stop)
        database = Database(settings.records_url, busy_timeout=settings.records.busy_timeout)
        stack.callback(database.close)
        schema.require_current(database)
        records = TaskRepository(database, now)
        leases = Leases(records, timedelta(seconds=settings.worker.lease))
        handler = _build_handler(settings, records, leases, metrics)
        leases.start()
        stack.callback(leases.stop)
        return _consume(settings, handler, ready)


def _build_handler(settings: Settings, records: TaskRepository, leases: Leases, metrics: Metrics) -> Handler:
    engine = build_engine(settings, interpreters=settings.worker.threads)
    engine.warm()
    return Handler(
        records=records,
        store=open_store(settings.objects_url),
        engine=engine,
        leases=leases,
        retries=RetryPolicy(settings.tasks.max_failures, timedelta(seconds=settings.tasks.retry_after)),
        metrics=metrics,
        clock=now,
        models=engine.versions,
        producer=settings.marks.producer,
    )


def _consume(settings: Settings, handler: Handler, ready: Event) -> int:
    app = build_app(
        settings.queue.url.get_secret_value(),
        prefix=settings.queue.prefix,
        lower_lane_every=settings.queue.lower_lane_every,
        visibility_timeout=settings.queue.visibility_timeout,
    )
    _register(app, handler)

    def on_ready(**_: Any) -> None:
        ready.set()
        _log.info("worker.ready", threads=settings.worker.threads, models=dict(handler.models))

    worker_ready.connect(on_ready, weak=False)
    setup_logging.connect(_keep_logging, weak=False)
    warnings.filterwarnings("ignore", category=SecurityWarning)  # about running pickle as root; we accept JSON only
    worker = app.Worker(
        pool="threads", concurrency=settings.worker.threads, quiet=True,
        without_mingle=True, without_gossip=True, without_heartbeat=True,
    )  # fmt: skip
    worker.start()
    return int(worker.exitcode or 0)


def _keep_logging(**_: Any) -> None:
    """A receiver of this signal keeps Celery from setting up logging over ours."""


def _register(app: Celery, handler: Handler) -> None:
    @app.task(name=HANDLE, ignore_result=True)  # type: ignore[untyped-decorator]
    def _handle(task_id: str) -> None:
        handler(task_id)
