"""The worker program: builds everything once, warms the models, then consumes.

Ready means: models loaded and warmed, broker connected, consuming.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

from celery import Celery
from celery.exceptions import Reject
from celery.platforms import SecurityWarning
from celery.signals import setup_logging, worker_ready
from celery.worker import state as celery_state
from prometheus_client import CollectorRegistry

from facefleet.access.policy_lookup import PolicyLookup
from facefleet.access.policy_records import PolicyRecords
from facefleet.clock import now
from facefleet.config import Settings
from facefleet.observability import logs
from facefleet.observability.metrics import Metrics
from facefleet.observability.tracing import Tracer, open_tracer
from facefleet.queue.app import HANDLE, build_app
from facefleet.queue.broker import Broker
from facefleet.queue.resend import Resend
from facefleet.queue.retries import RetryPolicy
from facefleet.queue.submit import Submitter
from facefleet.queue.wakes import Waker
from facefleet.storage.opening import open_store
from facefleet.tasks.records.claims import Claims
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.routes import STABLE
from facefleet.tasks.switches import CachedSwitches, Switches
from facefleet.tasks.tables import schema
from facefleet.tasks.tables.database import Database
from facefleet.upkeep.retention import Retention
from facefleet.worker.engines import FixedEngine
from facefleet.worker.exclusive import ExclusiveLock
from facefleet.worker.handlers.table import build_handlers
from facefleet.worker.leases import HandedBack, Leases
from facefleet.worker.lifecycle import Lifecycle
from facefleet.worker.probe import Probe
from facefleet.worker.runner import Runner
from facefleet.worker.runtime import build_engine

_log = logs.logger(__name__)


def run(settings: Settings) -> int:
    """Consume tasks until a signal says to stop.

    Returns:
        Celery's exit status.

    Raises:
        FacefleetError: Something needed at start is missing or does not answer.
    """
    logs.configure(settings.logs.level, settings.logs.format)
    metrics = Metrics(CollectorRegistry())
    with ExitStack() as stack:
        tracer = open_tracer(settings.tracing, "worker", metrics.count_spans)
        stack.callback(tracer.close)  # last, when no run adds to it
        database = Database(
            settings.records_url, busy_timeout=settings.records.busy_timeout, on_outage=metrics.on_outage("records")
        )
        stack.callback(database.close)
        schema.require_current(database)
        url, prefix, on_outage = (
            settings.queue.url.get_secret_value(),
            settings.queue.prefix,
            metrics.on_outage("broker"),
        )
        broker = Broker(url, prefix=prefix, on_outage=on_outage)
        stack.callback(broker.close)
        waker = Waker(url, prefix=prefix, metrics=metrics)
        stack.callback(waker.close)
        claims = Claims(database, now, waker.on_commit)
        switches = CachedSwitches(Switches(database, now).all)
        app = _build_app(settings, lambda: lifecycle.may_poll(), switches.paused)  # asked only once it consumes
        resend = Resend(TaskRepository(database, now), broker, Submitter(app, on_outage=on_outage))
        leases = Leases(claims, timedelta(seconds=settings.worker.lease), now, resend, metrics)
        lock = ExclusiveLock(leaving=lambda: lifecycle.leaving.is_set())
        lifecycle = Lifecycle(
            leases, slots=settings.worker.threads, grace=settings.worker.grace, stop=_stop_celery,
            waiting=lambda: lock.waiting,
        )  # fmt: skip
        stack.callback(lifecycle.end)
        # The probe answers "not ready" while models load; leases stop last, so that a finishing task keeps its own.
        if settings.worker.metrics_port:
            host, port = settings.worker.metrics_host, settings.worker.metrics_port
            probe = Probe(host, port, metrics.registry, alive=lifecycle.consuming, ready=lifecycle.ready.is_set)
            probe.start()
            stack.callback(probe.stop)
        leases.start()
        stack.callback(leases.stop)
        runner = _build_runner(settings, database, claims, leases, lock, metrics, tracer)
        return _consume(settings, app, runner, lifecycle)


def _build_app(settings: Settings, may_poll: Callable[[], bool], paused: Callable[[], Collection[str]]) -> Celery:
    return build_app(
        settings.queue.url.get_secret_value(),
        prefix=settings.queue.prefix,
        lower_lane_every=settings.queue.lower_lane_every,
        visibility_timeout=settings.queue.visibility_timeout,
        watch=may_poll,
        paused=paused,
    )


def _build_runner(
    settings: Settings, database: Database, claims: Claims, leases: Leases, lock: ExclusiveLock, metrics: Metrics,
    tracer: Tracer,
) -> Runner:  # fmt: skip
    engine = build_engine(settings, interpreters=settings.worker.threads)
    engine.warm()
    store = open_store(settings.objects_url, settings.objects, on_outage=metrics.on_outage("store"))
    policies = PolicyLookup(settings.policies.file, PolicyRecords(database, now).all)
    return Runner(
        claims=claims,
        store=store,
        handlers=build_handlers(store, metrics, now),
        engines=FixedEngine(engine),
        leases=leases,
        lock=lock,
        retries=RetryPolicy(settings.tasks.max_failures, timedelta(seconds=settings.tasks.retry_after)),
        retention=Retention.build(settings.retention, database, store, metrics, now),
        metrics=metrics,
        clock=now,
        producer=settings.marks.producer,
        policies=policies.refresh,
        tracer=tracer,
    )


def _consume(settings: Settings, app: Celery, runner: Runner, lifecycle: Lifecycle) -> int:
    _register(app, runner, lifecycle)

    def on_ready(**_: Any) -> None:
        if not lifecycle.ready.is_set():  # Celery says ready again after each reconnect
            lifecycle.begin()
            runner.metrics.slots.labels(STABLE).set(settings.worker.threads)
            _log.info("worker.ready", threads=settings.worker.threads, models=dict(runner.engines.lease().models))

    worker_ready.connect(on_ready, weak=False)
    setup_logging.connect(_keep_logging, weak=False)
    warnings.filterwarnings("ignore", category=SecurityWarning)  # about running pickle as root; we accept JSON only
    worker = app.Worker(
        pool="threads", concurrency=settings.worker.threads, quiet=True,
        without_mingle=True, without_gossip=True, without_heartbeat=True,
    )  # fmt: skip
    worker.start()
    return int(worker.exitcode or 0)


def _stop_celery() -> None:
    """End the consumer's loop at its next turn; the pool is idle by then."""
    celery_state.should_stop = os.EX_OK


def _keep_logging(**_: Any) -> None:
    """Receive the signal, which keeps Celery from setting up logging over ours."""


def _register(app: Celery, runner: Runner, lifecycle: Lifecycle) -> None:
    @app.task(name=HANDLE, ignore_result=True, bind=True)  # type: ignore[untyped-decorator]
    def _handle(message: Any, task_id: str) -> None:
        if lifecycle.leaving.is_set():  # the message came with the signal; it goes back to the front of its list
            raise Reject("the worker is leaving", requeue=True)
        try:
            runner(task_id, message.request.get("traceparent"))
        except HandedBack:
            raise Reject("the worker is leaving", requeue=True) from None
