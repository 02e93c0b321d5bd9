"""Chooses the route of a task to its worker: release track, lane and shard; each triple is one list of the broker.

Nothing else names a track or decides about a lane.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from facefleet.tasks.kinds import KINDS, Kind
from facefleet.tasks.lanes import Lane

STABLE = "stable"
SHARDS = 8
_ORDER = tuple(Lane)


@dataclass(frozen=True, slots=True)
class Route:
    """The list of the broker a task travels through.

    Attributes:
        track: Release track (``stable``, ``canary``).
        lane: Priority.
        shard: 0 to ``SHARDS`` − 1, by tenant, so that one tenant's flood fills one shard only.
    """

    track: str
    lane: str
    shard: int


def choose_route(kind: Kind, tenant: str, *, lane: Lane | None = None, track: str = STABLE) -> Route:
    """The route of a new task.

    Args:
        kind: What the task does.
        tenant: Whose task it is.
        lane: Of the tenant's policy; the one that the row of the kind names where not given.
        track: Release track whose workers take it.
    """
    return Route(track, lane or KINDS[kind].lane, shard_of(tenant))


def shard_of(tenant: str) -> int:
    """The tenant's shard; the same on every machine and in every release."""
    return int.from_bytes(hashlib.sha256(tenant.encode()).digest()[:4], "big") % SHARDS


def list_name(route: Route) -> str:
    """The broker's list of a route: ``<track>.<lane>.<shard>``."""
    return f"{route.track}.{route.lane}.{route.shard}"


def route_of(name: str) -> Route:
    """The route of a list."""
    track, lane, shard = name.split(".")
    return Route(track, lane, int(shard))


def routes(track: str) -> list[Route]:
    """Every list of a track, in the order of its lanes."""
    return [Route(track, lane, shard) for lane in _ORDER for shard in range(SHARDS)]
