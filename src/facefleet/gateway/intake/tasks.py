"""Accepts a task: consent → objects stored → record committed → message sent. Only then is there a 202."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from facefleet.access.policy import Policy
from facefleet.clock import Clock
from facefleet.errors.conflict import IdempotencyConflict
from facefleet.errors.input import RequestError
from facefleet.errors.outage import OutageError, QueueUnavailable, RecordsUncertain
from facefleet.gateway.caller import Caller
from facefleet.gateway.intake.admission import Admission
from facefleet.gateway.intake.multipart import Form
from facefleet.gateway.intake.photos import Photo, UploadedPhoto, Usable, digest_of
from facefleet.observability.logs import bound, logger
from facefleet.observability.tracing import SpanKind, span, traceparent_or_new
from facefleet.queue.submit import Submitter
from facefleet.safety.consent import ConsentRule, attest
from facefleet.storage.keys import input_key, template_key
from facefleet.storage.store import Store
from facefleet.tasks.ids import new_id
from facefleet.tasks.kinds import KINDS, Kind, Uploads
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.routes import choose_route
from facefleet.tasks.task import Consent, Task, Webhook
from facefleet.tasks.templates import Template, registered

_KEY = re.compile(r"[!-~]{1,255}")

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """A request for a task whose form was read.

    Attributes:
        kind: Of the task.
        form: Photos and texts.
        options: Checked, with their defaults.
        name: Of the template to be registered; empty for other kinds.
        template: The target of a fusion, where it is a registered one.
        webhook: Where events of the task are sent.
        idempotency_key: The same key makes nothing a second time.
        traceparent: The trace that the task goes on with.
    """

    kind: Kind
    form: Form[Usable]
    options: Mapping[str, object]
    name: str
    template: Template | None
    webhook: Webhook | None
    idempotency_key: str | None
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Intake:
    """Makes the tasks of requests. Synchronous: it is called in a thread."""

    records: TaskRepository
    store: Store
    submitter: Submitter
    clock: Clock
    deadline: timedelta
    admission: Admission
    consent_rule: ConsentRule

    def require_takeable(
        self, caller: Caller, kind: Kind, *, texts: Mapping[str, str], options: Mapping[str, object], key: str | None
    ) -> None:
        """Refuse what would be refused whatever its photos are, before somebody fetches them.

        Args:
            caller: Who asks.
            kind: Of the task.
            texts: Of the form.
            options: Checked, with their defaults.
            key: Of idempotency: a request that is repeated needs no room.

        Raises:
            FacefleetError: As ``accept``.
        """
        _, policy = self._permitted(caller, kind, texts, options, self.clock())
        if not (key and self.records.of_key(caller.tenant, key)):
            self.admission.require_room(caller, choose_route(kind, caller.tenant, lane=policy.lane))

    def accept(self, caller: Caller, request: TaskRequest) -> Task:
        """Make the task of a request, or find the one that an earlier request with the same idempotency key made.

        Raises:
            PolicyForbids: The tenant may not make this.
            LimitReached: It has as much waiting, or has sent as much today, as it may.
            ConsentRequired: The caller did not attest it.
            IdempotencyConflict: The key belongs to a request with other photos or options.
            OutageError: Store or records are away; nothing is kept.
            RecordsUncertain: The database went away while it committed; the same key tells.
        """
        task = self._task(caller, request)
        with bound(task_id=task.id, tenant=task.tenant), span("accept") as accept_span:
            accept_span.set(
                task_id=task.id, tenant=task.tenant, kind=task.kind.value, lane=task.route.lane, bytes=task.bytes_in
            )
            earlier = self.records.of_key(task.tenant, task.idempotency_key) if task.idempotency_key else None
            kept = earlier or self._keep(task, caller, request)
            if kept.id != task.id:
                return _repeated(kept, task)
            _log.info("task.accepted", kind=task.kind.value, lane=task.route.lane, digest=task.request_digest)
            self.send([task])
        return task

    def _keep(self, task: Task, caller: Caller, request: TaskRequest) -> Task:
        """Store the uploads and commit the record; of two concurrent twins one wins, and the loser's uploads go."""
        self.admission.admit(caller, task.route, photo_bytes=task.bytes_in)
        try:
            for role, key in task.inputs.items():
                photo = request.form.photos[role]
                with span("store.put") as put_span:
                    put_span.set(role=role, bytes=photo.size)
                    photo.keep(self.store, key)
            registers = KINDS[task.kind].uploads is Uploads.TEMPLATE
            registration = [registered(_template(task, request))] if registers else []
            with span("records.add"):
                kept = self.records.add(task, *registration, origin=caller.origin)
        except RecordsUncertain:  # a record may name these uploads; if none does, they go as orphans
            raise
        except Exception:
            self._delete_uploads(task)
            raise
        if kept.id != task.id:
            self._delete_uploads(task)
        return kept

    def _permitted(
        self, caller: Caller, kind: Kind, texts: Mapping[str, str], options: Mapping[str, object], now: datetime
    ) -> tuple[Consent, Policy]:
        policy = self.admission.policy(caller)
        # Where no picture is made nobody attests, and the record names no subject.
        consent = self.attested(texts, caller, policy, now) if KINDS[kind].consent else Consent("", now)
        policy.require(kind, options)
        return consent, policy

    def _task(self, caller: Caller, request: TaskRequest) -> Task:
        now, task_id, form, kind = self.clock(), new_id(), request.form, request.kind
        consent, policy = self._permitted(caller, kind, form.texts, request.options, now)
        inputs = {role: input_key(caller.tenant, task_id, role) for role in form.photos}
        template = request.template.id if request.template else None
        if KINDS[kind].uploads is Uploads.TEMPLATE:  # the photo outlives its task
            template = new_id()
            inputs = {role: template_key(caller.tenant, template) for role in inputs}
        task = Task.new(
            id=task_id, tenant=caller.tenant, subject=caller.subject, credential=caller.credential, kind=kind,
            route=choose_route(kind, caller.tenant, lane=policy.lane), options=request.options, inputs=inputs,
            consent=consent, template=template, plan=caller.principal.plan,
            now=now, deadline=self.deadline, idempotency_key=request.idempotency_key,
            request_digest=_digest(request, consent), traceparent=traceparent_or_new(request.traceparent),
            webhook=request.webhook, bytes_in=sum(photo.size for photo in form.photos.values()),
            digests={role: photo.digest for role, photo in form.photos.items() if isinstance(photo, UploadedPhoto)},
        )  # fmt: skip
        return task.sent(now, self.submitter.epoch)

    def send(self, tasks: Sequence[Task]) -> None:
        """Send the messages of tasks; what the broker does not take now, the sweeper sends later."""
        sent = 0
        try:
            with span("queue.send", SpanKind.PRODUCER):
                for task in tasks:
                    self.submitter.send(task)
                    sent += 1
        except QueueUnavailable as away:
            _log.warning("task.not_sent", cause=away.detail.get("cause"), count=len(tasks) - sent)
            try:
                self.records.mark_unsent([task.id for task in tasks[sent:]])
            except OutageError as error:
                _log.warning("task.not_marked_unsent", code=error.code)

    def attested(self, texts: Mapping[str, str], caller: Caller, policy: Policy, now: datetime) -> Consent:
        """What a request attests, as the service and the policy of its tenant ask for it.

        Raises:
            ConsentRequired: Something of that is missing.
            OptionInvalid: A text of it cannot be understood.
        """
        rule = self.consent_rule.or_stricter(policy.consent)
        return attest(texts, subject=caller.subject, now=now, rule=rule, flags=policy.attest or ())

    def _delete_uploads(self, task: Task) -> None:
        for key in task.inputs.values():
            try:
                self.store.delete(key)
            except OutageError as error:  # the sweeper removes orphans
                _log.warning("upload.not_deleted", code=error.code)


