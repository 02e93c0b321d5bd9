from __future__ import annotations

import uuid
from dataclasses import FrozenInstanceError
from datetime import timedelta

import pytest
from tests.tasks.fakes import START, a_task

from facefleet.tasks.ids import new_id
from facefleet.tasks.routes import SHARDS, Route, shard_of
from facefleet.tasks.transitions import TRANSITIONS, Actor, Change, State, states_before


def test_the_transitions_are_those_of_the_design() -> None:
    rows = [row for row in TRANSITIONS.values() if row.by != {Actor.OPERATOR}]
    moves = {(old, new) for row in rows for old, new in row.moves.items() if old is not None and old is not new}
    allowed = {(old.value, new.value) for old, new in moves}
    assert allowed == {
        ("queued", "running"), ("queued", "failed"), ("queued", "canceled"),
        ("running", "queued"), ("running", "succeeded"), ("running", "failed"), ("running", "canceled"),
    }  # fmt: skip
    assert set(TRANSITIONS) == set(Change)


def test_only_an_operator_begins_an_ended_task_anew() -> None:
    moves = [(change, old, new) for change, row in TRANSITIONS.items() for old, new in row.moves.items()]
    anew = {change for change, old, new in moves if old is not None and old.terminal and new is not old}
    assert anew == {Change.REQUEUE}
    assert TRANSITIONS[Change.REQUEUE].by == {Actor.OPERATOR}
    assert set(states_before(Change.REQUEUE)) == {State.FAILED, State.CANCELED}


def test_ended_are_the_states_without_a_way_on() -> None:
    assert {state for state in State if state.terminal} == {State.SUCCEEDED, State.FAILED, State.CANCELED}


# Written down once: were one to change, a rolling update would send a tenant's messages through two lists.
SHARD_BY_TENANT = {"acme": 5, "globex": 5, "initech": 2, "local": 2, "tenant-1": 3, "": 2, "中文": 0}


@pytest.mark.parametrize(("tenant", "shard"), SHARD_BY_TENANT.items())
def test_a_tenants_shard_never_changes(tenant: str, shard: int) -> None:
    assert shard_of(tenant) == shard


def test_tenants_spread_over_all_shards() -> None:
    counts = [0] * SHARDS
    for number in range(4000):
        counts[shard_of(f"tenant-{number}")] += 1
    assert min(counts) > 400
    assert max(counts) < 600


def test_a_new_task_is_queued_due_at_once_and_unsent() -> None:
    task = a_task(START, tenant="acme", lane="bulk", track="canary", deadline=timedelta(seconds=90))
    assert task.route == Route("canary", "bulk", shard_of("acme"))
    assert (task.state, task.run_at, task.created_at) == (State.QUEUED, START, START)
    assert task.deadline_at == START + timedelta(seconds=90)
    assert (task.fence, task.failures, task.lost, task.version) == (0, 0, 0, 1)
    assert (task.sent_at, task.sent_epoch, task.lease_until, task.failure) == (None, None, None, None)


def test_a_sent_task_differs_by_its_message_only() -> None:
    task = a_task()
    sent = task.sent(START, "e1")
    assert (sent.sent_at, sent.sent_epoch) == (START, "e1")
    assert sent.version == task.version
    assert task.sent_at is None


def test_a_record_cannot_be_changed_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        a_task().state = State.RUNNING  # type: ignore[misc]


def test_ids_are_uuids_of_version_7_and_sort_by_time() -> None:
    ids = [new_id() for _ in range(5000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert {uuid.UUID(name).version for name in ids} == {7}
