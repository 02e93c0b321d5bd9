"""A read that does not answer costs its caller a bounded wait, and nobody a wrong number."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from tests.servers import wait_until

from facefleet.errors.outage import QueueUnavailable
from facefleet.observability import logs
from facefleet.observability.bounded_read import BoundedRead


def test_each_call_reads_anew() -> None:
    values = iter([3, 5])
    read = BoundedRead(lambda: next(values))
    assert [read(), read()] == [3, 5]


def test_of_a_part_that_is_away_there_is_no_value() -> None:
    def away() -> int:
        raise QueueUnavailable("The broker did not answer; try again.")

    assert BoundedRead(away)() is None


def test_a_bug_is_told_and_costs_nobody_else_a_sample(capfd: pytest.CaptureFixture[str]) -> None:
    def broken() -> int:
        raise ZeroDivisionError

    logs.configure("info", "json")
    assert BoundedRead(broken)() is None
    assert "scrape.failed" in capfd.readouterr().err


def test_nobody_waits_longer_than_the_timeout_and_nothing_is_asked_twice_at_once() -> None:
    answers, asked = Event(), []

    def stuck() -> int:
        asked.append(1)
        answers.wait(10)
        return len(asked)

    read = BoundedRead(stuck, timeout=0.2)
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: read(), range(4))) == [None] * 4
    assert time.monotonic() - began < 2
    assert len(asked) == 1
    answers.set()
    wait_until(lambda: read() == len(asked), "what answers again is read again")
