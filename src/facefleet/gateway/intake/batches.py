"""Accepting a batch: photos go to the store as they arrive, all is checked, then all records are committed at once.

What was stored of a batch that is refused is deleted; what a gateway that dies leaves is found as orphans.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool

from facefleet.errors.base import FacefleetError
from facefleet.errors.input import RequestError
from facefleet.errors.outage import OutageError, RecordsUncertain
from facefleet.gateway.intake.multipart import Fields, Part, drop, missing, read_parts
from facefleet.gateway.intake.options import parse_fuse_options
from facefleet.gateway.intake.tasks import Intake, canonical_digest, digest_of, refuse_other
from facefleet.gateway.intake.templates import Targets
from facefleet.gateway.intake.webhooks import WEBHOOK_TEXTS, WebhookIntake
from facefleet.gateway.middleware.authentication import Principal
from facefleet.media.sniff import Limits
from facefleet.observability.logs import bound, logger
from facefleet.observability.tracing import traceparent_or_new
from facefleet.safety.consent import attest
from facefleet.storage.keys import batch_key
from facefleet.tasks.batches import MAX_ITEMS, Batch, Batches
from facefleet.tasks.ids import new_id
from facefleet.tasks.kinds import Kind
from facefleet.tasks.lanes import Lane
from facefleet.tasks.routes import Route, choose_route
from facefleet.tasks.task import Task, Webhook
from facefleet.tasks.templates import Template

FIELDS = Fields(
    photos={"source": MAX_ITEMS, "target": MAX_ITEMS},
    texts={"options": 1, "consent": 1, "template_id": MAX_ITEMS, **WEBHOOK_TEXTS},
)
_KIND = Kind.FUSE  # what every item of a batch is

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What a caller sends, its body still on the way."""

    content_type: str
    stream: AsyncIterator[bytes]
    idempotency_key: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class _Stored:
    """A photo that is in the store."""

    key: str
    digest: str
    bytes: int


