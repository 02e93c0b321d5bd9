"""Opens what the gateway is made of: records, object store, broker, metrics and tracer; the program closes them."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from facefleet.access.building import Access
from facefleet.access.policy_lookup import PolicyLookup
from facefleet.access.policy_records import PolicyRecords
from facefleet.clock import now
from facefleet.config import Settings, environment
from facefleet.observability.metrics import SHARED_FOLDER, Metrics
from facefleet.observability.tracing import Tracer, open_tracer
from facefleet.queue.app import build_app
from facefleet.queue.broker import Broker
from facefleet.queue.submit import Submitter
from facefleet.queue.wakes import Waker
from facefleet.storage.opening import open_store, open_upload_signer
from facefleet.storage.presign import UploadSigner
from facefleet.storage.store import Store
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.tables import schema
from facefleet.tasks.tables.database import Database


@dataclass(frozen=True, slots=True)
class Parts:
    """The connections of one gateway process to the outside; tests replace them one by one."""

    database: Database
    records: TaskRepository
    store: Store
    upload_signer: UploadSigner | None
    broker: Broker
    submitter: Submitter
    waker: Waker
    metrics: Metrics
    tracer: Tracer
    access: Access
    policies: PolicyLookup

    @classmethod
    def build(cls, settings: Settings) -> Parts:
        """Open everything; the broker may be away.

        Raises:
            ConfigInvalid: Something that authenticates cannot be used.
            OutageError: Records or store cannot be opened.
        """
        metrics = Metrics(CollectorRegistry(), shared=environment().get(SHARED_FOLDER))
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
            database=database,
            records=TaskRepository(database, now, waker.on_commit),
            store=open_store(settings.objects_url, settings.objects, on_outage=metrics.on_outage("store")),
            upload_signer=open_upload_signer(settings.objects_url, settings.objects),
            broker=Broker(url, prefix=queue.prefix, on_outage=broker_away),
            submitter=Submitter(celery, on_outage=broker_away),
            waker=waker,
            metrics=metrics,
            access=Access.build(settings, database, now),
            policies=PolicyLookup(settings.policies.file, PolicyRecords(database, now).all),
            tracer=open_tracer(settings.tracing, "gateway", metrics.count_spans),
        )

    def close(self) -> None:
        """Close all connections."""
        self.waker.close()
        self.broker.close()
        self.database.close()
        self.tracer.close()
