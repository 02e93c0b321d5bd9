"""When a delivery is tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.tasks.fakes import START

from facefleet.tasks.deliveries import Delivery, DeliveryState
from facefleet.tasks.transitions import State
from facefleet.webhooks.schedule import AFTER_END, JITTER, LONGEST_RETRY_AFTER, Answer, judge

REFUSED = Answer(500, "status 500")


def delivery(event: State = State.SUCCEEDED, attempts: int = 1) -> Delivery:
    return Delivery(
        id="d", tenant="acme", task="t", event=event, version=3, url="https://example.com", host="example.com",
        state=DeliveryState.PENDING, attempts=attempts, log=(), next_at=START, happened_at=START, ended_at=None,
    )  # fmt: skip


def waits(event: State, luck: float) -> list[float]:
    """s between attempts that all fail, until it is given up."""
    found: list[float] = []
    one = delivery(event, 0)
    while True:
        one = replace(one, attempts=one.attempts + 1)
        verdict = judge(one, REFUSED, START, lambda: luck)
        if verdict.next_at is None:
            assert verdict.state is DeliveryState.FAILED
            return found
        found.append((verdict.next_at - START).total_seconds())


@pytest.mark.parametrize("event", [State.SUCCEEDED, State.FAILED, State.CANCELED])
def test_the_end_of_a_task_is_tried_for_about_a_day_ever_more_rarely(event: State) -> None:
    found = waits(event, 0.0)
    assert found == [float(wait) for wait in AFTER_END]
    assert found == sorted(found)
    assert 23 * 3600 < sum(found) < sum(waits(event, 1.0)) < 27 * 3600


@pytest.mark.parametrize("event", [State.QUEUED, State.RUNNING])
def test_what_a_task_passes_through_is_tried_twice(event: State) -> None:
    assert waits(event, 0.0) == [5.0]


def test_those_that_failed_together_do_not_come_back_together() -> None:
    assert waits(State.FAILED, 1.0)[3] == pytest.approx(600 * (1 + JITTER))


def test_what_is_gone_is_given_up_at_once() -> None:
    assert judge(delivery(), Answer(410, "status 410"), START, lambda: 0.0).state is DeliveryState.FAILED


def test_a_success_ends_it() -> None:
    assert judge(delivery(attempts=11), Answer(204), START, lambda: 0.0).state is DeliveryState.DELIVERED


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(None, 5), (0, 5), (2, 5), (90, 90), (LONGEST_RETRY_AFTER + 1, LONGEST_RETRY_AFTER), (1e300, 3600)],
)
def test_a_receiver_may_put_it_off_within_bounds_and_never_hasten_it(asked: float | None, seconds: float) -> None:
    verdict = judge(delivery(), Answer(429, "status 429", asked), START, lambda: 0.0)
    assert verdict.next_at == START + timedelta(seconds=seconds)
