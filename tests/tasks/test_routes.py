"""The choice of a task's list, on plain values."""

from __future__ import annotations

import pytest

from facefleet.tasks.kinds import KINDS, Kind
from facefleet.tasks.lanes import Lane
from facefleet.tasks.routes import STABLE, Route, choose_route, list_name, route_of, routes, shard_of


@pytest.mark.parametrize("kind", Kind)
def test_a_task_travels_in_the_lane_of_its_kind_and_the_shard_of_its_tenant(kind: Kind) -> None:
    assert choose_route(kind, "acme") == Route(STABLE, KINDS[kind].lane, shard_of("acme"))


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("lane", Lane)
def test_a_task_travels_in_the_lane_that_its_policy_names(kind: Kind, lane: Lane) -> None:
    assert choose_route(kind, "acme", lane=lane) == Route(STABLE, lane, shard_of("acme"))


@pytest.mark.parametrize("track", ["stable", "canary"])
def test_the_route_of_a_task_is_one_of_its_track_and_its_name_tells_it(track: str) -> None:
    route = choose_route(Kind.FUSE, "globex", track=track)
    assert route in routes(track)
    assert route_of(list_name(route)) == route
