"""Keeps registered targets: "ready" is committed with the success of their task, "failed" is derived from its record.

So no template is stuck when a program dies between two writes: its state follows from the two records.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    Update,
    and_,
    delete,
    exists,
    insert,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import Insert

from facefleet.clock import Clock
from facefleet.errors.lookup import TemplateNotFound
from facefleet.tasks.audit import SERVICE, Action, Origin
from facefleet.tasks.ids import is_id
from facefleet.tasks.records.ages import Age
from facefleet.tasks.records.audit_log import write_entry
from facefleet.tasks.records.chunks import CHUNK
from facefleet.tasks.records.pages import Page, before, page_of
from facefleet.tasks.records.retention_records import rejected
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.rows import consent_columns, consent_of
from facefleet.tasks.tables.table import tasks, templates
from facefleet.tasks.task import Consent, Failure, Json, Task
from facefleet.tasks.transitions import UNFINISHED, State


class TemplateState(StrEnum):
    """Where a template is in its life."""

    PREPARING = "preparing"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Template:
    """One registered target.

    Attributes:
        id: UUIDv7, so ids sort by time.
        tenant: Whose photo this is.
        subject: Who registered it.
        task: The task that prepares it.
        object: Key of the photo; empty when it has been deleted.
        digest: SHA-256 of the photo.
        faces: As the task detected them; none before.
        failure: Why it failed.
        deleted_at: UTC; only the receipt is left.
    """

    id: str
    tenant: str
    subject: str
    name: str
    task: str
    object: str
    media_type: str
    width: int
    height: int
    bytes: int
    digest: str
    consent: Consent
    created_at: datetime
    state: TemplateState = TemplateState.PREPARING
    faces: Sequence[Json] | None = None
    failure: Failure | None = field(default=None)
    ready_at: datetime | None = None
    deleted_at: datetime | None = None


def registered(template: Template) -> Insert:
    """The statement that keeps a new template, to be committed with its task."""
    return insert(templates).values(
        id=template.id, tenant=template.tenant, subject=template.subject, name=template.name,
        state=template.state.value, task=template.task, object=template.object, media_type=template.media_type,
        width=template.width, height=template.height, bytes=template.bytes, digest=template.digest,
        created_at=template.created_at, **consent_columns(template.consent),
    )  # fmt: skip


def made_ready(task: Task, output: Json, at: datetime) -> Update:
    """The statement that makes a template ready, to be committed with the success of its task."""
    mine = and_(templates.c.id == task.template, templates.c.tenant == task.tenant, templates.c.deleted_at.is_(None))
    return update(templates).where(mine).values(
        state=TemplateState.READY.value, faces=output["faces"], ready_at=at,
        error_code=None, error_message=None, error_detail=None,
    )  # fmt: skip


class Templates:
    """The templates of one database.

    Every method raises ``RecordsUnavailable`` when the database does not answer.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def get(self, tenant: str, template_id: str) -> Template:
        """The template.

        Raises:
            TemplateNotFound: None of this id for this tenant, or it was deleted.
        """
        matching = self._select(_of(tenant, template_id), limit=1) if is_id(template_id) else []
        if not matching or matching[0].deleted_at is not None:
            raise _not_found(template_id)
        return matching[0]

    def of_task(self, tenant: str, task_id: str) -> Template:
        """The template that a task registered; errors are those of ``get``."""
        mine = and_(templates.c.tenant == tenant, templates.c.task == task_id)
        matching = self._select(mine, limit=1) if is_id(task_id) else []
        if not matching or matching[0].deleted_at is not None:
            raise _not_found(task_id)
        return matching[0]

    def page(self, tenant: str, cursor: str | None, limit: int) -> Page[Template]:
        """The templates after the cursor, the newest first.

        Raises:
            OptionInvalid: The cursor is not one that this list returned.
        """
        wanted = and_(templates.c.tenant == tenant, templates.c.deleted_at.is_(None), before(templates.c.id, cursor))
        return page_of(self._select(wanted, limit=limit + 1), limit, lambda one: one.id)

    def delete(self, tenant: str, template_id: str, origin: Origin) -> Template:
        """Delete a template: name, faces and error go, and the receipt stays. To delete it again is no error.

        Its photo is deleted after this, never before.

        Raises:
            TemplateNotFound: None of this id for this tenant.
        """
        if not is_id(template_id):
            raise _not_found(template_id)
        now = self._clock()
        with self._database.write() as connection:
            deleted = connection.execute(
                update(templates).where(_of(tenant, template_id), templates.c.deleted_at.is_(None))
                .values(deleted_at=now, name="", faces=None, error_message=None, error_detail=None)
            )  # fmt: skip
            if deleted.rowcount:
                write_entry(connection, origin.entry(Action.TEMPLATE_DELETE, now, template_id, tenant=tenant))
        matching = self._select(_of(tenant, template_id), limit=1)
        if not matching:
            raise _not_found(template_id)
        return matching[0]

    # ── retention ────────────────────────────────────────────────────────────────────────────────────────────────

    def settle(self) -> None:
        """Store the failures that are derived from task records, before those records are deleted."""
        ended = and_(templates.c.state == TemplateState.PREPARING.value, or_(tasks.c.id.is_(None), _over()))
        for template in self._select(ended, limit=CHUNK):
            failure = template.failure
            if failure is not None:
                self._set(
                    template, state=TemplateState.FAILED.value, error_code=failure.code,
                    error_message=failure.message, error_detail=dict(failure.detail),
                )  # fmt: skip

    def discarded(self, age: Age) -> list[Template]:
        """Templates whose photo can be deleted: it was deleted, rejected, or failed longer than ``age`` ago."""
        old = age.reached(tasks.c.finished_at, tasks.c.tenant, self._clock(), tasks.c.plan)
        failed = and_(templates.c.state == TemplateState.FAILED.value, ~_retryable(old))
        gone = or_(templates.c.deleted_at.is_not(None), failed)
        return self._select(and_(templates.c.object != "", gone), limit=CHUNK)

    def object_deleted(self, template: Template) -> None:
        """Remember that the photo is gone from the store, since the template was deleted or its time was over."""
        gone = update(templates).where(templates.c.id == template.id, templates.c.object != "").values(object="")
        with self._database.write() as connection:
            if connection.execute(gone).rowcount and template.deleted_at is None:
                write_entry(
                    connection,
                    SERVICE.entry(Action.TEMPLATE_EXPIRE, self._clock(), template.id, tenant=template.tenant),
                )

    def delete_rows(self, age: Age) -> int:
        """Delete the receipts of deletions that are older than ``age``; returns how many."""
        deleted_long_ago = age.reached(templates.c.deleted_at, templates.c.tenant, self._clock())
        old = and_(deleted_long_ago, templates.c.object == "")
        some = select(templates.c.id).where(old).limit(CHUNK)
        with self._database.write() as connection:
            return connection.execute(delete(templates).where(templates.c.id.in_(some))).rowcount

    def kept(self, template_ids: Collection[str]) -> dict[str, str]:
        """Those of these ids whose photo must stay → tenant."""
        stays = and_(templates.c.id.in_(template_ids), templates.c.object != "")
        with self._database.read() as connection:
            return {row.id: row.tenant for row in connection.execute(select(templates).where(stays))}

    def _set(self, template: Template, **values: Any) -> None:
        same = and_(templates.c.id == template.id)
        with self._database.write() as connection:
            connection.execute(update(templates).where(same).values(values))

    def _select(self, condition: ColumnElement[bool], *, limit: int) -> list[Template]:
        with self._database.read() as connection:
            return [_template_of(row) for row in connection.execute(_joined(condition).limit(limit)).mappings()]


