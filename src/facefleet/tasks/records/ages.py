"""Says how long something is kept: a usual age, and those of tenants and plans for which another was decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, case, literal

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Age:
    """An age that something reaches.

    Attributes:
        usual: Of everything that has no other.
        own: Tenant → its own; it comes before that of a plan.
        plans: Plan that the record names → age.
        pairs: Tenant and plan that the record names → age; it comes before the others.
    """

    usual: timedelta
    own: Mapping[str, timedelta] = field(default_factory=dict)
    plans: Mapping[str, timedelta] = field(default_factory=dict)
    pairs: Mapping[tuple[str, str], timedelta] = field(default_factory=dict)

    def reached(
        self, since: ColumnElement[datetime], tenant: ColumnElement[str], now: datetime,
        plan: ColumnElement[str | None] | None = None,
    ) -> ColumnElement[bool]:  # fmt: skip
        """The condition that more than its age has passed; not true where ``since`` is null.

        Args:
            since: The column with the time from which the age counts.
            tenant: The column with the tenant.
            now: UTC.
            plan: The column with the plan, where the records have one.
        """
        cases = list(self._cases(tenant, plan))
        if not cases:
            return since < now - self.usual
        # The first half is true of every row that the second is true of, and can be answered by an index.
        shortest = min(self.usual, *(age for _, age in cases))
        limits = [(condition, literal(now - age, since.type)) for condition, age in cases]
        return and_(since < now - shortest, since < case(*limits, else_=literal(now - self.usual, since.type)))

    def _cases(
        self, tenant: ColumnElement[str], plan: ColumnElement[str | None] | None
    ) -> Iterator[tuple[ColumnElement[bool], timedelta]]:
        """Whose age it is, the one that comes first first."""
        if plan is not None:
            of_both = _by_value({key: (key[1], age) for key, age in self.pairs.items()})
            for (name, age), keys in of_both.items():
                yield and_(plan == name, tenant.in_([one for one, _ in keys])), age
        for age, names in _by_value(self.own).items():
            yield tenant.in_(names), age
        if plan is not None:
            for age, names in _by_value(self.plans).items():
                yield plan.in_(names), age


def _by_value(values: Mapping[_K, _V]) -> dict[_V, list[_K]]:
    """Value → the keys that have it."""
    keys = defaultdict(list)
    for key, value in values.items():
        keys[value].append(key)
    return keys
