"""Deletes uploads, results and rows when their retention time is over, and objects that no record names.

It runs in every gateway, beside the sweeper, and workers delete by it what was rejected; a deletion done twice does no
harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from facefleet import config
from facefleet.access.policy import Policies
from facefleet.access.session_records import SessionRecords
from facefleet.clock import Clock
from facefleet.errors.lookup import TemplateNotFound
from facefleet.observability.logs import logger
from facefleet.observability.metrics import Metrics
from facefleet.observability.rounds import round_of
from facefleet.storage.keys import ALL_TENANTS, Part, Place, place_of, run_prefix, task_prefixes, upload_key
from facefleet.storage.store import Store
from facefleet.tasks.audit import SERVICE, Action, Origin
from facefleet.tasks.batches import Batch, Batches
from facefleet.tasks.kinds import KINDS, Uploads
from facefleet.tasks.records.changes import OnCommit, ignore_commit
from facefleet.tasks.records.chunks import chunks
from facefleet.tasks.records.retention_records import RetentionRecords
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Task
from facefleet.tasks.templates import Template, Templates
from facefleet.tasks.uploads import Upload, UploadRecords
from facefleet.upkeep.terms import Terms, terms_of

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Retention:
    """Deletes records and objects.

    Attributes:
        terms: How long they are kept by now: operators change policies while it runs.
    """

    records: RetentionRecords
    templates: Templates
    batches: Batches
    uploads: UploadRecords
    sessions: SessionRecords
    store: Store
    metrics: Metrics
    clock: Clock
    terms: Callable[[], Terms]

    @classmethod
    def build(
        cls, kept: config.Retention, database: Database, store: Store, metrics: Metrics, clock: Clock,
        on_commit: OnCommit = ignore_commit, policies: Callable[[], Policies] = Policies,
    ) -> Retention:  # fmt: skip
        """Retention on records and store, by the terms of settings and policies; without these for what has no term."""
        records = RetentionRecords(database, clock, on_commit)
        batches = Batches(database, clock, on_commit)
        uploads = UploadRecords(database, clock)
        return cls(
            records, Templates(database, clock), batches, uploads, SessionRecords(database, clock), store, metrics,
            clock, terms=lambda: terms_of(kept, policies()),
        )  # fmt: skip

    def run(self, wait: Callable[[float], bool], interval: float) -> None:
        """Run rounds until ``wait(interval)`` returns true, and search for orphans at the interval of the terms."""
        searched = self.clock()
        while not wait(interval):
            with round_of(_log, interrupted="retention.interrupted", failed="retention.failed"):
                self.round()
                if self.clock() - searched >= self.terms().orphans:
                    searched = self.clock()
                    self.delete_orphans()

    def round(self) -> None:
        """Delete everything whose time is over, at most a chunk of each kind.

        Raises:
            OutageError: Records or store are away; what was deleted so far is marked.
        """
        terms = self.terms()
        self.templates.settle()
        for template in self.templates.discarded(terms.inputs):
            self.delete_template(template)
        for task in self.records.with_old_inputs(terms.inputs):
            self.delete_inputs(task, expired=task.erased_at is None)
        for batch in self.batches.with_old_inputs(terms.inputs):
            self._delete_shared(batch)
            self.batches.inputs_deleted(batch)
        for upload in self.uploads.expired():
            self.delete_upload(upload, Action.UPLOAD_EXPIRE)
        for task in self.records.with_old_results(terms.results):
            self.delete_results(task, expired=task.erased_at is None)
        self._count("row", self.records.delete_rows(terms.rows))
        self._count("row", self.batches.delete_rows(terms.rows) + self.templates.delete_rows(terms.rows))
        self._count("session", self.sessions.delete_expired())

    def erase(self, task: Task, origin: Origin) -> None:
        """Erase a task for its owner: the record first, so that a run under way has lost its fence.

        Raises:
            TaskHeld: It is under legal hold.
            StoreUnavailable: The record is erased, its objects go in the next round.
        """
        self.records.erase(task, origin)
        self.delete_inputs(task)
        self.delete_results(task)
        _log.info("task.erased", task_id=task.id, tenant=task.tenant)

    def delete_rejected(self, task: Task) -> None:
        """Delete the photos of a task that was rejected for what they show, unless it is under legal hold.

        What the items of a batch share goes once all of them are rejected, in a later round.

        Raises:
            StoreUnavailable: The photos go in the next round.
        """
        for known in self.records.known([task.id]).values():
            if known.hold:
                continue
            if KINDS[known.kind].uploads is Uploads.TEMPLATE:
                with suppress(TemplateNotFound):
                    self.delete_template(self.templates.of_task(known.tenant, known.id))
            self.delete_inputs(known, expired=True)

    def erase_batch(self, batch: Batch, origin: Origin) -> None:
        """Erase all items of a batch for their owner; errors are those of ``erase``."""
        self.batches.erase(batch, origin)
        self._delete_shared(batch)
        for task in self.batches.items(batch):
            _, results = task_prefixes(task.tenant, task.id)
            self._count("result", self._delete(self.store.list(results)))
        self.batches.all_deleted(batch)
        _log.info("batch.erased", batch_id=batch.id, tenant=batch.tenant)

    def delete_template(self, template: Template) -> None:
        """Delete the photo of a template that was deleted or has failed."""
        self._count("template", self._delete([template.object] if template.object else []))
        self.templates.object_deleted(template)

    def delete_upload(self, upload: Upload, action: Action, origin: Origin = SERVICE) -> None:
        """Delete an announced photo and its record; tasks that used it have copies of their own.

        What is on its way at that moment goes later, as an object without a record.
        """
        self._count("upload", self._delete([upload_key(upload.tenant, upload.id)]))
        self.uploads.delete(upload, action, origin)

    def delete_inputs(self, task: Task, *, expired: bool = False) -> None:
        """Delete a task's uploads; for an item of a batch, only those that it does not share.

        Args:
            task: Whose.
            expired: Whether their time was over, which the audit log then says; an erasure has said who asked for it.
        """
        inputs, _ = task_prefixes(task.tenant, task.id)
        self._count("input", self._delete(self.store.list(inputs)))
        if task.batch is not None:
            shared = self.batches.get(task.tenant, task.batch).inputs.values()
            self._count("input", self._delete(key for key in task.inputs.values() if key not in shared))
        self.records.inputs_deleted(task, expired=expired)

    def delete_results(self, task: Task, *, expired: bool = False) -> None:
        """Delete the results of all runs of a task; ``expired`` as above."""
        _, results = task_prefixes(task.tenant, task.id)
        self._count("result", self._delete(self.store.list(results)))
        self.records.results_deleted(task, expired=expired)

    def delete_orphans(self) -> int:
        """Delete all objects in the store that no record names; returns how many.

        A gateway that died between storing an upload and committing its record leaves such, and so does a worker that
        died between storing a result and committing it.
        """
        before = self.clock() - self.terms().orphans
        deleted = self.store.tidy(before)
        places = (place for key in self.store.list(ALL_TENANTS) if (place := place_of(key)) is not None)
        old = (place for place in places if _created_at(place.owner) < before)
        for chunk in chunks(old):
            deleted += self._delete(self._orphans(chunk))
        self._count("orphan", deleted)
        return deleted

    def _orphans(self, places: list[Place]) -> list[str]:
        owners = {place.owner for place in places}
        kept = {
            Part.TEMPLATES: self.templates.kept(owners), Part.INPUTS: self.batches.kept(owners),
            Part.UPLOADS: self.uploads.kept(owners),
        }  # fmt: skip
        known = self.records.known(owners)
        orphans = []
        for place in places:
            named = kept.get(place.part, {}).get(place.owner) == place.tenant
            if not named and _is_orphan(place, known.get(place.owner)):
                orphans.append(place.key)
        return orphans

    def _delete_shared(self, batch: Batch) -> None:
        inputs, _ = task_prefixes(batch.tenant, batch.id)
        self._count("input", self._delete(self.store.list(inputs)))

    def _delete(self, keys: Iterable[str]) -> int:
        count = 0
        for key in list(keys):
            self.store.delete(key)
            count += 1
        return count

    def _count(self, what: str, count: int) -> None:
        if count:
            self.metrics.deleted.labels(what).inc(count)
            _log.info("retention.deleted", what=what, count=count)


def _is_orphan(place: Place, task: Task | None) -> bool:
    if task is None or task.tenant != place.tenant:
        return True
    if not task.state.terminal or task.hold:
        return False
    if place.part is Part.RESULTS:
        return task.result is None or run_prefix(place.key) != run_prefix(task.result)
    return not task.inputs_kept


def _created_at(task_id: str) -> datetime:
    """The time in a UUIDv7: its first 48 bits are milliseconds (RFC 9562)."""
    return datetime.fromtimestamp((UUID(task_id).int >> 80) / 1000, UTC)
