from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Barrier, Event, Thread

import numpy as np
import pytest
from tests.servers import wait_until

from facefleet.engine.cache import Cache


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, eq=False)
class Thing:
    pixels: np.ndarray

    @property
    def held_bytes(self) -> int:
        return self.pixels.nbytes


def making(size: int = 100) -> tuple[Callable[[], Thing], list[Thing]]:
    made: list[Thing] = []

    def make() -> Thing:
        made.append(Thing(np.zeros(size, np.uint8)))
        return made[-1]

    return make, made


def test_what_comes_once_is_not_kept_and_belongs_to_its_maker() -> None:
    cache = Cache(1000, 60.0, Clock())
    make, _ = making()
    cached = cache.get("a", make)
    assert (cached.shared, cached.hit, cache.nbytes) == (False, False, 0)


def test_what_comes_again_is_kept_and_shared() -> None:
    cache = Cache(1000, 60.0, Clock())
    make, made = making()
    answers = [cache.get("a", make) for _ in range(4)]
    assert [(one.shared, one.hit) for one in answers] == [(False, False), (True, False), (True, True), (True, True)]
    assert (len(made), cache.nbytes) == (2, 100)
    assert answers[3].value is made[1]


def test_what_is_asked_to_be_kept_is_kept_at_its_first_sight() -> None:
    cache = Cache(1000, 60.0, Clock())
    make, made = making()
    cache.get("a", make, keep=True)
    assert cache.get("a", make).hit
    assert len(made) == 1


def test_it_goes_in_time_however_often_it_is_used() -> None:
    clock = Clock()
    cache = Cache(1000, 60.0, clock)
    make, made = making()
    cache.get("a", make, keep=True)
    clock.now = 59.0
    assert cache.get("a", make).hit
    clock.now = 60.0
    assert not cache.get("a", make).hit
    assert len(made) == 2


def test_to_come_again_late_is_to_come_once() -> None:
    clock = Clock()
    cache = Cache(1000, 60.0, clock)
    make, _ = making()
    cache.get("a", make)
    clock.now = 60.0
    assert not cache.get("a", make).shared


def test_it_goes_in_time_though_nobody_asks_any_more() -> None:
    cache = Cache(1000, 0.05)
    cache.get("a", making()[0], keep=True)
    cache.get("b", making()[0], keep=True)
    wait_until(lambda: cache.nbytes == 0, "what is kept goes", 10.0)


def test_the_least_recently_used_goes_first_and_the_bound_holds() -> None:
    cache = Cache(250, 60.0, Clock())
    for key in ("a", "b"):
        cache.get(key, making()[0], keep=True)
    assert cache.get("a", making()[0]).hit
    cache.get("c", making()[0], keep=True)
    assert cache.nbytes == 200
    assert [cache.get(key, making()[0]).hit for key in ("a", "c", "b")] == [True, True, False]


def test_what_is_larger_than_the_bound_is_not_kept() -> None:
    cache = Cache(250, 60.0, Clock())
    cache.get("a", making(300)[0], keep=True)
    assert cache.nbytes == 0


def test_a_cache_of_no_bytes_makes_all_anew() -> None:
    cache = Cache(0, 60.0, Clock())
    make, made = making()
    assert not any(cache.get("a", make, keep=True).shared for _ in range(3))
    assert len(made) == 3


def test_threads_that_want_the_same_make_it_once() -> None:
    cache = Cache(1000, 60.0)
    begun, go_on = Event(), Event()
    make, made = making()
    answers = []

    def slowly() -> Thing:
        begun.set()
        assert go_on.wait(10)
        return make()

    threads = [Thread(target=lambda: answers.append(cache.get("a", slowly)))]
    threads[0].start()
    assert begun.wait(10)
    threads += [Thread(target=lambda: answers.append(cache.get("a", make))) for _ in range(3)]
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: cache._making["a"].wanted, "another waits", 10.0)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert len(made) == 1
    assert all(cached.shared and cached.value is made[0] for cached in answers)


def test_one_that_fails_or_is_canceled_takes_no_other_along() -> None:
    cache = Cache(1000, 60.0)
    begun, go_on = Event(), Event()
    make, made = making()
    outcomes: list[str] = []

    def canceled() -> Thing:
        begun.set()
        assert go_on.wait(10)
        raise TimeoutError

    def first() -> None:
        with pytest.raises(TimeoutError):
            cache.get("a", canceled)
        outcomes.append("canceled")

    threads = [Thread(target=first)]
    threads[0].start()
    assert begun.wait(10)
    threads.append(Thread(target=lambda: outcomes.append(str(cache.get("a", make).hit))))
    threads[1].start()
    wait_until(lambda: cache._making["a"].wanted, "the other waits", 10.0)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert sorted(outcomes) == ["False", "canceled"]
    assert len(made) == 1


def test_many_threads_over_few_keys_stay_within_the_bound() -> None:
    cache = Cache(350, 60.0)
    barrier = Barrier(4)

    def work() -> None:
        barrier.wait()
        for turn in range(200):
            value = cache.get(turn % 7, making()[0]).value
            assert value.pixels.nbytes == 100
            assert cache.nbytes <= 350

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not cache._making
