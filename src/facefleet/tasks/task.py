"""Defines the task record: all facts about a task, as one immutable value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from facefleet.tasks.kinds import Kind
from facefleet.tasks.routes import Route
from facefleet.tasks.transitions import State

SUSPECT_LOST = 2  # a task that has lost its worker this often may be what crashes it, and runs alone
Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Consent:
    """The consent of the people shown: who attested it, when, and what else was said of it.

    Attributes:
        subject: The principal's subject; empty where no picture is made and nobody attests.
        at: UTC.
        reference: Where the caller keeps the consent, in its own words.
        own_photo: The person in the source is the caller.
        guardian: A guardian has agreed for a minor.
    """

    subject: str
    at: datetime
    reference: str | None = None
    own_photo: bool = False
    guardian: bool = False


@dataclass(frozen=True, slots=True)
class Webhook:
    """The URL to notify, and the events to notify it of."""

    url: str
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task did not succeed: the error's code, message and detail."""

    code: str
    message: str
    detail: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """One record.

    Attributes:
        id: UUIDv7, so ids sort by time.
        tenant: Whose bytes these are.
        subject: Who asked.
        inputs: Role (``source``, ``target``) → object key.
        fence: Rises with every claim; names the run.
        failures: Retryable failures so far: the retry budget.
        lost: Leases that expired so far: the crash budget.
        version: Rises with every change; it is the event id.
        lease_until: While running: until when the claim holds without a heartbeat.
        run_at: Not before this time; a delayed retry waits here, never in the broker.
        sent_at: When its message was last sent; none: waiting to be sent.
        sent_epoch: The broker's epoch at that time.
        deadline_at: The task fails when it has not ended by then.
        progress: 0 to 1.
        step: The step that the run was at when progress was last recorded.
        result: Object key of the result of the run that succeeded.
        result_type: Media type of the result.
        models: Name → version, pinned at claim.
        timings_ms: Step → ms.
        idempotency_key: Unique per tenant.
        request_digest: SHA-256 over the digests of the inputs and the canonical options.
        traceparent: W3C trace context of the request.
        inputs_kept: The uploads have not been deleted yet.
        result_kept: No result of any run has been deleted yet.
        hold: Legal hold: nothing of this task is deleted.
        erased_at: When its owner had it erased; only the receipt is left.
        batch: The batch it is part of.
        item: Its place in the batch, from 0.
        template: The registered target it uses, or registers.
        output: JSON: what was detected, or which faces of the picture were replaced.
        inspections: What inspectors found in photos and result, in their order; for operators only.
        bytes_in: Size of the uploads.
        bytes_out: Size of the result.
        seconds: s taken by the run that succeeded.
        credential: Id of the key or token that its subject showed.
        digests: Role → SHA-256 that the photo was announced with, where nobody has seen all of it yet.
        plan: That the token of its subject named, by which policies are looked up; records of old have none.
    """

    id: str
    tenant: str
    subject: str
    kind: Kind
    route: Route
    options: Json
    inputs: Mapping[str, str]
    consent: Consent
    created_at: datetime
    run_at: datetime
    deadline_at: datetime
    state: State = State.QUEUED
    fence: int = 0
    failures: int = 0
    lost: int = 0
    version: int = 1
    lease_until: datetime | None = None
    sent_at: datetime | None = None
    sent_epoch: str | None = None
    progress: float = 0.0
    step: str | None = None
    result: str | None = None
    result_type: str | None = None
    failure: Failure | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    webhook: Webhook | None = None
    idempotency_key: str | None = None
    request_digest: str | None = None
    traceparent: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    inputs_kept: bool = True
    result_kept: bool = True
    hold: bool = False
    erased_at: datetime | None = None
    batch: str | None = None
    item: int | None = None
    template: str | None = None
    output: Json | None = None
    inspections: Sequence[Json] | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0
    credential: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    plan: str | None = None

    @classmethod
    def new(
        cls, *, id: str, tenant: str, subject: str, kind: Kind, route: Route, options: Json,  # noqa: A002
        inputs: Mapping[str, str], consent: Consent, now: datetime, deadline: timedelta,
        idempotency_key: str | None = None, request_digest: str | None = None, traceparent: str | None = None,
        webhook: Webhook | None = None, bytes_in: int = 0, template: str | None = None,
        batch: str | None = None, item: int | None = None, credential: str | None = None,
        digests: Mapping[str, str] | None = None, plan: str | None = None,
    ) -> Task:  # fmt: skip
        """A queued task that may run at once."""
        return cls(
            id=id, tenant=tenant, subject=subject, kind=kind, route=route,
            options=options, inputs=inputs, consent=consent, created_at=now, run_at=now, deadline_at=now + deadline,
            idempotency_key=idempotency_key, request_digest=request_digest, traceparent=traceparent,
            webhook=webhook, bytes_in=bytes_in, template=template, batch=batch, item=item,
            credential=credential, digests=digests or {}, plan=plan,
        )  # fmt: skip

    def sent(self, at: datetime, epoch: str | None) -> Task:
        """The same record as if its message had been sent.

        A new record is committed like this: should its gateway die between the commit and the message, the sweeper
        sends the message as it does for one that the broker lost, and the usual case needs no second write.
        """
        return replace(self, sent_at=at, sent_epoch=epoch)
