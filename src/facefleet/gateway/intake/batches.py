"""Accepts a batch: photos go to the store as they arrive, all is checked, then all records are committed at once.

The photos of a batch that is refused are deleted; those that a dying gateway leaves are deleted as orphans later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool

from facefleet.errors.base import FacefleetError
from facefleet.errors.input import RequestError
from facefleet.errors.outage import OutageError, RecordsUncertain
from facefleet.gateway.caller import Caller
from facefleet.gateway.intake.consent import CONSENT_TEXTS
from facefleet.gateway.intake.multipart import Fields, Part, drop, missing, read_parts
from facefleet.gateway.intake.options import parse_fuse_options
from facefleet.gateway.intake.photos import digest_of
from facefleet.gateway.intake.reception import Incoming
from facefleet.gateway.intake.tasks import Intake, canonical_digest, require_same_request
from facefleet.gateway.intake.templates import TemplateLookup
from facefleet.gateway.intake.webhooks import WEBHOOK_TEXTS, WebhookIntake
from facefleet.media.sniff import Limits
from facefleet.observability.logs import bound, logger
from facefleet.observability.tracing import traceparent_or_new
from facefleet.storage.keys import batch_key
from facefleet.tasks.batches import MAX_ITEMS, Batch, Batches
from facefleet.tasks.ids import new_id
from facefleet.tasks.kinds import Kind
from facefleet.tasks.routes import Route, choose_route
from facefleet.tasks.task import Consent, Task, Webhook
from facefleet.tasks.templates import Template

FIELDS = Fields(
    photos={"source": MAX_ITEMS, "target": MAX_ITEMS},
    texts={"options": 1, "template_id": MAX_ITEMS, **CONSENT_TEXTS, **WEBHOOK_TEXTS},
)
_KIND = Kind.FUSE  # what every item of a batch is

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _StoredPhoto:
    """A photo of a batch, which is in the store."""

    key: str
    digest: str
    bytes: int


@dataclass(slots=True)
class _Draft:
    """The parts of a batch that have arrived so far."""

    id: str
    tenant: str
    photos: dict[str, list[_StoredPhoto]] = field(default_factory=lambda: {"source": [], "target": []})
    template_ids: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    webhook: Webhook | None = None

    def inputs(self) -> tuple[dict[str, str], list[Mapping[str, _StoredPhoto]]]:
        """Tell the photos that all items share from those that each item has for itself.

        Raises:
            UploadMissing: There is no source, or nothing to fuse into.
            RequestError: It is neither one source for many targets nor one target for many sources.
        """
        sources, targets = self.photos["source"], self.photos["target"]
        if not sources:
            raise missing("source")
        if not targets and not self.template_ids:
            raise missing("target")
        if targets and self.template_ids:
            raise RequestError("Send either target or template_id, not both.", field="template_id")
        if len(sources) == 1:
            own: list[Mapping[str, _StoredPhoto]] = [{"target": target} for target in targets]
            return {"source": sources[0].key}, own or [{} for _ in self.template_ids]
        if len(targets) + len(self.template_ids) > 1:
            raise RequestError(
                "A batch is one source for many targets, or one target for many sources.",
                sources=len(sources), targets=len(targets) + len(self.template_ids),
                field="target" if targets else "template_id",
            )  # fmt: skip
        shared = {"target": targets[0].key} if targets else {}
        return shared, [{"source": source} for source in sources]

    def object_keys(self) -> Iterator[str]:
        """The keys of all photos that are in the store."""
        return (stored.key for photos in self.photos.values() for stored in photos)


@dataclass(frozen=True, slots=True)
class BatchIntake:
    """Makes the batches of requests; it holds one photo at a time."""

    intake: Intake
    batches: Batches
    templates: TemplateLookup
    webhooks: WebhookIntake
    limits: Limits
    deadline: timedelta

    async def accept(self, caller: Caller, request: Incoming) -> Batch:
        """Make a batch, or return the one that an earlier request with the same idempotency key made.

        Raises:
            FacefleetError: The request is refused as a fusion would be; ``field`` and ``number`` name the item.
        """
        draft = _Draft(new_id(), caller.tenant)
        with bound(batch_id=draft.id, tenant=caller.tenant):
            try:
                earlier = await run_in_threadpool(self._begin, caller, draft, request.idempotency_key)
                async for part in read_parts(request.content_type, request.stream, self.limits, FIELDS):
                    await run_in_threadpool(self._take, draft, part, store=earlier is None)
                draft.webhook = await self.webhooks.read(draft.texts)
                return await run_in_threadpool(self._finish, caller, draft, request, earlier)
            except RecordsUncertain:  # records may name these uploads; if none does, they go as orphans
                raise
            except Exception as error:
                await run_in_threadpool(self._delete_uploads, draft)
                if isinstance(error, FacefleetError):
                    await drop(request.stream)
                raise

    def _begin(self, caller: Caller, draft: _Draft, key: str | None) -> Batch | None:
        earlier = self.batches.of_key(draft.tenant, key) if key else None
        if earlier is None:
            self.intake.admission.check(self._route(caller))
        return earlier

    def _route(self, caller: Caller) -> Route:
        return choose_route(_KIND, caller.tenant, lane=self.intake.admission.policy(caller).batch_lane)

    def _take(self, draft: _Draft, part: Part, *, store: bool) -> None:
        if isinstance(part.content, str):
            if part.name == "template_id":
                draft.template_ids.append(part.content)
            else:
                draft.texts[part.name] = part.content
            return
        data = part.content.data
        key = batch_key(draft.tenant, draft.id, part.name, part.number)
        draft.photos[part.name].append(_StoredPhoto(key, digest_of(data), len(data)))
        if store:
            self.intake.store.put(key, data)

    def _finish(self, caller: Caller, draft: _Draft, request: Incoming, earlier: Batch | None) -> Batch:
        batch, items = self._records(caller, draft, request)
        if earlier is None:
            sent = sum(photo.bytes for photos in draft.photos.values() for photo in photos)
            self.intake.admission.admit(caller, items[0].route, photo_bytes=sent, count=len(items))
            kept = self.batches.add(batch, items, caller.origin)
        else:
            kept = earlier
        if kept.id != batch.id:
            self._delete_uploads(draft)
            return _repeated(kept, batch)
        _log.info("batch.accepted", items=len(items), digest=batch.request_digest)
        self.intake.send(items)
        return kept

    def _records(self, caller: Caller, draft: _Draft, request: Incoming) -> tuple[Batch, list[Task]]:
        """The records of the batch and of its items, when everything that can be checked is right."""
        now = self.intake.clock()
        policy = self.intake.admission.policy(caller)
        consent = self.intake.attested(draft.texts, caller, policy, now)
        options = parse_fuse_options(draft.texts.get("options")).to_json()
        policy.require(_KIND, options)
        shared, own = draft.inputs()
        templates = self._ready_templates(caller, draft, options)
        one = templates[0] if len(templates) == 1 else None
        batch = Batch(
            id=draft.id, tenant=caller.tenant, subject=caller.subject, total=len(own), options=options,
            inputs=shared, created_at=now, template=one.id if one else None,
            idempotency_key=request.idempotency_key, request_digest=_digest(draft, templates, options, consent),
            credential=caller.credential,
        )  # fmt: skip
        item = partial(
            Task.new, tenant=batch.tenant, subject=batch.subject, kind=_KIND, route=self._route(caller),
            options=options, consent=consent, now=now, deadline=self.deadline, webhook=draft.webhook, batch=batch.id,
            traceparent=traceparent_or_new(request.traceparent), credential=batch.credential,
            plan=caller.principal.plan,
        )  # fmt: skip
        items = []
        for number, photos in enumerate(own):
            template = one or (templates[number] if templates else None)
            task = item(
                id=new_id(), inputs={**shared, **{role: photo.key for role, photo in photos.items()}}, item=number,
                template=template.id if template else None, bytes_in=sum(photo.bytes for photo in photos.values()),
            )  # fmt: skip
            items.append(task.sent(now, self.intake.submitter.epoch))
        return batch, items

    def _ready_templates(self, caller: Caller, draft: _Draft, options: Mapping[str, Any]) -> list[Template]:
        ready: dict[str, Template] = {}
        for number, template_id in enumerate(draft.template_ids):
            try:
                if template_id not in ready:
                    ready[template_id] = self.templates.ready(caller, template_id, options)
            except FacefleetError as error:
                error.detail |= {"field": "template_id", "number": number}
                raise
        return [ready[template_id] for template_id in draft.template_ids]

    def _delete_uploads(self, draft: _Draft) -> None:
        for key in draft.object_keys():
            try:
                self.intake.store.delete(key)
            except OutageError as error:  # the sweeper removes orphans
                _log.warning("upload.not_deleted", code=error.code)
                return


def _digest(
    draft: _Draft, templates: Sequence[Template], options: Mapping[str, object], consent: Consent
) -> str:  # fmt: skip
    photos = {name: [photo.digest for photo in photos] for name, photos in draft.photos.items()}
    content = {"photos": photos, "templates": [one.digest for one in templates], "options": options}
    return canonical_digest(content, draft.webhook, consent)


def _repeated(earlier: Batch, batch: Batch) -> Batch:
    require_same_request(earlier.request_digest, batch.request_digest, batch_id=earlier.id)
    _log.info("batch.repeated", earlier=earlier.id)
    return earlier