def _joined(condition: ColumnElement[bool]) -> Select[Any]:
    """Templates joined with the state and error of their tasks, the newest first."""
    of_task = (
        tasks.c.state.label("task_state"), tasks.c.error_code.label("task_code"),
        tasks.c.error_message.label("task_message"), tasks.c.error_detail.label("task_detail"),
    )  # fmt: skip
    beside = templates.outerjoin(tasks, tasks.c.id == templates.c.task)
    return select(templates, *of_task).select_from(beside).where(condition).order_by(templates.c.id.desc())


def _over() -> ColumnElement[bool]:
    return tasks.c.state.not_in(UNFINISHED)


def _retryable(old: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether an operator may still queue the task again; ``old``: whether it ended too long ago."""
    can_be = or_(~_over(), and_(not_(old), not_(rejected())))
    recent = and_(tasks.c.id == templates.c.task, can_be)
    return exists(select(tasks.c.id).where(recent).correlate(templates))


def _of(tenant: str, template_id: str) -> ColumnElement[bool]:
    return and_(templates.c.tenant == tenant, templates.c.id == template_id)


def _not_found(template_id: str) -> TemplateNotFound:
    shown = template_id[:64]
    return TemplateNotFound(f"There is no template {shown!r}.", template_id=shown, field="template_id")


def _template_of(row: RowMapping) -> Template:
    stored = Template(
        id=row["id"], tenant=row["tenant"], subject=row["subject"], name=row["name"], task=row["task"],
        object=row["object"], media_type=row["media_type"], width=row["width"], height=row["height"],
        bytes=row["bytes"], digest=row["digest"], consent=consent_of(row),
        created_at=row["created_at"], state=TemplateState(row["state"]), faces=row["faces"],
        failure=_failure(row["error_code"], row["error_message"], row["error_detail"]),
        ready_at=row["ready_at"], deleted_at=row["deleted_at"],
    )  # fmt: skip
    return _derived(stored, row)


def _derived(template: Template, row: RowMapping) -> Template:
    """Derive the state of a template that is not ready from that of its task."""
    if template.state is TemplateState.READY:
        return template
    state = row["task_state"]
    if state in UNFINISHED:  # for the first time, or requeued by an operator
        return replace(template, state=TemplateState.PREPARING, failure=None)
    if template.state is TemplateState.FAILED:
        return template
    failure = _failure(row["task_code"], row["task_message"], row["task_detail"])
    if failure is None or state != State.FAILED:
        failure = Failure("template_failed", "Its registration was canceled.")
    return replace(template, state=TemplateState.FAILED, failure=failure)


def _failure(code: str | None, message: str | None, detail: Mapping[str, object] | None) -> Failure | None:
    return Failure(code, message or "", detail or {}) if code is not None else None
