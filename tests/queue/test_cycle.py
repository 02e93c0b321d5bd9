"""The order of the lists, without a broker."""

from __future__ import annotations

from collections import Counter

import pytest

from facefleet.queue.cycle import LaneCycle
from facefleet.tasks.lanes import Lane
from facefleet.tasks.routes import SHARDS, Route, list_name, route_of, routes

ALL = [list_name(route) for route in routes("stable")]
NEVER = 10**9


def cycle(every: int = NEVER, names: list[str] | None = None) -> LaneCycle:
    made = LaneCycle(every=every)
    made.update(ALL if names is None else names)
    return made


def lane_of(name: str) -> Lane:
    return Lane(route_of(name).lane)


def pop(lanes: LaneCycle, waiting: dict[str, int]) -> str:
    """One blocking pop: the first list in order that has a message."""
    name = next(name for name in lanes.consume(len(ALL)) if waiting.get(name, 0))
    waiting[name] -= 1
    return lanes.rotate(name)


def turns_until(name: str, lanes: LaneCycle, waiting: dict[str, int], limit: int = 1000) -> int:
    for turn in range(1, limit):
        if pop(lanes, waiting) == name:
            return turn
    raise AssertionError(f"{name} starved for {limit} turns")


def test_a_track_has_a_list_for_every_lane_and_shard() -> None:
    assert len(ALL) == len(set(ALL)) == len(Lane) * SHARDS
    assert ALL[0] == "stable.interactive.0"
    assert ALL[-1] == "stable.bulk.7"


@pytest.mark.parametrize("name", ALL)
def test_a_name_tells_its_route(name: str) -> None:
    assert list_name(route_of(name)) == name


def test_two_tracks_share_no_list() -> None:
    assert not set(ALL) & {list_name(route) for route in routes("canary")}
    assert route_of("canary.bulk.3") == Route("canary", "bulk", 3)


def test_higher_lanes_come_first_whatever_order_the_lists_came_in() -> None:
    lanes = cycle(names=ALL[::-1])
    order = [lane_of(name) for name in lanes.consume(len(ALL))]
    assert order == [Lane.INTERACTIVE] * SHARDS + [Lane.STANDARD] * SHARDS + [Lane.BULK] * SHARDS


def test_no_more_lists_are_given_than_asked_for() -> None:
    assert cycle().consume(3) == ALL[:3]
    assert LaneCycle(every=5).consume(3) == []


def test_while_told_not_to_watch_no_list_is_given_and_the_order_is_kept() -> None:
    watching = [True]
    lanes = LaneCycle(every=5, watch=lambda: watching[0])
    lanes.update(ALL)
    lanes.rotate("stable.interactive.2")
    before = lanes.consume(len(ALL))
    watching[0] = False
    assert lanes.consume(len(ALL)) == []
    watching[0] = True
    assert lanes.consume(len(ALL)) == before


def test_the_list_that_gave_a_message_goes_last_in_its_lane() -> None:
    lanes = cycle()
    assert lanes.rotate("stable.interactive.2") == "stable.interactive.2"
    shards = [route_of(name).shard for name in lanes.consume(SHARDS)]
    assert shards == [3, 4, 5, 6, 7, 0, 1, 2]
    assert lanes.consume(len(ALL))[SHARDS:] == ALL[SHARDS:], "the other lanes stay as they are"


def test_an_update_keeps_the_rotation() -> None:
    lanes = cycle()
    lanes.rotate("stable.interactive.2")
    before = lanes.consume(len(ALL))
    lanes.update(ALL)
    assert lanes.consume(len(ALL)) == before


def test_an_update_drops_and_adds_lists() -> None:
    lanes = cycle(names=["stable.bulk.0", "stable.bulk.1"])
    lanes.rotate("stable.bulk.0")
    lanes.update(["stable.bulk.0", "stable.bulk.2", "stable.bulk.2"])
    assert lanes.consume(9) == ["stable.bulk.0", "stable.bulk.2"]
    lanes.update([])
    assert lanes.consume(9) == []


def test_lists_that_come_one_by_one_end_in_the_same_order() -> None:
    """kombu subscribes to one list after another and calls update each time."""
    lanes = LaneCycle(every=5)
    for count in range(len(ALL)):
        lanes.update(ALL[: count + 1])
    assert lanes.consume(len(ALL)) == ALL


def test_a_message_of_a_list_given_up_meanwhile_does_no_harm() -> None:
    lanes = cycle(names=["stable.bulk.0"])
    assert lanes.rotate("stable.interactive.1") == "stable.interactive.1"
    assert lanes.consume(9) == ["stable.bulk.0"]


def test_every_third_turn_looks_at_the_lower_lanes_first() -> None:
    lanes = cycle(every=3)
    first = []
    for _ in range(12):
        name = lanes.consume(1)[0]
        first.append(lane_of(name)[0])
        lanes.rotate(name)
    assert "".join(first) == "iisiibiisiib"


def test_a_turn_for_the_lower_lanes_still_looks_at_all() -> None:
    lanes = cycle(every=2)
    lanes.rotate(ALL[0])
    assert sorted(lanes.consume(len(ALL))) == sorted(ALL)


@pytest.mark.parametrize("every", [2, 5, 20])
@pytest.mark.parametrize("done", [0, 1, 7, 40])
def test_no_lane_starves_under_floods_in_all_others(every: int, done: int) -> None:
    for lane in Lane:
        mine = f"stable.{lane}.4"
        lanes, waiting = cycle(every), {name: NEVER for name in ALL if lane_of(name) != lane}
        for _ in range(done):
            pop(lanes, waiting)
        waiting[mine] = 1
        assert turns_until(mine, lanes, waiting) <= 2 * every


@pytest.mark.parametrize("done", [0, 3, 100])
def test_one_shards_flood_delays_the_others_by_one_message(done: int) -> None:
    flood, mine = "stable.interactive.5", "stable.interactive.1"
    lanes, waiting = cycle(), {flood: NEVER}
    for _ in range(done):
        pop(lanes, waiting)
    waiting[mine] = 1
    assert turns_until(mine, lanes, waiting) <= 2


def test_when_everybody_floods_shards_take_equal_turns() -> None:
    lanes, waiting = cycle(every=5), dict.fromkeys(ALL, NEVER)
    got = Counter(pop(lanes, waiting) for _ in range(8 * 8 * 10))
    for lane in Lane:
        shares = [got[f"stable.{lane}.{shard}"] for shard in range(SHARDS)]
        assert max(shares) - min(shares) <= 1
    lanes_share = Counter(lane_of(name) for name in got.elements())
    assert lanes_share[Lane.INTERACTIVE] == 512
    assert lanes_share[Lane.STANDARD] == lanes_share[Lane.BULK] == 64


def test_an_idle_service_answers_the_lowest_lane_at_once() -> None:
    assert turns_until("stable.bulk.7", cycle(), {"stable.bulk.7": 1}) == 1
