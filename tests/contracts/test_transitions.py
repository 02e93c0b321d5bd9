"""The table of transitions is what the database does: every change is tried in every state."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.tasks.fakes import LEASE, ORIGIN, AllRecords, FakeClock, a_task

from facefleet.errors.conflict import Conflict
from facefleet.errors.outage import StoreUnavailable
from facefleet.tasks.records.changes import Committed, statement
from facefleet.tasks.records.claims import Postponed
from facefleet.tasks.records.operator_records import OperatorRecords
from facefleet.tasks.records.retention_records import RetentionRecords
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import TRANSITIONS, Actor, Change, State, states_before

ERROR = StoreUnavailable("The object store did not answer; try again.")


class Everybody:
    """All views of one database, and what they committed."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.made: list[Committed] = []
        self.clock = clock
        self.records = AllRecords(database, clock, self.made.append)
        self.retention = RetentionRecords(database, clock, self.made.append)
        self.operators = OperatorRecords(database, clock, self.made.append)


def find_no_place(all_: Everybody, task: Task) -> None:
    with suppress(Postponed):
        all_.records.claim(task.id, LEASE, {}, cap=lambda *_: 0)


MADE: dict[Change, Callable[[Everybody, Task], object]] = {
    Change.CLAIM: lambda all_, task: all_.records.claim(task.id, LEASE, {}),
    Change.POSTPONE: lambda all_, task: find_no_place(all_, task),
    Change.ADVANCE: lambda all_, task: all_.records.advance(task, "warp", 0.5),
    Change.SUCCEED: lambda all_, task: all_.records.succeed(task, "key", "image/png", {}),
    Change.FAIL: lambda all_, task: all_.records.fail(task, ERROR),
    Change.RETRY: lambda all_, task: all_.records.retry(task, ERROR, all_.clock()),
    Change.HAND_BACK: lambda all_, task: all_.records.hand_back(task),
    Change.REQUEUE_LOST: lambda all_, task: all_.records.requeue_lost(task),
    Change.FAIL_LOST: lambda all_, task: all_.records.fail_lost(task, ERROR),
    Change.FAIL_OVERDUE: lambda all_, task: all_.records.fail_overdue(task, ERROR),
    Change.CANCEL: lambda all_, task: all_.records.cancel(task.tenant, task.id),
    Change.ERASE: lambda all_, task: all_.retention.erase(task, ORIGIN),
    Change.REQUEUE: lambda all_, task: all_.operators.requeue(task.id, ORIGIN),
    Change.HOLD: lambda all_, task: all_.operators.hold(task.id, ORIGIN, on=True),
}


@pytest.fixture
def everybody(database: Database, clock: FakeClock) -> Everybody:
    return Everybody(database, clock)


@pytest.mark.parametrize("change", [change for change in Change if change is not Change.ADD])
def test_a_change_is_made_in_the_states_of_its_row_and_no_others(everybody: Everybody, change: Change) -> None:
    for state in State:
        lost = everybody.clock() - timedelta(minutes=1)
        task = replace(a_task(everybody.clock()), state=state, fence=1, lease_until=lost)
        everybody.records.add(task)
        everybody.made.clear()
        with suppress(Conflict):
            MADE[change](everybody, task)
        now, allowed = everybody.records.get(task.tenant, task.id), state in states_before(change)
        assert now.state is TRANSITIONS[change].moves.get(state, state)
        assert now.version == task.version + allowed
        made = [(one.change, one.task_id, one.version) for one in everybody.made]
        assert made == ([(change, task.id, now.version)] if allowed else [])
        assert all(one.by in TRANSITIONS[change].by for one in everybody.made)


def test_a_new_record_passes_the_hook(everybody: Everybody) -> None:
    task = everybody.records.add(a_task(everybody.clock()))
    assert everybody.made == [Committed(Change.ADD, Actor.GATEWAY, task.id, 1)]


@pytest.mark.parametrize("change", Change)
def test_no_statement_can_be_built_for_whom_the_table_does_not_name(change: Change) -> None:
    for actor in set(Actor) - TRANSITIONS[change].by:
        with pytest.raises(ValueError, match=f"{change} is not for the {actor}"):
            statement(change, actor)
