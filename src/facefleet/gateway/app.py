"""Builds the gateway: every part once, the layers round every request, the routes; then serves until it is stopped."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware import Middleware

from facefleet.access.first_key import make_first_key
from facefleet.access.policy_records import PolicyRecords
from facefleet.clock import now
from facefleet.config import Settings
from facefleet.gateway import gauges, openapi, problems
from facefleet.gateway.background import Background
from facefleet.gateway.endpoints import Body
from facefleet.gateway.follow.changes import Changes
from facefleet.gateway.follow.queue_position import QueuePosition
from facefleet.gateway.intake.admission import Admission
from facefleet.gateway.intake.batches import BatchIntake
from facefleet.gateway.intake.json_body import JsonReader
from facefleet.gateway.intake.multipart import FUSION
from facefleet.gateway.intake.reception import Reception
from facefleet.gateway.intake.remote_photos import Fetcher
from facefleet.gateway.intake.tasks import Intake
from facefleet.gateway.intake.templates import TemplateLookup
from facefleet.gateway.intake.uploads import UploadIntake
from facefleet.gateway.intake.webhooks import WebhookIntake
from facefleet.gateway.limits.desk import RateDesk
from facefleet.gateway.middleware.access_log import AccessLog
from facefleet.gateway.middleware.answer_headers import AnswerHeaders
from facefleet.gateway.middleware.authentication import (
    Authentication,
    Authorization,
    LocalAuthentication,
    require_loopback,
)
from facefleet.gateway.middleware.body_limit import Allowance, BodyLimit
from facefleet.gateway.middleware.cross_origin import CrossOrigin
from facefleet.gateway.middleware.rate_limit import RateLimit, SignInLimit
from facefleet.gateway.middleware.refusals import RecordRefusals
from facefleet.gateway.middleware.request_metrics import RequestMetrics
from facefleet.gateway.middleware.source_address import SourceAddress
from facefleet.gateway.middleware.tracing import RequestTracing
from facefleet.gateway.parts import Parts
from facefleet.gateway.routes.audit import router as audit_routes
from facefleet.gateway.routes.batches import router as batch_routes
from facefleet.gateway.routes.erasure import router as erasure_routes
from facefleet.gateway.routes.errors import router as error_page_routes
from facefleet.gateway.routes.events import router as event_routes
from facefleet.gateway.routes.faces import router as faces_routes
from facefleet.gateway.routes.fuse import router as fuse_routes
from facefleet.gateway.routes.health import router as health_routes
from facefleet.gateway.routes.keys import router as key_routes
from facefleet.gateway.routes.listing import router as listing_routes
from facefleet.gateway.routes.operator import router as operator_routes
from facefleet.gateway.routes.page import Site
from facefleet.gateway.routes.page import router as page_routes
from facefleet.gateway.routes.policies import router as policy_routes
from facefleet.gateway.routes.session import router as session_routes
from facefleet.gateway.routes.tasks import router as task_routes
from facefleet.gateway.routes.templates import router as template_routes
from facefleet.gateway.routes.uploads import router as upload_routes
from facefleet.gateway.routes.usage import router as usage_routes
from facefleet.gateway.routes.webhooks import router as webhook_routes
from facefleet.gateway.server import Listeners, Server, allow_connections, metrics_served
from facefleet.gateway.tls import OwnCertificate
from facefleet.gateway.webhook_delivery import deliverer_of
from facefleet.media.limits import image_limits
from facefleet.media.sniff import Limits
from facefleet.observability import logs
from facefleet.outbound.resolve import Resolver
from facefleet.queue.wakes import subscribe
from facefleet.safety.consent import ConsentRule
from facefleet.storage.opening import link_origin
from facefleet.tasks.backlog import Backlog
from facefleet.tasks.batches import Batches
from facefleet.tasks.deliveries import Deliveries
from facefleet.tasks.records.audit_log import AuditLog
from facefleet.tasks.records.listing import Listing
from facefleet.tasks.records.losses import Losses
from facefleet.tasks.records.usage import Usage
from facefleet.tasks.seals import Seals
from facefleet.tasks.switches import CachedSwitches, Switches
from facefleet.tasks.tables import schema
from facefleet.tasks.templates import Templates
from facefleet.tasks.tenant_load import TenantLoad
from facefleet.upkeep.operations import Control
from facefleet.upkeep.retention import Retention
from facefleet.upkeep.sealer import Sealer
from facefleet.upkeep.sweeper import Sweeper

_SMALL_BYTES = 16_384  # of a body that is a few values
_FORM_OVERHEAD_BYTES = 8_192  # boundaries and part headers
# The framework's own: it reads the environment, and its spans would say the same as ours.
_UNUSED: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}

_log = logs.logger(__name__)


def run(settings: Settings, listeners: Listeners | None = None) -> int:
    """Serve until told to stop.

    Args:
        settings: Of this process.
        listeners: Opened by the process that started this one; None: by this one.

    Raises:
        ConfigInvalid: The address is not ours or taken, or not loopback and no credentials are asked for; the first
            API key cannot be kept; or the certificate cannot be used.
        OutageError: Records or store cannot be opened.
    """
    logs.configure(settings.logs.level, settings.logs.format)
    allow_connections()
    if not settings.auth.required:
        require_loopback(settings.gateway.host)
    certificate = OwnCertificate.of(settings.gateway)
    listeners = listeners or Listeners.open(settings.gateway)
    parts = Parts.build(settings)
    try:
        if parts.access.keys is not None:
            make_first_key(settings, parts.access.keys, now)
        app = create(settings, parts)
        with metrics_served(parts.metrics.scraped, listeners.metrics):
            _log.info("gateway.listening", host=settings.gateway.host, port=listeners.http.getsockname()[1])
            Server(app, app.state.leave, settings.gateway, certificate).run(sockets=[listeners.http])
    finally:
        parts.close()
        listeners.close()
    return 0


def create(settings: Settings, parts: Parts) -> FastAPI:
    """The ASGI application.

    Args:
        settings: Of this process.
        parts: Opened by the caller, who closes them.
    """
    limits = image_limits(settings.images)

    # What the records hold beside the tasks.
    templates = Templates(parts.database, now)
    batches = Batches(parts.database, now, parts.waker.on_commit)
    deliveries = Deliveries(parts.database, now)
    audit_log = AuditLog(parts.database, now)
    control = Control(parts.database, now, parts.waker.on_commit)

    # What works beside the requests.
    retention = Retention.build(
        settings.retention, parts.database, parts.store, parts.metrics, now, parts.waker.on_commit,
        parts.policies.refresh,
    )  # fmt: skip
    seals = Seals(parts.database, now)
    sealer = Sealer(seals, parts.metrics, now, timedelta(seconds=settings.audit.kept))
    resolver, photo_resolver = Resolver.of(settings.webhooks), Resolver.of(settings.remote_photos)
    deliverer = deliverer_of(settings, parts.policies, deliveries, resolver, parts.metrics, now)
    grace = timedelta(seconds=settings.sweeper.grace)
    losses = Losses(parts.database, now, parts.waker.on_commit)
    sweeper = Sweeper(parts.records, losses, parts.broker, parts.submitter, parts.metrics, now, grace)
    changes = _changes(settings, parts)
    keys = parts.access.keys
    uses = keys.uses if keys else None
    desk = RateDesk.build(settings, parts.policies, parts.metrics)
    background = Background(
        settings, sweeper, retention, sealer, deliverer, (resolver, photo_resolver), changes, uses, desk
    )
    gauges.watch(parts.metrics, parts.broker, control, deliveries, seals, now)

    # How work comes in.
    admission = Admission(
        CachedSwitches(Switches(parts.database, now).all),
        Backlog(control.lane_counts, settings.tasks.max_backlog, now),
        parts.policies,
        TenantLoad(parts.database, now),
    )
    deadline = timedelta(seconds=settings.tasks.deadline)
    intake = Intake(
        parts.records, parts.store, parts.submitter, now, deadline, admission, ConsentRule(settings.safety.consent)
    )
    lookup = TemplateLookup(templates)
    webhook_intake = WebhookIntake(resolver if deliverer else None)
    json_reader = JsonReader(limits, settings.gateway.json_bytes)
    fetcher = Fetcher.build(settings.remote_photos, photo_resolver, limits, parts.metrics, audit_log)
    upload_intake = UploadIntake.build(parts, limits, timedelta(seconds=settings.retention.uploads))
    reception = Reception(intake, limits, lookup, webhook_intake, changes, json_reader, fetcher, upload_intake)
    batch_deadline = timedelta(seconds=settings.tasks.batch_deadline)
    batch_intake = BatchIntake(intake, batches, lookup, webhook_intake, limits, batch_deadline)

    app = FastAPI(
        title="facefleet", version=version("facefleet"), summary="Face fusion as a service.",
        lifespan=background.lifespan(), middleware=_middleware(settings, limits, parts, audit_log, desk),
        docs_url=None, redoc_url=None, redirect_slashes=False, telemetry=_UNUSED,
    )  # fmt: skip
    problems.install(app)
    openapi.describe(app, credentials=settings.auth.required)
    queue_position = QueuePosition(control.lane_counts, now)
    _serve(app, fuse_routes(reception))
    _serve(app, batch_routes(batch_intake, batches, parts.store, audit_log, retention))
    _serve(app, faces_routes(reception))
    _serve(app, template_routes(reception, templates, parts.records, parts.store, audit_log, retention))
    _serve(app, upload_routes(upload_intake, retention))
    _serve(app, task_routes(parts.records, parts.store, audit_log, changes, queue_position))
    _serve(app, event_routes(parts.records, changes, queue_position))
    _serve(app, listing_routes(Listing(parts.database), queue_position))
    _serve(app, usage_routes(Usage(parts.database), now))
    _serve(app, policy_routes(parts.policies, PolicyRecords(parts.database, now)))
    _serve(app, audit_routes(audit_log))
    _serve(app, erasure_routes(parts.records, retention))
    _serve(app, webhook_routes(parts.records, deliveries))
    _serve(app, key_routes(keys, now))
    _serve(app, session_routes(parts.access))
    _serve(app, operator_routes(control))
    _serve(app, error_page_routes())
    _serve(app, page_routes(Site.load(link_origin(settings.objects_url, settings.objects))))
    needed = {"records": lambda: schema.require_current(parts.database), "store": parts.store.check}
    _serve(app, health_routes(needed, {"queue": parts.broker.ping}, parts.metrics))
    app.state.leave = changes.leave
    return app


def _serve(app: FastAPI, router: APIRouter) -> None:
    """Add routes; `include_router` would build each a second time, while the first request waits for that."""
    app.router.routes.extend(router.routes)


def _middleware(
    settings: Settings, limits: Limits, parts: Parts, audit_log: AuditLog, desk: RateDesk
) -> list[Middleware]:
    """The layers round every request, the outermost of ours first; the framework's own are outside and inside of them.

    Tracing is outside of the log, so that its lines have the trace id; log and metrics are outside of the documents
    that problems become, so that they see every answer; who asks, and whether too often, is known before the first byte
    of a body is read.
    """
    authenticator, origins = parts.access.authenticator, settings.gateway.cors_origins
    authentication = (
        Middleware(Authentication, authenticator=authenticator, metrics=parts.metrics)
        if authenticator
        else Middleware(LocalAuthentication, origins=origins)
    )
    cross_origin = [Middleware(CrossOrigin, origins=origins)] if origins else []
    return [
        Middleware(RequestTracing, tracer=parts.tracer),
        Middleware(AccessLog),
        Middleware(RequestMetrics, metrics=parts.metrics),
        Middleware(AnswerHeaders, hsts_seconds=settings.gateway.hsts_seconds),
        *cross_origin,
        Middleware(problems.Problems),
        Middleware(
            SourceAddress, proxies=settings.gateway.trusted_proxies, header=settings.gateway.forwarded_header,
        ),
        Middleware(SignInLimit, desk=desk),
        Middleware(RecordRefusals, audit_log=audit_log),
        authentication,
        Middleware(RateLimit, desk=desk),
        Middleware(Authorization),
        Middleware(
            BodyLimit, allowances=_allowances(settings, limits), total_bytes=settings.gateway.upload_bytes,
        ),
    ]  # fmt: skip


def _allowances(settings: Settings, limits: Limits) -> dict[Body, Allowance]:
    gateway = settings.gateway
    fusion_bytes = sum(FUSION.photos.values()) * limits.max_bytes + FUSION.text_bytes + _FORM_OVERHEAD_BYTES
    return {
        Body.USUAL: Allowance(fusion_bytes, gateway.upload_timeout),
        Body.PHOTO: Allowance(limits.max_bytes, gateway.upload_timeout),
        Body.SMALL: Allowance(_SMALL_BYTES, gateway.upload_timeout),
        Body.BATCH: Allowance(gateway.batch_bytes, gateway.batch_timeout, held_bytes=2 * limits.max_bytes),
    }


def _changes(settings: Settings, parts: Parts) -> Changes:
    queue = settings.queue
    wakes = partial(subscribe, queue.url.get_secret_value(), prefix=queue.prefix)
    return Changes(parts.records, wakes, parts.metrics, settings.gateway.watchers)
