"""Defines an entry of the audit log (who did what to which object, from where) and the text of it that is hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from facefleet.tasks.ids import new_id_of
from facefleet.tasks.task import Consent

LONGEST = 255  # characters that are kept of a text


class Action(StrEnum):
    """What was done, or asked for and refused."""

    TASK_CREATE = "task.create"
    TASK_CANCEL = "task.cancel"
    TASK_ERASE = "task.erase"
    TASK_REQUEUE = "task.requeue"
    TASK_HOLD = "task.hold"
    TASK_RELEASE = "task.release"  # the end of a hold
    RESULT_READ = "result.read"
    TEMPLATE_CREATE = "template.create"
    TEMPLATE_READ = "template.read"
    TEMPLATE_DELETE = "template.delete"
    UPLOAD_CREATE = "upload.create"
    UPLOAD_DELETE = "upload.delete"
    UPLOAD_ERASE = "upload.erase"  # with everything else of its tenant or subject
    BATCH_CREATE = "batch.create"
    BATCH_READ = "batch.read"
    BATCH_CANCEL = "batch.cancel"
    BATCH_ERASE = "batch.erase"
    WEBHOOK_REPLAY = "webhook.replay"
    PHOTO_FETCH = "photo.fetch"  # from the host that is the object
    KEY_CREATE = "key.create"
    KEY_REVOKE = "key.revoke"
    KEY_ROTATE = "key.rotate"  # the old one is the object; its successor is created beside it
    SESSION_CREATE = "session.create"  # a browser signed in
    SESSION_END = "session.end"  # before its time was over
    POLICY_SET = "policy.set"  # the object is the tenant or plan
    POLICY_CLEAR = "policy.clear"
    LANE_PAUSE = "lane.pause"
    LANE_RESUME = "lane.resume"
    MAINTENANCE_BEGIN = "maintenance.begin"
    MAINTENANCE_END = "maintenance.end"
    TENANT_EXPORT = "tenant.export"  # of a tenant, or of the subject that is the object
    TENANT_ERASE = "tenant.erase"
    INPUTS_EXPIRE = "inputs.expire"  # uploads of a task or batch whose time was over
    INPUTS_REJECT = "inputs.reject"  # uploads of a task that was rejected for what they show
    RESULT_EXPIRE = "result.expire"
    UPLOAD_EXPIRE = "upload.expire"
    TEMPLATE_EXPIRE = "template.expire"  # the photo of one that failed
    ACCESS = "access"  # a request that lacked the permission of its endpoint
    AUDIT_EXPIRE = "audit.expire"  # the entries of all seals up to the one that the object names


class Outcome(StrEnum):
    """Whether it was done."""

    OK = "ok"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the log; it is never changed.

    Attributes:
        id: UUIDv7 of the time, so entries sort by it.
        at: UTC in whole ms (RFC 3339). A text, as are all fields: whatever a row was changed to can be read and hashed.
        actor: Subject of whoever asked.
        actor_tenant: Its tenant; empty for the service itself and for the command line on the records.
        credential: Id of the key or token that it showed, if any.
        address: That it asked from; none for the service and the command line.
        tenant: Whose object it is; empty for what is nobody's, such as a lane.
        action: An ``Action``, or a word of a later release.
        object: Id or name of the task, template, batch, lane, … ; of a delivery, its task's.
        code: Of the error, where it was refused.
        consent: Who attested the consent of the people shown, where the action needs it.
        trace_id: Of the request.
        consent_reference: Where that consent is kept, in the words of whoever attested it.
    """

    id: str
    at: str
    actor: str
    actor_tenant: str
    credential: str | None
    address: str | None
    tenant: str
    action: str
    object: str | None
    outcome: str
    code: str | None
    consent: str | None
    trace_id: str | None
    consent_reference: str | None = None

    def canonical(self) -> str:
        """The entry as JSON: names sorted, no blanks, nothing that is null; its SHA-256 goes into a seal.

        A field that a later release adds is null in the entries of this one, and changes none of their hashes.
        """
        given = {name: value for name, value in self.values().items() if value is not None}
        return json.dumps(given, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def values(self) -> Mapping[str, Any]:
        """The fields by name."""
        return {name: getattr(self, name) for name in FIELDS}

    def digest(self) -> str:
        """SHA-256 of the canonical text in UTF-8, in hexadecimal."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


FIELDS = tuple(field.name for field in fields(Entry))


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks for a change, and from where; attributes as of ``Entry``."""

    actor: str
    tenant: str = ""
    credential: str | None = None
    address: str | None = None
    trace_id: str | None = None

    def entry(
        self, action: Action, at: datetime, object: str | None, *, tenant: str | None = None,  # noqa: A002
        refused: str | None = None, consent: Consent | None = None,
    ) -> Entry:  # fmt: skip
        """The entry of an action of this origin.

        Args:
            action: What it asked for.
            at: When.
            object: Which.
            tenant: Whose object that is; the actor's own where not given.
            refused: Code of the error with which it was refused; none: it was done.
            consent: That was attested for it.
        """
        utc = at.astimezone(UTC).replace(tzinfo=None)
        return Entry(
            id=new_id_of(at), at=f"{utc.isoformat(timespec='milliseconds')}Z",
            actor=storable(self.actor), actor_tenant=self.tenant,
            credential=storable(self.credential) if self.credential else None, address=self.address,
            tenant=self.tenant if tenant is None else tenant, action=action.value,
            object=storable(object) if object else None,
            outcome=(Outcome.REFUSED if refused else Outcome.OK).value, code=refused,
            consent=storable(consent.subject) if consent and consent.subject else None, trace_id=self.trace_id,
            consent_reference=consent.reference if consent else None,
        )  # fmt: skip


SERVICE = Origin("facefleet")
"""The service, where it acts by itself."""


def storable(text: str) -> str:
    """What a database keeps of a text: no NUL, no half of a surrogate pair."""
    return text[:LONGEST].replace("\0", "?").encode(errors="replace").decode()