def _repeated(earlier: Task, task: Task) -> Task:
    require_same_request(earlier.request_digest, task.request_digest, task_id=earlier.id)
    _log.info("task.repeated", earlier=earlier.id)
    return earlier


def require_same_request(first: str | None, repeated: str | None, **made: str) -> None:
    """Compare a request with the one that used its idempotency key first, by their digests.

    Raises:
        IdempotencyConflict: They differ; ``made`` says what the first one made.
    """
    if first != repeated:
        raise IdempotencyConflict("This Idempotency-Key was used with other photos or options; send a new key.", **made)


def idempotency_key_of(header: str | None) -> str | None:
    """Check the idempotency key of a request: 1 to 255 visible ASCII characters.

    Raises:
        RequestError: It is longer, empty, or has other characters.
    """
    if header is not None and not _KEY.fullmatch(header):
        raise RequestError("Idempotency-Key must be 1 to 255 visible ASCII characters.", header="idempotency-key")
    return header


def _template(task: Task, request: TaskRequest) -> Template:
    """The template that a registration commits together with its task."""
    assert task.template is not None  # noqa: S101 - a registration has made it
    photo = request.form.photos["image"]
    assert isinstance(photo, Photo)  # noqa: S101 - a registration is sent as a form
    return Template(
        id=task.template, tenant=task.tenant, subject=task.subject, name=request.name, task=task.id,
        object=task.inputs["image"], media_type=str(photo.header.type), width=photo.header.width,
        height=photo.header.height, bytes=photo.size, digest=photo.digest,
        consent=task.consent, created_at=task.created_at,
    )  # fmt: skip


def _digest(request: TaskRequest, consent: Consent) -> str:
    photos = {role: photo.digest for role, photo in request.form.photos.items()}
    if request.template is not None:
        photos["target"] = request.template.digest
    content: dict[str, object] = {"inputs": photos, "options": request.options}
    if KINDS[request.kind].named_in_digest:
        content |= {"kind": request.kind.value, "name": request.name}
    return canonical_digest(content, request.webhook, consent)


def canonical_digest(content: Mapping[str, object], webhook: Webhook | None, consent: Consent) -> str:
    """SHA-256 of a request's content as canonical JSON, the same however the request was written.

    Of the consent it has what was said beside the yes, if anything was.
    """
    notified = {"webhook": [webhook.url, sorted(webhook.events)]} if webhook else {}
    said = [consent.reference, consent.own_photo, consent.guardian]
    attested = {"consent": said} if any(said) else {}
    whole = {**content, **notified, **attested}
    return digest_of(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode())