@dataclass(slots=True)
class _Draft:
    """A batch as far as it has arrived."""

    id: str
    tenant: str
    photos: dict[str, list[_Stored]] = field(default_factory=lambda: {"source": [], "target": []})
    template_ids: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    webhook: Webhook | None = None

    def inputs(self) -> tuple[dict[str, str], list[Mapping[str, _Stored]]]:
        """What all items share, and what each has for itself.

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
            own: list[Mapping[str, _Stored]] = [{"target": target} for target in targets]
            return {"source": sources[0].key}, own or [{} for _ in self.template_ids]
        if len(targets) + len(self.template_ids) > 1:
            raise RequestError(
                "A batch is one source for many targets, or one target for many sources.",
                sources=len(sources), targets=len(targets) + len(self.template_ids),
            )  # fmt: skip
        shared = {"target": targets[0].key} if targets else {}
        return shared, [{"source": source} for source in sources]

    def stored(self) -> Iterator[str]:
        """Of every photo that is in the store."""
        return (stored.key for photos in self.photos.values() for stored in photos)


@dataclass(frozen=True, slots=True)
class BatchIntake:
    """The door through which batches come in; it holds one photo at a time."""

    intake: Intake
    batches: Batches
    targets: Targets
    webhooks: WebhookIntake
    limits: Limits
    deadline: timedelta

    async def accept(self, principal: Principal, request: BatchRequest) -> Batch:
        """Make a batch, or find the one that an earlier request with the same idempotency key made.

        Raises:
            FacefleetError: What a fusion can be refused for, of any item: ``field`` and ``number`` say which.
        """
        draft = _Draft(new_id(), principal.tenant)
        with bound(batch_id=draft.id, tenant=principal.tenant):
            try:
                earlier = await run_in_threadpool(self._begin, draft, request.idempotency_key)
                async for part in read_parts(request.content_type, request.stream, self.limits, FIELDS):
                    await run_in_threadpool(self._take, draft, part, store=earlier is None)
                draft.webhook = await self.webhooks.read(draft.texts)
                return await run_in_threadpool(self._finish, principal, draft, request, earlier)
            except RecordsUncertain:  # records may name these uploads; if none does, they go as orphans
                raise
            except Exception as error:
                await run_in_threadpool(self._forget, draft)
                if isinstance(error, FacefleetError):
                    await drop(request.stream)
                raise

    def _begin(self, draft: _Draft, key: str | None) -> Batch | None:
        earlier = self.batches.of_key(draft.tenant, key) if key else None
        if earlier is None:
            self.intake.admission.check(_route(draft.tenant))
        return earlier

    def _take(self, draft: _Draft, part: Part, *, store: bool) -> None:
        if isinstance(part.content, str):
            if part.name == "template_id":
                draft.template_ids.append(part.content)
            else:
                draft.texts[part.name] = part.content
            return
        data = part.content.data
        key = batch_key(draft.tenant, draft.id, part.name, part.number)
        draft.photos[part.name].append(_Stored(key, digest_of(data), len(data)))
        if store:
            self.intake.store.put(key, data)

    def _finish(self, principal: Principal, draft: _Draft, request: BatchRequest, earlier: Batch | None) -> Batch:
        batch, items = self._made(principal, draft, request)
        if earlier is None:
            self.intake.admission.check(items[0].route, len(items))
            kept = self.batches.add(batch, items)
        else:
            kept = earlier
        if kept.id != batch.id:
            self._forget(draft)
            return _same(kept, batch)
        _log.info("batch.accepted", items=len(items), digest=batch.request_digest)
        self.intake.send(items)
        return kept

    def _made(self, principal: Principal, draft: _Draft, request: BatchRequest) -> tuple[Batch, list[Task]]:
        """The records, when everything that can be checked is right."""
        now = self.intake.clock()
        consent = attest(draft.texts.get("consent"), subject=principal.subject, now=now)
        options = parse_fuse_options(draft.texts.get("options")).to_json()
        shared, own = draft.inputs()
        templates = self._templates(principal, draft, options)
        one = templates[0] if len(templates) == 1 else None
        batch = Batch(
            id=draft.id, tenant=principal.tenant, subject=principal.subject, total=len(own), options=options,
            inputs=shared, created_at=now, template=one.id if one else None,
            idempotency_key=request.idempotency_key, request_digest=_digest(draft, templates, options),
        )  # fmt: skip
        item = partial(
            Task.new, tenant=batch.tenant, subject=batch.subject, kind=_KIND, route=_route(batch.tenant),
            options=options, consent=consent, now=now, deadline=self.deadline, webhook=draft.webhook, batch=batch.id,
            traceparent=traceparent_or_new(request.traceparent),
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

    def _templates(self, principal: Principal, draft: _Draft, options: Mapping[str, Any]) -> list[Template]:
        found: dict[str, Template] = {}
        for number, template_id in enumerate(draft.template_ids):
            try:
                if template_id not in found:
                    found[template_id] = self.targets.ready(principal, template_id, options)
            except FacefleetError as error:
                error.detail |= {"field": "template_id", "number": number}
                raise
        return [found[template_id] for template_id in draft.template_ids]

    def _forget(self, draft: _Draft) -> None:
        for key in draft.stored():
            try:
                self.intake.store.delete(key)
            except OutageError as error:  # the sweeper removes orphans
                _log.warning("upload.not_deleted", code=error.code)
                return


def _route(tenant: str) -> Route:
    return choose_route(_KIND, tenant, lane_allowed=Lane.BULK)


def _digest(draft: _Draft, templates: Sequence[Template], options: Mapping[str, object]) -> str:
    photos = {name: [photo.digest for photo in photos] for name, photos in draft.photos.items()}
    asked = {"photos": photos, "templates": [one.digest for one in templates], "options": options}
    return canonical_digest(asked, draft.webhook)


def _same(earlier: Batch, batch: Batch) -> Batch:
    refuse_other(earlier.request_digest, batch.request_digest, batch_id=earlier.id)
    _log.info("batch.repeated", earlier=earlier.id)
    return earlier
