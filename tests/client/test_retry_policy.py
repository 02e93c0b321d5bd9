"""When a client asks again, and when it gives up."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from facefleet.client.retry_policy import Attempts, Patience, retry_after
from facefleet.errors.client import ServerUnreachable
from facefleet.errors.limits import RateLimited
from facefleet.errors.outage import Overloaded


class Clock:
    """Stands still but for the pauses that were asked for."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def pauses(
    failure: ServerUnreachable | Overloaded | RateLimited,
    *,
    has_answered: bool = True,
    until: float = math.inf,
    jitter: float = 0.0,
) -> list[float]:
    """Every pause until it gives up."""
    clock = Clock()
    attempts = Attempts(Patience(), until, clock, lambda: jitter)
    found: list[float] = []
    with suppress(type(failure)):
        while True:
            found.append(attempts.pause(failure, has_answered=has_answered))
            clock.now += found[-1]
    return found


def test_pauses_double_up_to_the_longest_and_end_within_the_total() -> None:
    found = pauses(ServerUnreachable("away"))
    assert found[:6] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0])
    assert 25.0 < sum(found) <= 30.0


def test_jitter_takes_up_to_half_of_a_pause() -> None:
    assert pauses(ServerUnreachable("away"), jitter=1.0)[:3] == pytest.approx([0.1, 0.2, 0.4])


def test_a_server_that_never_answered_is_given_up_soon() -> None:
    assert sum(pauses(ServerUnreachable("away"), has_answered=False)) <= 2.0


def test_a_server_that_says_when_is_not_asked_sooner() -> None:
    assert pauses(Overloaded("full", retry_after=12.0)) == [12.0, 12.0]


def test_a_pause_longer_than_the_caller_waits_is_no_pause() -> None:
    assert pauses(Overloaded("full", retry_after=12.0), until=110.0) == []


def test_retry_after_is_a_number_or_a_date() -> None:
    assert retry_after("7") == 7.0
    soon = retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))
    assert soon is not None
    assert 55 < soon <= 60
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert retry_after("soon") is None
    assert retry_after("Wed, 21 Oct 2015 07:28:00") is None
    assert retry_after(None) is None


def test_a_server_that_was_asked_too_often_is_waited_for_as_long_as_the_caller_does() -> None:
    assert pauses(RateLimited("slow down", retry_after=60.0), until=100.0 + 3_600.0) == [60.0] * 60
    assert pauses(RateLimited("slow down", retry_after=60.0), until=150.0) == []


def test_waiting_for_ones_turn_takes_nothing_from_the_patience_for_outages() -> None:
    clock = Clock()
    attempts = Attempts(Patience(), clock=clock, jitter=lambda: 0.0)
    clock.now += attempts.pause(RateLimited("slow down", retry_after=500.0), has_answered=True)
    assert attempts.pause(ServerUnreachable("away"), has_answered=True) > 0


def test_a_client_without_patience_does_not_wait_for_its_turn_either() -> None:
    failure = RateLimited("slow down", retry_after=1.0)
    with pytest.raises(RateLimited):
        Attempts(Patience(total=0)).pause(failure, has_answered=True)


def test_whoever_wants_to_know_is_told_before_such_a_pause() -> None:
    told: list[float] = []
    attempts = Attempts(Patience(on_limit=told.append), jitter=lambda: 0.0)
    attempts.pause(RateLimited("slow down", retry_after=7.0), has_answered=True)
    assert told == [7.0]
