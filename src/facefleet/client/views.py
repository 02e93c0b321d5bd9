"""Holds what a server reports as frozen values made of JSON: tasks, their events, receipts, usage, audit entries.

A field that an older server does not give has its default. What a newer one adds is in ``raw``, and so are words this
release does not know: a state, a kind or an event is a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any, ClassVar

from facefleet.client.parsing import parse, parse_day
from facefleet.client.responses import Document

SUCCEEDED, FAILED, CANCELED = "succeeded", "failed", "canceled"
ENDED = frozenset({SUCCEEDED, FAILED, CANCELED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a task failed, or its run before the next one.

    Attributes:
        code: Stable; a class of ``facefleet.errors`` has it.
        message: What happened and what to do.
        detail: Facts.
    """

    code: str
    message: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """A task at one moment.

    Attributes:
        task_id: Of the task.
        status: ``queued``, ``running``, ``succeeded``, ``failed`` or ``canceled``.
        kind: ``fuse`` and others.
        lane: Which queue it is in.
        progress: 0 to 1.
        step: What a running task does, and ``progress`` speaks of.
        position: Of a queued task: how many come before it.
        estimated_start: Of a queued task, where there is something to estimate by.
        attempts: Runs so far.
        version: Rises with every change.
        options: As the server took them.
        models: Name → version, of the last run.
        timings_ms: Step → ms, of the run that succeeded.
        erased_at: When photos and result were erased on request.
        error: Of a failed task, or of the run before the next.
        output: The outcome besides the picture, such as the faces that were detected.
        consent: What was attested: ``subject``, ``at``, ``reference``, ``own_photo``, ``guardian``.
        template_id: The registered target it uses, or registers.
        batch_id: The batch it is part of.
        item: Its place in the batch, from 0.
        links: Name → path, at the same server.
        raw: All of it as the server wrote it.
    """

    task_id: str
    status: str
    kind: str = ""
    lane: str = ""
    progress: float = 0.0
    step: str | None = None
    position: int | None = None
    estimated_start: datetime | None = None
    attempts: int = 0
    version: int = 0
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    erased_at: datetime | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    error: Problem | None = None
    output: Mapping[str, Any] | None = None
    consent: Mapping[str, Any] | None = None
    template_id: str | None = None
    batch_id: str | None = None
    item: int | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    raw: Document = field(default_factory=dict, repr=False)

    TIMES: ClassVar[tuple[str, ...]] = ("created_at", "started_at", "finished_at", "erased_at", "estimated_start")

    @property
    def ended(self) -> bool:
        """Whether it changes no more."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change of a task.

    Attributes:
        id: The task's version; events of one task come in its order.
        name: The status after it.
        task: The task after it.
    """

    id: int
    name: str
    task: TaskView


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The receipt of an erased task, which stays in the records.

    Attributes:
        status: ``erased``; ``erasing`` where the store was away and the server goes on by itself.
    """

    task_id: str
    status: str
    erased_at: datetime | None = None
    raw: Document = field(default_factory=dict, repr=False)

    TIMES: ClassVar[tuple[str, ...]] = ("erased_at",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A photo that was sent to the server's object store, and that requests can name.

    Attributes:
        id: Of the upload.
        size: Bytes.
        direct: Whether it went to the store itself, and not through the gateway.
        expires_at: Until when requests can name it.
    """

    id: str
    size: int
    direct: bool = False
    expires_at: datetime | None = None
    raw: Document = field(default_factory=dict, repr=False)  # its address is signed

    TIMES: ClassVar[tuple[str, ...]] = ("expires_at",)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayUsage:
    """The tasks of one kind that were created on one day.

    Attributes:
        date: UTC.
        tasks: All of them, those under way included.
        bytes_in: Of the uploads.
        bytes_out: Of the results.
        seconds: s that the runs took which succeeded.
        with_reference: Whose consent says where it is kept.
        own_photos: Whose source shows the caller, as it attested.
        by_guardian: For which a guardian agreed, as the caller attested.
        credential: Id of the key or token, where it was asked for and there was one.
        tenant: Whose they are, where an operator asked; else empty.
    """

    date: date
    kind: str
    tasks: int = 0
    succeeded: int = 0
    failed: int = 0
    canceled: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0
    with_reference: int = 0
    own_photos: int = 0
    by_guardian: int = 0
    credential: str | None = None
    tenant: str = ""
    raw: Document = field(default_factory=dict, repr=False)

    TIMES: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Usage from one day to another, both included; days without tasks are left out."""

    first: date
    last: date
    days: tuple[DayUsage, ...]
    raw: Document = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that was done, or asked for and refused.

    Attributes:
        actor: Subject of whoever asked; ``facefleet`` is the service itself.
        actor_tenant: Its tenant; empty for the service, and for commands on the records.
        credential: Id of the key or token that it showed.
        address: That it asked from.
        tenant: Whose object it is; empty for nobody's, such as a lane.
        action: Such as ``task.create``.
        object: Id or name.
        outcome: ``ok`` or ``refused``.
        code: Why it was refused.
        consent: Who attested the consent of the people shown.
        consent_reference: Where that consent is kept, in their words.
    """

    id: str
    at: datetime
    actor: str
    action: str
    outcome: str
    actor_tenant: str = ""
    credential: str | None = None
    address: str | None = None
    tenant: str = ""
    object: str | None = None
    code: str | None = None
    consent: str | None = None
    consent_reference: str | None = None
    trace_id: str | None = None
    raw: Document = field(default_factory=dict, repr=False)

    TIMES: ClassVar[tuple[str, ...]] = ("at",)


def task_view(document: Document) -> TaskView:
    """A task out of its JSON.

    Raises:
        ServerUnreachable: It is no task; whatever answered is no gateway.
    """
    return parse(TaskView, document, error=problem(document.get("error")))


def event(name: str, document: Document) -> Event:
    """An event out of its name and the JSON of its task."""
    task = task_view(document)
    return Event(id=task.version, name=name, task=task)


def receipt(document: Document) -> Receipt:
    """A receipt out of its JSON."""
    return parse(Receipt, document)


def upload_view(document: Document, size: int) -> Upload:
    """An upload of that many bytes out of the JSON by which it was announced."""
    return parse(Upload, document, id=document.get("upload_id"), size=size)


def audit_entry(document: Document) -> AuditEntry:
    """An entry of the audit log out of its JSON."""
    return parse(AuditEntry, document)


def usage(document: Document) -> Usage:
    """Usage out of its JSON."""
    with_days = (parse(DayUsage, one, date=parse_day(one, "date")) for one in document.get("days", ()))
    return Usage(first=parse_day(document, "from"), last=parse_day(document, "to"), days=tuple(with_days), raw=document)


def problem(document: Document | None) -> Problem | None:
    """Why something failed, out of its JSON; none where it did not."""
    if not document:
        return None
    names = [one.name for one in fields(Problem)]
    return Problem(**{name: document[name] for name in names if name in document})
