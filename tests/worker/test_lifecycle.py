"""Leaving: what a worker does when running tasks do not end in time."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import timedelta
from threading import Event, Thread

import pytest
from tests.servers import wait_until
from tests.tasks.fakes import LEASE
from tests.worker.conftest import Bench

from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State
from facefleet.worker import lifecycle as module
from facefleet.worker.leases import ClaimLost, HandedBack, Hold, Leases
from facefleet.worker.lifecycle import POLL_TIMEOUT_SECONDS, Lifecycle


class Ticks:
    """A monotonic clock that moves when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def signals() -> Iterator[None]:
    """Puts back the handlers that a lifecycle replaces."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def held(bench: Bench) -> Task:
    task = bench.records.claim(bench.queue(b"s", b"t").id, LEASE, {})
    assert task is not None
    return task


def test_a_free_worker_that_stops_looking_is_deaf_and_a_busy_one_is_not(bench: Bench) -> None:
    leases, clock = Leases(bench.records, LEASE, bench.clock, lambda _: None, bench.metrics), Ticks()
    life = Lifecycle(leases, slots=1, grace=1.0, stop=lambda: None, clock=clock)
    assert life.may_poll()
    clock.now += POLL_TIMEOUT_SECONDS - 1
    assert life.consuming()
    clock.now += 2
    assert not life.consuming()
    with leases.hold(held(bench)):
        assert life.consuming()
    assert life.may_poll()
    assert life.consuming()


def test_a_worker_whose_runs_wait_for_one_another_has_its_hands_full(bench: Bench) -> None:
    leases, clock, waiting = Leases(bench.records, LEASE, bench.clock, lambda _: None, bench.metrics), Ticks(), [1]
    life = Lifecycle(leases, slots=2, grace=1.0, stop=lambda: None, waiting=lambda: waiting[0], clock=clock)
    clock.now += POLL_TIMEOUT_SECONDS + 1
    with leases.hold(held(bench)):
        assert life.consuming()
        waiting[0] = 0
        assert not life.consuming()


def test_a_hung_run_gives_its_task_back_and_the_process_is_ended(
    bench: Bench, signals: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STEP_SECONDS", 0.1)
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.1)
    resent: list[str] = []
    left: list[int] = []
    stopped, hung = Event(), Event()
    leases = Leases(bench.records, LEASE, bench.clock, lambda task: resent.append(task.id), bench.metrics)
    life = Lifecycle(leases, slots=1, grace=0.1, stop=stopped.set, exit_process=left.append)
    task = held(bench)

    def hang() -> None:
        with leases.hold(task):
            hung.wait(30)

    native = Thread(target=hang)
    native.start()
    wait_until(lambda: leases.held() == [task], "the run is under way")
    life.begin()
    signal.raise_signal(signal.SIGTERM)
    wait_until(lambda: left == [0], "the process is ended")
    assert not life.may_poll()
    assert stopped.is_set()
    queued = bench.read(task)
    assert (queued.state, queued.failures, queued.lost) == (State.QUEUED, 0, 0)
    assert resent == [task.id]
    hung.set()
    native.join()


def test_a_second_signal_waits_for_no_task(bench: Bench, signals: None) -> None:
    stopped = Event()
    leases = Leases(bench.records, LEASE, bench.clock, lambda _: None, bench.metrics)
    life = Lifecycle(leases, slots=1, grace=60.0, stop=stopped.set, exit_process=lambda _: None)
    with leases.hold(held(bench)) as hold:
        life.begin()
        signal.raise_signal(signal.SIGTERM)
        wait_until(lambda: not life.ready.is_set(), "it takes no more")
        hold.check("decode", 0.1)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(HandedBack):
            hold.check("detect", 0.2)
    wait_until(stopped.is_set, "the consumer is stopped")
    life.end()


def test_a_run_hears_of_a_cancel_at_its_next_step(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facefleet.worker.leases.PROGRESS_SECONDS", 0.0)
    task = held(bench)
    hold = Hold(task, bench.records, Event(), bench.clock)
    hold.check("decode", 0.1)
    seen = bench.read(task)
    assert (seen.step, 0 < seen.progress < 1) == ("decode", True)
    bench.records.cancel(task.tenant, task.id)
    with pytest.raises(ClaimLost):
        hold.check("detect", 0.2)


def test_a_run_past_the_deadline_ends_with_that_reason(bench: Bench, photos: tuple[bytes, bytes]) -> None:
    task = bench.queue(*photos)
    bench.clock.advance(timedelta(hours=2).total_seconds())
    bench.runner(task.id)
    failed = bench.read(task)
    assert failed.state is State.FAILED
    assert failed.failure is not None
    assert failed.failure.code == "deadline_exceeded"
