"""Keeps the policies that operators change while the service runs; they come before those of the file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import ColumnElement, RowMapping, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from facefleet.access.policy import SHAPES, Policy, Scope
from facefleet.clock import Clock
from facefleet.errors.outage import RecordsUnavailable
from facefleet.tasks.audit import Action, Origin
from facefleet.tasks.records.audit_log import write_entry
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.table import policies


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A policy that an operator set.

    Attributes:
        policy: Its values that were given; a ``TenantPolicy`` for a tenant.
        by: Who set it.
        at: UTC.
    """

    scope: Scope
    name: str
    policy: Policy
    by: str
    at: datetime


class PolicyRecords:
    """The table of policies.

    Every method raises ``RecordsUnavailable`` when the database does not answer. A change is committed with its entry
    in the audit log.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def all(self) -> list[StoredPolicy]:
        """Those that are set, by scope and name.

        Raises:
            RecordsUnavailable: As above; or a row has what this build does not know, since a newer one wrote it.
        """
        with self._database.read() as connection:
            rows = connection.execute(select(policies).order_by(policies.c.scope, policies.c.name)).mappings()
            return [_stored(row) for row in rows]

    def put(self, scope: Scope, name: str, policy: Policy, by: Origin) -> None:
        """Set the policy of a tenant or plan, whatever it was."""
        try:
            self._put(scope, name, policy, by)
        except IntegrityError:  # another was faster
            self._put(scope, name, policy, by)

    def clear(self, scope: Scope, name: str, by: Origin) -> None:
        """Go back to the values of the file; where none was set nothing changes."""
        with self._database.write() as connection:
            if connection.execute(delete(policies).where(_one(scope, name))).rowcount:
                write_entry(connection, by.entry(Action.POLICY_CLEAR, self._clock(), name, tenant=_owner(scope, name)))

    def _put(self, scope: Scope, name: str, policy: Policy, by: Origin) -> None:
        now = self._clock()
        values = {"body": policy.given(), "changed_at": now, "changed_by": by.actor}
        with self._database.write() as connection:
            if not connection.execute(update(policies).where(_one(scope, name)).values(values)).rowcount:
                connection.execute(insert(policies).values(scope=scope, name=name, **values))
            write_entry(connection, by.entry(Action.POLICY_SET, now, name, tenant=_owner(scope, name)))


def _stored(row: RowMapping) -> StoredPolicy:
    try:
        scope = Scope(row["scope"])
        policy = SHAPES[scope].model_validate(row["body"])
    except ValidationError as error:
        fields = sorted({".".join(map(str, one["loc"])) for one in error.errors(include_input=False)})
        raise _not_understood(row, fields) from None
    except ValueError:
        raise _not_understood(row, ["scope"]) from None
    return StoredPolicy(scope, row["name"], policy, row["changed_by"], row["changed_at"])


def _not_understood(row: RowMapping, fields: list[str]) -> RecordsUnavailable:
    return RecordsUnavailable(
        f"The policy of the {row['scope']} {row['name']} has what this build does not know ({', '.join(fields)}); "
        "a newer build wrote it: replace this program, too.",
        scope=row["scope"], name=row["name"], fields=fields,
    )  # fmt: skip


def _one(scope: Scope, name: str) -> ColumnElement[bool]:
    return and_(policies.c.scope == scope, policies.c.name == name)


def _owner(scope: Scope, name: str) -> str:
    """Whose change it is in the audit log; a plan is nobody's."""
    return name if scope is Scope.TENANT else ""
