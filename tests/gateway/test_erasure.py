"""Erasure and retention: what must go is gone, what must stay is there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from obstore.store import MemoryStore
from prometheus_client import CollectorRegistry
from tests.gateway.conftest import Door, Open, picture
from tests.tasks.fakes import FakeClock

from facefleet import config
from facefleet.access.policy import Policies, Policy, TenantPolicy
from facefleet.access.session_records import SessionRecords
from facefleet.errors.outage import StoreUnavailable
from facefleet.observability.metrics import Metrics
from facefleet.storage.keys import input_key, part_key, result_key
from facefleet.storage.store import ObjectStore, Store
from facefleet.tasks.batches import Batches
from facefleet.tasks.ids import new_id
from facefleet.tasks.records.ages import Age
from facefleet.tasks.records.retention_records import RetentionRecords
from facefleet.tasks.task import Task
from facefleet.tasks.templates import Templates
from facefleet.tasks.transitions import State
from facefleet.tasks.uploads import UploadRecords
from facefleet.upkeep.retention import Retention
from facefleet.upkeep.terms import Terms

LEASE = timedelta(minutes=1)
HOUR, WEEK, QUARTER = timedelta(hours=1), timedelta(days=7), timedelta(days=90)


def submitted(door: Door) -> Task:
    task_id = door.submit(source=picture(seed=1), target=picture(seed=2)).json()["task_id"]
    return door.records.get("local", task_id)


def claimed(door: Door) -> Task:
    task = door.records.claim(submitted(door).id, LEASE, {})
    assert task is not None
    return task


def succeeded(door: Door) -> Task:
    task = claimed(door)
    key = result_key(task.tenant, task.id, task.fence)
    door.parts.store.put(key, b"a picture")
    assert door.records.succeed(task, key, "image/png", {})
    return door.records.get("local", task.id)


def hold(door: Door, task: Task) -> None:
    with door.parts.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE tasks SET hold = 1 WHERE id = '{task.id}'")


def test_a_finished_task_is_erased_and_its_receipt_stays(door: Door) -> None:
    task = succeeded(door)
    answer = door.client.delete(f"/v1/tasks/{task.id}")
    assert (answer.status_code, answer.json()["status"]) == (200, "erased")
    assert door.kept() == []
    view = door.client.get(f"/v1/tasks/{task.id}").json()
    assert (view["status"], view["options"], view["erased_at"]) == ("succeeded", {}, answer.json()["erased_at"])
    gone = door.client.get(f"/v1/tasks/{task.id}/result")
    assert (gone.status_code, gone.json()["code"]) == (410, "result_unavailable")
    assert door.client.delete(f"/v1/tasks/{task.id}").json() == answer.json()
    assert door.client.delete("/v1/tasks/0").status_code == 404


def test_a_waiting_task_that_is_erased_never_runs(door: Door) -> None:
    task = submitted(door)
    door.client.delete(f"/v1/tasks/{task.id}")
    assert door.kept() == []
    assert door.records.get("local", task.id).state is State.CANCELED
    assert door.records.claim(task.id, LEASE, {}) is None


def test_a_running_worker_of_an_erased_task_cannot_name_its_late_result(door: Door) -> None:
    task = claimed(door)
    door.client.delete(f"/v1/tasks/{task.id}")
    assert not door.records.succeed(task, result_key(task.tenant, task.id, 1), "image/png", {})
    assert door.records.get("local", task.id).state is State.CANCELED


def test_a_task_under_legal_hold_is_not_erased(door: Door) -> None:
    task = succeeded(door)
    hold(door, task)
    answer = door.client.delete(f"/v1/tasks/{task.id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "task_held")
    assert len(door.kept()) == 3
    assert door.client.get(f"/v1/tasks/{task.id}/result").content == b"a picture"


class Away(ObjectStore):
    """A store that takes and gives but does not delete for a while."""

    away = True

    def delete(self, key: str) -> None:
        if self.away:
            raise StoreUnavailable("The object store did not answer; try again.")
        super().delete(key)


def test_what_the_store_would_not_delete_is_deleted_later(open_door: Open) -> None:
    store = Away(MemoryStore())
    door = open_door(store=store)
    task = succeeded(door)
    assert door.client.delete(f"/v1/tasks/{task.id}").json()["status"] == "erasing"
    store.away = False
    retention(door, FakeClock(task.created_at)).round()
    assert door.kept() == []


def retention(door: Door, clock: FakeClock, store: Store | None = None) -> Retention:
    terms = Terms(Age(HOUR), Age(WEEK), Age(QUARTER), HOUR)
    retention_records = RetentionRecords(door.parts.database, clock)
    templates, batches = Templates(door.parts.database, clock), Batches(door.parts.database, clock)
    return Retention(
        retention_records,
        templates,
        batches,
        UploadRecords(door.parts.database, clock),
        SessionRecords(door.parts.database, clock),
        store or door.parts.store,
        Metrics(CollectorRegistry()),
        clock,
        lambda: terms,
    )


def test_uploads_results_and_rows_go_when_their_time_is_over(door: Door) -> None:
    task, waiting = succeeded(door), submitted(door)
    assert task.finished_at is not None
    clock = FakeClock(task.finished_at)
    deleter = retention(door, clock)

    def left() -> list[str]:
        deleter.round()
        return [key.split("/")[2] for key in door.kept() if waiting.id not in key]

    assert left() == ["inputs", "inputs", "results"]
    clock.advance(HOUR.total_seconds() + 1)
    assert left() == ["results"]
    clock.advance(WEEK.total_seconds())
    assert left() == []
    assert door.client.get(f"/v1/tasks/{task.id}/result").json()["code"] == "result_unavailable"
    assert door.client.get(f"/v1/tasks/{task.id}").status_code == 200
    clock.advance(QUARTER.total_seconds())
    deleter.round()
    assert door.client.get(f"/v1/tasks/{task.id}").status_code == 404
    assert len(door.kept()) == 2, "a task that has not ended keeps its uploads"


def test_the_policy_of_a_tenant_says_how_long_and_may_change_meanwhile(door: Door) -> None:
    task = succeeded(door)
    assert task.finished_at is not None
    clock, policies = FakeClock(task.finished_at + HOUR + timedelta(seconds=1)), [Policies()]
    deleter = Retention.build(
        config.Retention(), door.parts.database, door.parts.store, Metrics(CollectorRegistry()), clock,
        policies=lambda: policies[-1],
    )  # fmt: skip

    def left(own: TenantPolicy) -> list[str]:
        policies.append(Policies(default=Policy(keep_inputs=10), tenants={"local": own}))
        deleter.round()
        return [key.split("/")[2] for key in door.kept()]

    assert left(TenantPolicy(keep_inputs=7200)) == ["inputs", "inputs", "results"], "longer than the service keeps it"
    assert left(TenantPolicy(keep_results=60, keep_inputs=7200)) == ["inputs", "inputs"]
    assert left(TenantPolicy()) == []
    assert left(TenantPolicy(keep_rows=60)) == []
    assert door.client.get(f"/v1/tasks/{task.id}").status_code == 404


def test_a_legal_hold_stops_retention_for_that_task_only(door: Door) -> None:
    held, other = succeeded(door), succeeded(door)
    hold(door, held)
    assert held.finished_at is not None
    retention(door, FakeClock(held.finished_at + 2 * QUARTER)).round()
    assert {key.split("/")[3] for key in door.kept()} == {held.id}
    assert door.client.get(f"/v1/tasks/{held.id}").status_code == 200
    assert door.client.get(f"/v1/tasks/{other.id}").status_code == 404


def test_objects_that_no_record_names_go_when_they_are_old(door: Door) -> None:
    task, running, fresh = succeeded(door), claimed(door), new_id()
    assert task.finished_at is not None
    orphans = [
        input_key("local", fresh, "source"),  # a gateway died before its commit
        result_key("local", task.id, 7),  # a worker died after it had lost
        part_key("local", task.id, 8, "0001"),  # and another in the middle of its parts
    ]
    others = [
        result_key("local", running.id, 1),
        part_key("local", running.id, 2, "0001"),
        "tenants/local/templates/spring",
    ]
    for key in orphans + others:
        door.parts.store.put(key, b"x")
    before = door.kept()
    half = door.settings.data / "objects" / f"tenants/local/inputs/{fresh}/target#1"
    half.write_bytes(b"killed in the middle")
    clock = FakeClock(task.finished_at)
    deleter = retention(door, clock)
    assert deleter.delete_orphans() == 0, "what is young may be an upload under way"
    clock.advance(HOUR.total_seconds() + 60)
    assert deleter.delete_orphans() == 4
    assert not half.exists()
    assert door.kept() == sorted(set(before) - set(orphans))


@pytest.mark.parametrize("state", ["queued", "running"])
def test_uploads_of_a_task_that_has_not_ended_are_never_old(door: Door, state: str) -> None:
    task = claimed(door) if state == "running" else submitted(door)
    retention(door, FakeClock(task.created_at + 2 * QUARTER)).round()
    assert len(door.kept()) == 2
