"""Keeps the batches: tasks submitted in one request, the counts of their states, and the inputs that they share.

A batch itself only records that it was canceled or erased; everything else follows from its items, the task records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, delete, exists, func, insert, not_, or_, select, true, update
from sqlalchemy.exc import IntegrityError

from facefleet.clock import Clock
from facefleet.errors.conflict import TaskHeld
from facefleet.errors.lookup import BatchNotFound
from facefleet.tasks.audit import SERVICE, Action, Origin
from facefleet.tasks.ids import is_id
from facefleet.tasks.records.ages import Age
from facefleet.tasks.records.audit_log import write_entry
from facefleet.tasks.records.changes import ENDED, OnCommit, RecordWriter, ignore_commit, param, statement
from facefleet.tasks.records.chunks import CHUNK
from facefleet.tasks.records.pages import Page, before, page_of
from facefleet.tasks.records.retention_records import erasure, rejected
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.rows import task_of
from facefleet.tasks.tables.table import batches, deliveries, tasks
from facefleet.tasks.task import Json, Task
from facefleet.tasks.transitions import UNFINISHED, Actor, Change, State

MAX_ITEMS = 1000
PAGE = 100  # items read at once
Counts = Mapping[State, int]

_ITEMS = (tasks.c.batch == param("batch"), tasks.c.tenant == param("tenant"))
_CANCEL_ITEMS = statement(Change.CANCEL, Actor.GATEWAY, *_ITEMS, **ENDED, step=None)
_ERASE_ITEMS = erasure(*_ITEMS)


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch.

    Attributes:
        id: UUIDv7, so ids sort by time.
        inputs: Role → object key of the inputs that all items share.
        template: The registered target that all items share, if any.
        counts: State → number of items; those that retention has deleted are not counted.
        inputs_kept: Uploads have not been deleted yet.
        credential: Id of the key or token that its subject showed.
    """

    id: str
    tenant: str
    subject: str
    total: int
    options: Json
    inputs: Mapping[str, str]
    created_at: datetime
    template: str | None = None
    idempotency_key: str | None = None
    request_digest: str | None = None
    inputs_kept: bool = True
    canceled_at: datetime | None = None
    erased_at: datetime | None = None
    credential: str | None = None
    counts: Counts = field(default_factory=dict)


