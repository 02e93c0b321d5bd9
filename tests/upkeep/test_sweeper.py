"""The sweeper between real records and a real broker: whatever either forgets, every task is run."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from tests.queue.conftest import GRACE, Build, Rig
from tests.servers import ValkeyServer
from tests.tasks.fakes import LEASE, a_task

from facefleet.errors.outage import QueueUnavailable, StoreUnavailable
from facefleet.tasks.records.chunks import CHUNK
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State
from facefleet.upkeep.sweeper import MAX_LOST

AWAY = StoreUnavailable("The object store did not answer; try again.")

# Takes one message, says so, and holds it until it is killed.
_HOLDER = """
import sys, time
from facefleet.queue.app import build_app
from tests.queue.conftest import Hands
hands = Hands(build_app(sys.argv[1], prefix=sys.argv[2], lower_lane_every=5, visibility_timeout=3600))
print(hands.take().headers["id"], flush=True)
time.sleep(600)
"""


def claimed(rig: Rig, task: Task) -> Task:
    run = rig.records.claim(task.id, LEASE, {})
    assert run is not None
    return run


def take_and_run(rig: Rig, count: int) -> list[str]:
    """A worker that takes messages, claims their tasks, and ends them."""
    hands, done = rig.hands(), []
    for _ in range(count):
        task_id = hands.take_id()
        run = rig.records.claim(task_id, LEASE, {})
        if run is not None:
            rig.records.succeed(run, "key", "image/jpeg", {})
            done.append(task_id)
    hands.close()
    return done


# ── nothing to do ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_round_learns_the_epoch(build: Build, valkey: ValkeyServer) -> None:
    rig = build(valkey)
    before = rig.submitter.epoch
    rig.sweeper.round()
    assert (before, rig.submitter.epoch) == (None, rig.broker.epoch())
    assert rig.done() == {}


def test_what_is_on_its_way_is_left_alone(rig: Rig) -> None:
    task = rig.accept()
    for _ in range(5):
        rig.clock.advance(1)
        rig.sweeper.round()
    rig.clock.advance(60)
    rig.sweeper.round()
    assert rig.waiting(task.route) == [task.id]
    assert rig.done() == {}


def test_in_a_long_backlog_where_nothing_was_lost_nothing_is_sent_again(rig: Rig) -> None:
    backlog = []
    for _ in range(60):
        backlog.append(rig.accept())
        rig.clock.advance(2)
    assert take_and_run(rig, 20) == [task.id for task in backlog[:20]]
    for _ in range(3):
        rig.clock.advance(30)
        rig.sweeper.round()
    assert rig.waiting(backlog[0].route) == [task.id for task in backlog[20:]]
    assert rig.done() == {}


def test_a_running_task_is_left_alone_while_its_worker_is_alive(rig: Rig) -> None:
    task = rig.accept(deadline=timedelta(seconds=60))
    rig.hands().take()
    run = claimed(rig, task)
    for _ in range(10):
        rig.clock.advance(20)
        rig.records.renew({run.id: run.fence}, LEASE)
        rig.sweeper.round()
    assert rig.now_of(task).state == State.RUNNING
    assert rig.done() == {}


# ── the broker forgot ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_broker_that_comes_back_empty_gets_everything_once_more(build: Build, mortal: ValkeyServer) -> None:
    rig = build(mortal)
    rig.sweeper.round()
    queued = [rig.accept(tenant=tenant) for tenant in ("acme", "f", "acme")]
    ended, running = rig.accept(), claimed(rig, rig.accept())
    rig.records.succeed(claimed(rig, ended), "key", "image/jpeg", {})
    mortal.kill()
    with pytest.raises(QueueUnavailable):
        rig.sweeper.round()
    mortal.wipe()
    mortal.start()
    for _ in range(3):  # the first may meet the broken connection
        try:
            rig.sweeper.round()
        except QueueUnavailable:
            continue
    rig.sweeper.round()
    assert rig.waiting(queued[0].route) == [queued[0].id, queued[2].id]
    assert rig.waiting(queued[1].route) == [queued[1].id]
    assert rig.done() == {"epoch": 3.0}
    assert rig.now_of(running) == running


def test_a_broker_killed_with_its_file_lost_nothing_and_gets_nothing_again(build: Build, mortal: ValkeyServer) -> None:
    rig = build(mortal)
    rig.sweeper.round()
    task = rig.accept()
    mortal.kill()
    mortal.start()
    rig.clock.advance(60)
    rig.sweeper.round()
    assert rig.waiting(task.route) == [task.id]
    assert rig.done() == {}


def test_a_flushed_broker_gets_everything_within_one_round(build: Build, mortal: ValkeyServer) -> None:
    rig = build(mortal)
    rig.sweeper.round()
    tasks = [rig.accept() for _ in range(5)]
    mortal.wipe()
    rig.sweeper.round()
    assert rig.waiting(tasks[0].route) == [task.id for task in tasks]
    rig.sweeper.round()
    assert rig.done() == {"epoch": 5.0}


def test_a_task_committed_before_the_broker_was_seen_is_sent(build: Build, valkey: ValkeyServer) -> None:
    rig = build(valkey)
    task = rig.accept(send=False)
    assert task.sent_epoch is None
    rig.sweeper.round()
    assert rig.waiting(task.route) == [task.id]
    assert rig.done() == {"epoch": 1.0}


def test_a_task_whose_message_the_broker_did_not_take_is_sent_when_it_is_back(
    build: Build, mortal: ValkeyServer
) -> None:
    rig = build(mortal)
    rig.sweeper.round()
    mortal.kill()
    with pytest.raises(QueueUnavailable):
        rig.accept()
    with pytest.raises(QueueUnavailable):
        rig.sweeper.round()
    mortal.start()
    (task,) = rig.records.older_than(timedelta(seconds=-1), a_task().route)
    rig.records.mark_unsent([task.id])
    rig.sweeper.round()
    rig.sweeper.round()
    assert rig.waiting(task.route) == [task.id]
    assert rig.done() == {"due": 1.0}


# ── due ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_retry_is_sent_when_its_time_has_come_and_not_before(rig: Rig) -> None:
    task = rig.accept()
    rig.hands().take_id()
    assert rig.records.retry(claimed(rig, task), AWAY, rig.clock() + timedelta(seconds=20))
    for _ in range(3):
        rig.clock.advance(6)
        rig.sweeper.round()
    assert rig.waiting(task.route) == []
    rig.clock.advance(2)
    rig.sweeper.round()
    rig.sweeper.round()
    assert rig.waiting(task.route) == [task.id]
    assert rig.done() == {"due": 1.0}
    assert rig.now_of(task).sent_epoch == rig.broker.epoch()
    assert claimed(rig, task).fence == 2


# ── overtaken ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_task_overtaken_in_its_list_is_sent_again(rig: Rig) -> None:
    lost = rig.accept(send=False)  # its gateway died between the commit and the message
    rig.clock.advance(6)
    later, behind = rig.accept(), rig.accept()
    rig.sweeper.round()
    assert rig.done() == {}, "the list is not empty, and nothing has passed it yet"
    assert take_and_run(rig, 1) == [later.id]
    rig.sweeper.round()
    rig.sweeper.round()
    assert rig.waiting(lost.route) == [behind.id, lost.id]
    assert rig.done() == {"overtaken": 1.0}
    assert take_and_run(rig, 2) == [behind.id, lost.id]


# ── vanished ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_task_of_an_empty_list_is_sent_again_after_the_grace(rig: Rig) -> None:
    lost = rig.accept(send=False)
    rig.clock.advance(GRACE.total_seconds())
    rig.sweeper.round()
    assert rig.done() == {}
    rig.clock.advance(0.1)
    rig.sweeper.round()
    rig.sweeper.round()
    assert rig.waiting(lost.route) == [lost.id]
    assert rig.done() == {"vanished": 1.0}


def test_a_task_whose_message_a_worker_has_just_taken_is_not_sent_again(rig: Rig) -> None:
    task = rig.accept()
    rig.clock.advance(-60)
    old = rig.accept()
    rig.clock.advance(60)
    hands = rig.hands()
    assert {hands.take().headers["id"] for _ in range(2)} == {task.id, old.id}
    rig.sweeper.round()
    assert rig.waiting(old.route) == []
    assert rig.done() == {}


def test_a_message_in_a_dead_workers_hands_is_sent_again_after_the_grace(rig: Rig) -> None:
    """The broker itself would give it to another worker only after the visibility timeout, an hour."""
    task = rig.accept()
    holder = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _HOLDER, rig.url, rig.prefix],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == task.id
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert rig.broker.unacknowledged(0) == {task.id}
    rig.clock.advance(60)
    rig.sweeper.round()
    rig.sweeper.round()
    assert rig.waiting(task.route) == [task.id]
    assert rig.done() == {"vanished": 1.0}
    assert take_and_run(rig, 1) == [task.id]


def test_a_long_backlog_in_one_list_does_not_hide_what_another_lost(rig: Rig) -> None:
    flood = [rig.accept(tenant="acme", send=False) for _ in range(CHUNK + 1)]
    rig.submitter.send(flood[0])
    lost = rig.accept(tenant="f", send=False)
    rig.clock.advance(6)
    rig.sweeper.round()
    assert rig.waiting(lost.route) == [lost.id]
    assert rig.done() == {"vanished": 1.0}


# ── the worker died ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_task_whose_lease_expired_is_queued_and_sent_again(rig: Rig) -> None:
    task = rig.accept()
    rig.hands().take_id()
    claimed(rig, task)
    rig.clock.advance(31)
    rig.sweeper.round()
    found = rig.now_of(task)
    assert (found.state, found.lost, found.failures, found.fence) == (State.QUEUED, 1, 0, 1)
    assert rig.waiting(task.route) == [task.id]
    assert rig.done() == {"lease_expired": 1.0, "due": 1.0}


def test_the_third_lost_worker_ends_the_task(rig: Rig) -> None:
    task = rig.accept()
    for loss in range(1, MAX_LOST):
        claimed(rig, task)
        rig.clock.advance(31)
        rig.sweeper.round()
        assert (rig.now_of(task).state, rig.now_of(task).lost) == (State.QUEUED, loss)
    claimed(rig, task)
    rig.clock.advance(31)
    rig.sweeper.round()
    found = rig.now_of(task)
    assert (found.state, found.fence, found.finished_at) == (State.FAILED, MAX_LOST, rig.clock())
    assert found.failure is not None
    assert found.failure.code == "worker_lost"
    assert found.failure.detail == {"lost": 3}
    assert rig.done()["worker_lost"] == 1


def test_a_lost_worker_that_wakes_changes_nothing(rig: Rig) -> None:
    task = rig.accept()
    asleep = claimed(rig, task)
    rig.clock.advance(31)
    rig.sweeper.round()
    assert not rig.records.succeed(asleep, "stale", "image/png", {})
    assert rig.records.succeed(claimed(rig, task), "fresh", "image/png", {})
    assert rig.now_of(task).result == "fresh"


# ── too late ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_task_past_its_deadline_fails(rig: Rig) -> None:
    task, other = rig.accept(deadline=timedelta(seconds=60)), rig.accept()
    rig.clock.advance(61)
    rig.sweeper.round()
    found = rig.now_of(task)
    assert found.state == State.FAILED
    assert found.failure is not None
    assert found.failure.code == "deadline_exceeded"
    assert found.failure.detail == {"deadline_seconds": 60.0}
    assert rig.now_of(other).state == State.QUEUED
    assert rig.done() == {"deadline": 1.0}
    assert take_and_run(rig, 2) == [other.id], "its message is a duplicate now"


def test_a_task_whose_outages_outlast_its_deadline_says_what_it_met(rig: Rig) -> None:
    task = rig.accept(deadline=timedelta(seconds=10))
    rig.hands().take_id()
    assert rig.records.retry(claimed(rig, task), AWAY, rig.clock() + timedelta(seconds=300), spend=False)
    rig.clock.advance(11)
    rig.sweeper.round()
    found = rig.now_of(task)
    assert found.failure is not None
    assert found.failure.detail == {"deadline_seconds": 10.0, "cause": AWAY.code}


def test_a_lost_task_past_its_deadline_fails_in_the_same_round(rig: Rig) -> None:
    task = rig.accept(deadline=timedelta(seconds=10))
    claimed(rig, task)
    rig.clock.advance(31)
    rig.sweeper.round()
    found = rig.now_of(task)
    assert found.failure is not None
    assert (found.state, found.failure.code) == (State.FAILED, "deadline_exceeded")


def test_leases_and_deadlines_are_kept_while_the_broker_is_away(build: Build, mortal: ValkeyServer) -> None:
    rig = build(mortal)
    rig.sweeper.round()
    lost, late = rig.accept(), rig.accept(deadline=timedelta(seconds=10))
    claimed(rig, lost)
    mortal.kill()
    rig.clock.advance(31)
    with pytest.raises(QueueUnavailable):
        rig.sweeper.round()
    assert rig.now_of(lost).state == State.QUEUED
    assert rig.now_of(late).state == State.FAILED


# ── many, and for long ───────────────────────────────────────────────────────────────────────────────────────────────


def test_two_sweepers_at_once_do_no_harm(build: Build, mortal: ValkeyServer, tmp_path: Path) -> None:
    rig = build(mortal, records=f"sqlite:///{tmp_path / 'records.db'}")
    rig.sweeper.round()
    another = rig.another_sweeper()
    both, start = (rig.sweeper, another), Barrier(2)
    poison = rig.accept(tenant="f")
    for _ in range(MAX_LOST - 1):
        claimed(rig, poison)
        rig.clock.advance(31)
        rig.sweeper.round()
    claimed(rig, poison)
    lost = [claimed(rig, rig.accept(tenant="initech")) for _ in range(5)]
    rig.clock.advance(31)
    queued = [rig.accept() for _ in range(20)]
    mortal.wipe()

    def sweep(number: int) -> None:
        start.wait(timeout=10)
        both[number].round()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(sweep, range(2)))
    assert {rig.now_of(task).lost for task in lost} == {1}
    assert rig.now_of(poison).state == State.FAILED
    wanted = {task.id for task in lost + queued}
    waiting = rig.waiting(lost[0].route) + rig.waiting(queued[0].route)
    assert set(waiting) == wanted
    assert len(waiting) <= 2 * len(wanted)
    for sweeper in both:
        sweeper.round()
    assert len(rig.waiting(lost[0].route) + rig.waiting(queued[0].route)) == len(waiting)
    assert sorted(take_and_run(rig, len(waiting))) == sorted(wanted), "each is run once, however many messages came"
    assert rig.done().get("worker_lost", 0) + rig.done(another).get("worker_lost", 0) == 1


def test_an_outage_ends_a_round_never_the_loop(build: Build, mortal: ValkeyServer) -> None:
    rig = build(mortal)
    task, turns = rig.accept(), []

    def wait(seconds: float) -> bool:
        turns.append(seconds)
        if len(turns) == 1:
            mortal.kill()
            mortal.wipe()
        elif len(turns) == 3:
            mortal.start()
        return len(turns) == 7

    rig.sweeper.run(wait, 0.25)
    assert turns == [0.25] * 7
    assert rig.waiting(task.route) == [task.id]


def test_a_bug_ends_a_round_never_the_loop(rig: Rig) -> None:
    calls = []

    class Broken:
        def expired(self) -> list[Task]:
            calls.append(1)
            raise ZeroDivisionError

    replace(rig.sweeper, losses=Broken()).run(lambda _: len(calls) == 3, 0.1)  # type: ignore[arg-type]
    assert len(calls) == 3


def test_what_was_sent_is_marked_even_when_the_broker_dies_halfway(build: Build, mortal: ValkeyServer) -> None:
    rig = build(mortal)
    rig.sweeper.round()
    first, second = a_task(rig.clock()), a_task(rig.clock())
    for task in (first, second):
        rig.records.add(task)
    send = rig.submitter.send

    def send_then_die(task: Task) -> None:
        send(task)
        mortal.kill()

    rig.submitter.send = send_then_die  # type: ignore[method-assign]
    with pytest.raises(QueueUnavailable):
        rig.sweeper.round()
    assert rig.now_of(first).sent_at == rig.clock()
    assert rig.now_of(second).sent_at is None
