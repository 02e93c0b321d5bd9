"""Decides the order in which a worker looks at the broker's lists.

One list per (track, lane, shard). Workers take lanes in order and rotate over the shards inside a lane, so many tasks
of one tenant delay only the tenants of its shard. Every k-th turn looks at the lower lanes first, so no lane starves. A
paused lane is always skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from facefleet.tasks.lanes import Lane
from facefleet.tasks.routes import route_of

_ORDER = tuple(Lane)


def always() -> bool:
    """Always take messages."""
    return True


def nothing() -> Collection[str]:
    """Pause no lane."""
    return ()


class LaneCycle:
    """Orders the lists that are polled; plugged into kombu's ``queue_order_strategy``.

    kombu asks with ``consume`` before each blocking pop, and reports with ``rotate`` which list gave a message.
    """

    def __init__(
        self, *, every: int, watch: Callable[[], bool] = always, paused: Callable[[], Collection[str]] = nothing
    ) -> None:
        """Every ``every``-th message, the lower lanes are looked at first.

        ``watch`` is called before each poll; while it returns false, nothing is taken. ``paused`` is called too, and
        returns the lanes (``<track>.<lane>``) whose lists are not looked at.
        """
        self._every = every
        self._watch = watch
        self._paused = paused
        self._turn = 0
        self._lanes: dict[Lane, list[str]] = {}

    def update(self, names: Iterable[str]) -> None:
        """Take these lists; those already known keep their place in the rotation."""
        wanted = dict.fromkeys(names)
        known = {lane: [name for name in shards if name in wanted] for lane, shards in self._lanes.items()}
        for name in wanted:
            shards = known.setdefault(_lane(name), [])
            if name not in shards:
                shards.append(name)
        self._lanes = known

    def consume(self, count: int) -> list[str]:
        """The first ``count`` lists in the order of this turn, without those of paused lanes."""
        if not self._watch():
            return []
        paused = self._paused()
        names = (name for lane in self._order() for name in self._lanes.get(lane, ()))
        return [name for name in names if name.rpartition(".")[0] not in paused][:count]

    def rotate(self, last_used: str) -> str:
        """Put the list that gave a message last: the other shards of its lane go first next time."""
        self._turn += 1
        shards = self._lanes.get(_lane(last_used), [])
        if last_used in shards:
            after = shards.index(last_used) + 1
            shards[:] = shards[after:] + shards[:after]
        return last_used

    def _order(self) -> tuple[Lane, ...]:
        if self._turn % self._every != self._every - 1:
            return _ORDER
        # The lower lanes take turns at being first, so that the lowest is not starved by the one above it.
        first = 1 + self._turn // self._every % (len(_ORDER) - 1)
        return _ORDER[first:] + _ORDER[:first]


def _lane(name: str) -> Lane:
    return Lane(route_of(name).lane)