class Batches:
    """The batches of one database.

    Every method raises ``RecordsUnavailable`` when the database does not answer.
    """

    def __init__(self, database: Database, clock: Clock, on_commit: OnCommit = ignore_commit) -> None:
        self._database = database
        self._clock = clock
        self._writer = RecordWriter(database, on_commit)

    def add(self, batch: Batch, items: Sequence[Task], origin: Origin) -> Batch:
        """Commit a batch with all its items, or nothing; returns the earlier one where the idempotency key is taken."""
        try:
            with self._writer.transaction() as transaction:
                transaction.connection.execute(insert(batches), _row_of(batch))
                transaction.add(Actor.GATEWAY, items)
                consent = items[0].consent if items else None
                transaction.record(
                    origin.entry(Action.BATCH_CREATE, batch.created_at, batch.id, tenant=batch.tenant, consent=consent)
                )
        except IntegrityError:
            earlier = self.of_key(batch.tenant, batch.idempotency_key) if batch.idempotency_key else None
            if earlier is None:
                raise
            return earlier
        return self.get(batch.tenant, batch.id)

    def of_key(self, tenant: str, key: str) -> Batch | None:
        """The batch with this idempotency key."""
        matching = self._select(and_(batches.c.tenant == tenant, batches.c.idempotency_key == key), limit=1)
        return matching[0] if matching else None

    def get(self, tenant: str, batch_id: str) -> Batch:
        """The batch.

        Raises:
            BatchNotFound: None of this id for this tenant.
        """
        matching = self._select(_of(tenant, batch_id), limit=1) if is_id(batch_id) else []
        if not matching:
            raise BatchNotFound(f"There is no batch {batch_id[:64]!r}.", batch_id=batch_id[:64])
        return matching[0]

    def page(self, tenant: str, cursor: str | None, limit: int) -> Page[Batch]:
        """The batches after the cursor, the newest first.

        Raises:
            OptionInvalid: The cursor is not one that this list returned.
        """
        wanted = and_(batches.c.tenant == tenant, before(batches.c.id, cursor))
        return page_of(self._select(wanted, limit=limit + 1), limit, lambda one: one.id)

    def items(self, batch: Batch) -> Iterator[Task]:
        """The items in their order, read in pages; each item as it is when its page is read."""
        after = -1
        while True:
            mine = and_(tasks.c.batch == batch.id, tasks.c.tenant == batch.tenant, tasks.c.item > after)
            with self._database.read() as connection:
                rows = connection.execute(select(tasks).where(mine).order_by(tasks.c.item).limit(PAGE)).mappings()
                items = [task_of(row) for row in rows]
            yield from items
            if len(items) < PAGE:
                return
            after = items[-1].item or 0

    def cancel(self, tenant: str, batch_id: str, origin: Origin) -> Batch:
        """End every item that has not ended; to cancel it again changes nothing.

        Raises:
            BatchNotFound: None of this id for this tenant.
        """
        batch, now = self.get(tenant, batch_id), self._clock()
        with self._writer.transaction() as transaction:
            if transaction.change(_CANCEL_ITEMS, batch=batch.id, tenant=batch.tenant, now=now):
                never = and_(_of(tenant, batch_id), batches.c.canceled_at.is_(None))
                transaction.connection.execute(update(batches).where(never).values(canceled_at=now))
                transaction.record(origin.entry(Action.BATCH_CANCEL, now, batch.id, tenant=tenant))
        return self.get(tenant, batch_id)

    # ── retention ────────────────────────────────────────────────────────────────────────────────────────────────

    def erase(self, batch: Batch, origin: Origin) -> None:
        """Erase the records of a batch and of its items; only their receipts stay.

        Raises:
            TaskHeld: An item is under legal hold; the audit log says who asked, and nothing else is changed.
        """
        now, mine = self._clock(), and_(_of(batch.tenant, batch.id), batches.c.erased_at.is_(None))
        with self._writer.transaction() as transaction:
            connection = transaction.connection
            held = connection.execute(select(tasks.c.id).where(_items(batch), tasks.c.hold == true())).scalar()
            if held is None:
                transaction.change(_ERASE_ITEMS, batch=batch.id, tenant=batch.tenant, now=now)
                items = select(tasks.c.id).where(_items(batch))
                connection.execute(delete(deliveries).where(deliveries.c.task.in_(items)))
                erased = connection.execute(update(batches).where(mine).values(erased_at=now, options={})).rowcount
            if held or erased:
                refused = TaskHeld.code if held else None
                transaction.record(
                    origin.entry(Action.BATCH_ERASE, now, batch.id, tenant=batch.tenant, refused=refused)
                )
        if held:
            raise TaskHeld("An item of the batch is under legal hold; ask the operator.", task_id=held)

    def all_deleted(self, batch: Batch) -> None:
        """Remember that uploads and results of every item are gone from the store."""
        gone = {"inputs_kept": False, "result_kept": False, "result": None}
        with self._database.write() as connection:
            connection.execute(update(tasks).where(_items(batch)).values(gone))
            connection.execute(update(batches).where(batches.c.id == batch.id).values(inputs_kept=False))

    def with_old_inputs(self, age: Age) -> list[Batch]:
        """Batches all of whose items were rejected or ended so long ago, none of them held."""
        old = age.reached(tasks.c.finished_at, tasks.c.tenant, self._clock(), tasks.c.plan)
        recent = and_(not_(old), not_(rejected()))
        needs = or_(tasks.c.state.in_(UNFINISHED), tasks.c.hold == true(), recent)
        needed = exists(select(tasks.c.id).where(tasks.c.batch == batches.c.id, needs).correlate(batches))
        return self._select(and_(batches.c.inputs_kept == true(), ~needed), limit=CHUNK)

    def inputs_deleted(self, batch: Batch) -> None:
        """Remember that the uploads are gone from the store, since their time was over or the batch was erased."""
        gone = (
            update(batches).where(batches.c.id == batch.id, batches.c.inputs_kept == true()).values(inputs_kept=False)
        )
        with self._database.write() as connection:
            if connection.execute(gone).rowcount and batch.erased_at is None:
                write_entry(
                    connection, SERVICE.entry(Action.INPUTS_EXPIRE, self._clock(), batch.id, tenant=batch.tenant)
                )

    def delete_rows(self, age: Age) -> int:
        """Delete old batches none of whose items has a record any more; how many."""
        items = exists(select(tasks.c.id).where(tasks.c.batch == batches.c.id).correlate(batches))
        created_long_ago = age.reached(batches.c.created_at, batches.c.tenant, self._clock())
        old = and_(created_long_ago, ~batches.c.inputs_kept, ~items)
        some = select(batches.c.id).where(old).limit(CHUNK)
        with self._database.write() as connection:
            return connection.execute(delete(batches).where(batches.c.id.in_(some))).rowcount

    def kept(self, batch_ids: Collection[str]) -> dict[str, str]:
        """Those of these ids whose uploads must stay → tenant."""
        with self._database.read() as connection:
            stays = and_(batches.c.id.in_(batch_ids), batches.c.inputs_kept == true())
            return {row.id: row.tenant for row in connection.execute(select(batches).where(stays))}

    def _select(self, condition: ColumnElement[bool], *, limit: int) -> list[Batch]:
        newest_first = select(batches).where(condition).order_by(batches.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(newest_first).mappings().all()
            grouped = (
                select(tasks.c.batch, tasks.c.state, func.count())
                .where(tasks.c.batch.in_([row["id"] for row in rows]))
                .group_by(tasks.c.batch, tasks.c.state)
            )
            counts: dict[str, dict[State, int]] = defaultdict(dict)
            for batch_id, state, count in connection.execute(grouped) if rows else ():
                counts[batch_id][State(state)] = count
        return [_batch_of(row, counts[row["id"]]) for row in rows]


def _of(tenant: str, batch_id: str) -> ColumnElement[bool]:
    return and_(batches.c.tenant == tenant, batches.c.id == batch_id)


def _items(batch: Batch) -> ColumnElement[bool]:
    return and_(tasks.c.batch == batch.id, tasks.c.tenant == batch.tenant)


def _row_of(batch: Batch) -> dict[str, Any]:
    return {
        "id": batch.id, "tenant": batch.tenant, "subject": batch.subject, "total": batch.total,
        "options": dict(batch.options), "inputs": dict(batch.inputs), "template": batch.template,
        "idempotency_key": batch.idempotency_key, "request_digest": batch.request_digest,
        "inputs_kept": batch.inputs_kept, "created_at": batch.created_at,
        "canceled_at": batch.canceled_at, "erased_at": batch.erased_at,
        "credential": batch.credential,
    }  # fmt: skip


def _batch_of(row: RowMapping, counts: Counts) -> Batch:
    return Batch(
        id=row["id"], tenant=row["tenant"], subject=row["subject"], total=row["total"], options=row["options"],
        inputs=row["inputs"], created_at=row["created_at"], template=row["template"],
        idempotency_key=row["idempotency_key"], request_digest=row["request_digest"], inputs_kept=row["inputs_kept"],
        canceled_at=row["canceled_at"], erased_at=row["erased_at"],
        credential=row["credential"], counts=counts,
    )  # fmt: skip
