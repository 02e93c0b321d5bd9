"""Where a queued task stands, and when it may begin."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
from tests.schemas import bring_to_schema
from tests.tasks.fakes import LEASE, AllRecords, FakeClock, a_task

from facefleet.errors.outage import StoreUnavailable
from facefleet.gateway.follow.queue_position import Place, QueuePosition
from facefleet.tasks.records.lane_counts import LaneCounts
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Task

_AWAY = StoreUnavailable("The object store did not answer; try again.")


class Rig:
    """Records in memory and an queue_position on them."""

    def __init__(self, database: Database) -> None:
        self.clock = FakeClock()
        self.seconds = 0.0
        self.records = AllRecords(database, self.clock)
        self.queue_position = QueuePosition(LaneCounts(database, self.clock), self.clock, lambda: self.seconds)

    def queue(self, count: int) -> list[Task]:
        made = []
        for _ in range(count):
            made.append(self.records.add(a_task(self.clock())))
            self.clock.advance(0.001)
        return made

    def claim(self, task: Task) -> None:
        assert self.records.claim(task.id, LEASE, {}) is not None

    def place(self, task: Task) -> Place | None:
        return asyncio.run(self.queue_position.place(self.records.get(task.tenant, task.id)))


@pytest.fixture
def rig() -> Iterator[Rig]:
    database = Database("sqlite://")
    bring_to_schema(database)
    yield Rig(database)
    database.close()


def test_a_place_is_what_comes_before_and_the_start_follows_from_the_rate(rig: Rig) -> None:
    tasks = rig.queue(40)
    for task in tasks[:30]:  # within the last minute: one in 2 s
        rig.claim(task)
    assert rig.place(tasks[30]) == Place(0, rig.clock() + timedelta(seconds=2))
    assert rig.place(tasks[39]) == Place(9, rig.clock() + timedelta(seconds=20))
    assert rig.place(tasks[0]) is None, "it runs"


def test_where_nothing_starts_nobody_knows_when(rig: Rig) -> None:
    first, second = rig.queue(2)
    assert [rig.place(task) for task in (first, second)] == [Place(0, None), Place(1, None)]


def test_one_read_serves_all_who_ask_within_a_second(rig: Rig) -> None:
    first, second = rig.queue(2)
    assert rig.place(second) == Place(1, None)
    rig.claim(first)
    assert rig.place(second) == Place(1, None)
    rig.seconds = 1.0
    assert rig.place(second) == Place(0, rig.clock() + timedelta(seconds=60))


def test_a_retry_that_is_not_due_comes_after_all_that_are(rig: Rig) -> None:
    retried, other = rig.queue(2)
    run = rig.records.claim(retried.id, LEASE, {})
    assert run is not None
    later = rig.clock() + timedelta(minutes=5)
    rig.records.retry(run, _AWAY, later)
    assert rig.place(other) == Place(0, rig.clock() + timedelta(seconds=60))
    assert rig.place(retried) == Place(1, later)
