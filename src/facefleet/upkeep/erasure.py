"""Erases everything that is kept about a tenant or a subject, each thing in the way in which its owner would erase it.

Legal holds are honoured. Receipts stay until retention deletes the records, entries of the audit log for their time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from facefleet.access.key_records import KeyRecords
from facefleet.access.session_records import SessionRecords
from facefleet.errors.conflict import TaskEnded, TaskHeld
from facefleet.errors.lookup import BatchNotFound, TaskNotFound, TemplateNotFound
from facefleet.tasks.audit import Action, Origin
from facefleet.tasks.holdings import Holder, Holding, Holdings
from facefleet.tasks.records.audit_log import AuditLog
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.uploads import upload_of
from facefleet.upkeep.retention import Retention


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did.

    Attributes:
        tasks: Erased, those of batches included.
        keys: API keys that were revoked.
        sessions: Of browsers, that were ended.
        held: Ids of tasks that were not, since they are under legal hold.
    """

    tasks: int
    batches: int
    templates: int
    uploads: int
    keys: int
    sessions: int
    held: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Erasure:
    """Erases through records and retention."""

    holdings: Holdings
    records: TaskRepository
    retention: Retention
    keys: KeyRecords
    sessions: SessionRecords
    audit_log: AuditLog

    def run(self, holder: Holder, origin: Origin) -> Erased:
        """Erase everything of somebody; to do it again erases what came since.

        Raises:
            OutageError: Records or store went away: what was erased stays erased; run it again.
        """
        named = holder.subject if holder.subject is not None else holder.tenant
        self.audit_log.record(origin, Action.TENANT_ERASE, named, tenant=holder.tenant)
        keys = sum(self._keys(holder, origin))  # first, so that nothing new comes with them
        sessions = sum(self._sessions(holder, origin))
        templates = sum(self._templates(holder, origin))
        uploads = sum(self._uploads(holder, origin))
        tasks_of_batches = list(self._batches(holder, origin))
        held: list[str] = []
        tasks = sum(self._tasks(holder, origin, held))
        return Erased(
            tasks + sum(tasks_of_batches), len(tasks_of_batches), templates, uploads, keys, sessions, tuple(held)
        )

    def _keys(self, holder: Holder, origin: Origin) -> Iterator[int]:
        for row in self.holdings.rows(holder, Holding.KEYS, erasable=True):
            self.keys.revoke(row["tenant"], row["id"], origin)
            yield 1

    def _sessions(self, holder: Holder, origin: Origin) -> Iterator[int]:
        for row in self.holdings.rows(holder, Holding.SESSIONS, erasable=True):
            self.sessions.end(row["id"], origin)
            yield 1

    def _templates(self, holder: Holder, origin: Origin) -> Iterator[int]:
        for row in self.holdings.rows(holder, Holding.TEMPLATES, erasable=True):
            with suppress(TemplateNotFound):  # retention was faster
                template = self.retention.templates.delete(row["tenant"], row["id"], origin)
                with suppress(TaskEnded, TaskNotFound):
                    self.records.cancel(template.tenant, template.task, origin)
                self.retention.delete_template(template)
                yield 1

    def _uploads(self, holder: Holder, origin: Origin) -> Iterator[int]:
        """Erase announced photos; tasks that used one, held ones among them, have copies of their own."""
        for row in self.holdings.rows(holder, Holding.UPLOADS, erasable=True):
            self.retention.delete_upload(upload_of(row), Action.UPLOAD_ERASE, origin)
            yield 1

    def _batches(self, holder: Holder, origin: Origin) -> Iterator[int]:
        """Erase batches, and return of each how many items it had; one with an item under hold is left to its tasks."""
        for row in self.holdings.rows(holder, Holding.BATCHES, erasable=True):
            with suppress(TaskHeld, BatchNotFound):
                self.retention.erase_batch(self.retention.batches.get(row["tenant"], row["id"]), origin)
                yield row["total"]

    def _tasks(self, holder: Holder, origin: Origin, held: list[str]) -> Iterator[int]:
        for row in self.holdings.rows(holder, Holding.TASKS, erasable=True):
            try:
                self.retention.erase(self.records.get(row["tenant"], row["id"]), origin)
                yield 1
            except TaskHeld:
                held.append(row["id"])
            except TaskNotFound:  # retention was faster
                continue
