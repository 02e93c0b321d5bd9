from __future__ import annotations

import random
from datetime import timedelta

import pytest

from facefleet.errors.base import FacefleetError
from facefleet.errors.input import FaceNotFound
from facefleet.errors.model import OutOfMemory
from facefleet.errors.outage import StoreUnavailable
from facefleet.errors.task import AttemptsExhausted
from facefleet.errors.tree import tree
from facefleet.queue.retries import RetryPolicy

POLICY = RetryPolicy(max_failures=3, first=timedelta(seconds=2))
FULL = OutOfMemory("There was not enough memory.")
AWAY = StoreUnavailable("The object store did not answer; try again.")


def test_bad_input_ends_the_task_at_once_with_its_own_error() -> None:
    error = FaceNotFound("No face in the source.")
    assert POLICY.verdict(error, 1) is error


def test_what_spends_the_budget_is_tried_again_until_it_is_spent() -> None:
    assert POLICY.spends(FULL)
    assert POLICY.verdict(FULL, 1) is None
    assert POLICY.verdict(FULL, 2) is None
    last = POLICY.verdict(FULL, 3)
    assert isinstance(last, AttemptsExhausted)
    assert last.detail == {"attempts": 3, "cause": "out_of_memory"}
    assert FULL.message in last.message


def test_an_outage_is_no_fault_of_the_task() -> None:
    assert not POLICY.spends(AWAY)
    assert POLICY.verdict(AWAY, 100) is None


def test_a_run_that_did_not_fit_is_tried_again_after_a_minute() -> None:
    assert POLICY.delay(FULL, 1, random.Random(1)) == POLICY.delay(FULL, 5, random.Random(2)) == timedelta(seconds=60)


@pytest.mark.parametrize("kind", list(tree()))
def test_the_class_alone_decides(kind: type[FacefleetError]) -> None:
    assert (POLICY.verdict(kind("Whatever it says."), 1) is None) == kind.retryable


def test_the_delay_doubles_up_to_five_minutes_with_jitter() -> None:
    for failures, bound in [(1, 2), (2, 4), (3, 8), (7, 128), (8, 256), (9, 300), (40, 300)]:
        delays = [POLICY.delay(AWAY, failures, random.Random(seed)).total_seconds() for seed in range(200)]
        assert bound / 2 <= min(delays) < bound * 0.55
        assert bound * 0.95 < max(delays) <= bound


def test_many_failures_do_not_overflow() -> None:
    assert POLICY.delay(AWAY, 1000, random.Random(1)) <= timedelta(minutes=5)
