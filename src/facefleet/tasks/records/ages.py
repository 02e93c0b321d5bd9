"""Says how long something is kept: a usual age, and those of tenants for which another was decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, literal


@dataclass(frozen=True, slots=True)
class Age:
    """An age that something reaches.

    Attributes:
        usual: Of every tenant that is not in ``own``.
        own: Tenant → its own.
    """

    usual: timedelta
    own: Mapping[str, timedelta] = field(default_factory=dict)

    def reached(self, since: ColumnElement[datetime], tenant: ColumnElement[str], now: datetime) -> ColumnElement[bool]:
        """The condition that more than its tenant's age has passed; not true where ``since`` is null.

        Args:
            since: The column with the time from which the age counts.
            tenant: The column with the tenant.
            now: UTC.
        """
        tenants = defaultdict(list)
        for name, age in self.own.items():
            tenants[age].append(name)
        if not tenants:
            return since < now - self.usual
        # The first half is true of every row that the second is true of, and can be answered by an index.
        shortest = min(self.usual, *tenants)
        own = [(tenant.in_(names), literal(now - age, since.type)) for age, names in tenants.items()]
        return and_(since < now - shortest, since < case(*own, else_=literal(now - self.usual, since.type)))
