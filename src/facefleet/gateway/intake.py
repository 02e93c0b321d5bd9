"""Accepting a fusion: consent → objects stored → record committed → message sent. Only then is there a 202."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from facefleet.errors import IdempotencyConflict, OutageError, QueueUnavailable, RecordsUncertain, RequestError
from facefleet.gateway.admission import Admission
from facefleet.gateway.principal import Principal
from facefleet.gateway.uploads import Form
from facefleet.observability.logs import bound, logger
from facefleet.observability.tracing import Side, context_of, span
from facefleet.queue.lanes import STABLE, Lane
from facefleet.queue.submit import Submitter
from facefleet.safety.consent import attest
from facefleet.storage.keys import input_key
from facefleet.storage.store import Store
from facefleet.tasks.repository import Clock, TaskRepository
from facefleet.tasks.task import Kind, Task, new_id

_KEY = re.compile(r"[!-~]{1,255}")

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class FuseRequest:
    """What a caller sent."""

    form: Form
    options: Mapping[str, object]
    idempotency_key: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """The door through which every task comes in. Synchronous: routes call it from a thread."""

    records: TaskRepository
    store: Store
    submitter: Submitter
    clock: Clock
    deadline: timedelta
    admission: Admission

    def accept(self, principal: Principal, request: FuseRequest) -> Task:
        """Make the task of a request, or find the one that an earlier request with the same idempotency key made.

        Raises:
            ConsentRequired: The caller did not attest it.
            IdempotencyConflict: The key belongs to a request with other photos or options.
            OutageError: Store or records are away; nothing is kept.
            RecordsUncertain: The database went away while it committed; the same key tells.
        """
        task = self._task(principal, request)
        with bound(task_id=task.id, tenant=task.tenant), span("accept") as accepting:
            accepting.set(
                task_id=task.id, tenant=task.tenant, kind=task.kind.value, lane=task.route.lane, bytes=task.bytes_in
            )
            earlier = self.records.of_key(task.tenant, task.idempotency_key) if task.idempotency_key else None
            kept = earlier or self._keep(task, request.form)
            if kept.id != task.id:
                return _same(kept, task)
            _log.info("task.accepted", kind=task.kind.value, lane=task.route.lane, digest=task.request_digest)
            self._send(task)
        return task

    def _keep(self, task: Task, form: Form) -> Task:
        """Store the uploads and commit the record; of two concurrent twins one wins, and the loser's uploads go."""
        self.admission.check(task.route)
        try:
            for role, key in task.inputs.items():
                with span("store.put") as putting:
                    putting.set(role=role, bytes=len(form.photos[role].data))
                    self.store.put(key, form.photos[role].data)
            with span("records.add"):
                kept = self.records.add(task)
        except RecordsUncertain:  # a record may name these uploads; if none does, they go as orphans
            raise
        except Exception:
            self._forget(task)
            raise
        if kept.id != task.id:
            self._forget(task)
        return kept

    def _task(self, principal: Principal, request: FuseRequest) -> Task:
        now, task_id, form = self.clock(), new_id(), request.form
        task = Task.new(
            id=task_id, tenant=principal.tenant, subject=principal.subject, kind=Kind.FUSE,
            lane=Lane.STANDARD, track=STABLE, options=request.options,
            inputs={role: input_key(principal.tenant, task_id, role) for role in form.photos},
            consent=attest(form.texts.get("consent"), subject=principal.subject, now=now),
            now=now, deadline=self.deadline, idempotency_key=request.idempotency_key,
            request_digest=_digest(form, request.options), traceparent=context_of(request.traceparent),
            bytes_in=sum(len(photo.data) for photo in form.photos.values()),
        )  # fmt: skip
        return task.sent(now, self.submitter.epoch)

    def _send(self, task: Task) -> None:
        """A 202 does not depend on the broker: what it does not take now, the sweeper sends later."""
        try:
            with span("queue.send", Side.PRODUCER):
                self.submitter.send(task)
        except QueueUnavailable as away:
            _log.warning("task.not_sent", cause=away.detail.get("cause"))
            try:
                self.records.mark_unsent([task.id])
            except OutageError as error:
                _log.warning("task.not_marked_unsent", code=error.code)

    def _forget(self, task: Task) -> None:
        for key in task.inputs.values():
            try:
                self.store.delete(key)
            except OutageError as error:  # the sweeper removes orphans
                _log.warning("upload.not_deleted", code=error.code)


def _same(earlier: Task, task: Task) -> Task:
    if earlier.request_digest != task.request_digest:
        raise IdempotencyConflict(
            "This Idempotency-Key was used with other photos or options; send a new key.", task_id=earlier.id
        )
    _log.info("task.repeated", earlier=earlier.id)
    return earlier


def idempotency_key_of(header: str | None) -> str | None:
    """The key of a request: 1 to 255 visible ASCII characters.

    Raises:
        RequestError: It is longer, empty, or has other characters.
    """
    if header is not None and not _KEY.fullmatch(header):
        raise RequestError("Idempotency-Key must be 1 to 255 visible ASCII characters.", header="idempotency-key")
    return header


def _digest(form: Form, options: Mapping[str, object]) -> str:
    photos = {role: hashlib.sha256(photo.data).hexdigest() for role, photo in form.photos.items()}
    canonical = json.dumps({"inputs": photos, "options": options}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
