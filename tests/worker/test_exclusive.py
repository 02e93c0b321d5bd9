"""An exclusive run never has a second one beside it, and nobody waits for ever."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from threading import Barrier, Event, Lock, Thread

import pytest
from tests.servers import wait_until

from facefleet.worker.exclusive import ExclusiveLock
from facefleet.worker.leases import HandedBack

Enter = Callable[[], AbstractContextManager[None]]


def staying() -> bool:
    return False


class Visitor:
    """A thread that goes in, and comes out when told."""

    def __init__(self, enter: Enter) -> None:
        self.inside, self.turned_away, self._go = Event(), Event(), Event()
        self._thread = Thread(target=self._visit, args=(enter,))
        self._thread.start()

    def _visit(self, enter: Enter) -> None:
        try:
            with enter():
                self.inside.set()
                self._go.wait(30)
        except HandedBack:
            self.turned_away.set()

    def leave(self) -> None:
        self._go.set()
        self._thread.join(30)


def test_many_are_inside_together() -> None:
    lock, together = ExclusiveLock(staying), Barrier(8)

    def visit(_: int) -> None:
        with lock.shared():
            together.wait(10)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(visit, range(8))) == [None] * 8


def test_one_that_wants_it_alone_waits_for_those_inside_and_keeps_later_ones_out() -> None:
    lock = ExclusiveLock(staying)
    first = Visitor(lock.shared)
    assert first.inside.wait(10)
    alone = Visitor(lock.exclusive)
    wait_until(lambda: lock.waiting == 1, "it waits for the first")
    late = Visitor(lock.shared)
    wait_until(lambda: lock.waiting == 2, "the late one does not pass it")
    assert not alone.inside.is_set()
    assert not late.inside.is_set()
    first.leave()
    assert alone.inside.wait(10)
    assert not late.inside.is_set()
    alone.leave()
    assert late.inside.wait(10)
    late.leave()
    assert lock.waiting == 0


def test_whoever_waits_is_turned_away_when_the_worker_leaves_and_who_is_inside_stays() -> None:
    leaving = Event()
    lock = ExclusiveLock(leaving.is_set)
    inside = Visitor(lock.shared)
    assert inside.inside.wait(10)
    waiting = [Visitor(lock.exclusive)]
    wait_until(lambda: lock.waiting == 1, "it waits")
    waiting.append(Visitor(lock.shared))
    wait_until(lambda: lock.waiting == 2, "both wait")
    leaving.set()
    for one in waiting:
        assert one.turned_away.wait(10)
        one.leave()
    assert not inside.turned_away.is_set()
    inside.leave()
    assert lock.waiting == 0


def test_one_that_gave_up_waiting_keeps_nobody_out() -> None:
    leaving = Event()
    lock = ExclusiveLock(leaving.is_set)
    with lock.shared():
        given_up = Visitor(lock.exclusive)
        wait_until(lambda: lock.waiting == 1, "it waits")
        leaving.set()
        assert given_up.turned_away.wait(10)
        leaving.clear()
        with lock.shared():
            pass
    given_up.leave()


@pytest.mark.parametrize("kind", ["shared", "exclusive"])
def test_an_error_inside_frees_the_place(kind: str) -> None:
    lock = ExclusiveLock(staying)
    with pytest.raises(ZeroDivisionError), getattr(lock, kind)():
        raise ZeroDivisionError
    with lock.exclusive():
        pass


def test_in_a_crowd_nobody_is_beside_one_that_is_alone_and_all_get_their_turn() -> None:
    lock, guard, inside = ExclusiveLock(staying), Lock(), [0]
    broken: list[int] = []

    def visit(number: int) -> None:
        alone = random.Random(number).random() < 0.3
        with lock.exclusive() if alone else lock.shared():
            with guard:
                inside[0] += 1
                if alone and inside[0] != 1:
                    broken.append(number)
            with guard:
                if alone and inside[0] != 1:
                    broken.append(number)
                inside[0] -= 1

    with ThreadPoolExecutor(16) as threads:
        assert len(list(threads.map(visit, range(2000), timeout=60))) == 2000
    assert broken == []
