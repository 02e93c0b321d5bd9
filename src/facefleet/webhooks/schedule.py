"""Decides when a delivery is tried again: over a day for the end of a task, once for an intermediate state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from facefleet.tasks.deliveries import Delivery, DeliveryState

# s after the first failed attempt, the second, …: 23.7 hours in all, before jitter.
AFTER_END = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800)
AFTER_INTERMEDIATE = (5,)
JITTER = 0.1  # share by which a wait may be longer, so that deliveries that failed together are not retried together
LONGEST_RETRY_AFTER = 3_600  # s that a receiver may ask for
_GONE = 410


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one attempt.

    Attributes:
        status: HTTP status; none where there was no answer.
        error: Why it failed; none for a success.
        retry_after: s that the receiver asks us to wait.
    """

    status: int | None = None
    error: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The new state of the delivery, and when it is tried again."""

    state: DeliveryState
    next_at: datetime | None = None


def judge(delivery: Delivery, answer: Answer, now: datetime, random: Callable[[], float]) -> Verdict:
    """Decide whether a delivery is done, has failed, or is tried again and when.

    Args:
        delivery: With this attempt counted.
        answer: To this attempt.
        now: UTC.
        random: 0 to 1.
    """
    if answer.error is None:
        return Verdict(DeliveryState.DELIVERED)
    waits = AFTER_END if delivery.event.terminal else AFTER_INTERMEDIATE
    if answer.status == _GONE or delivery.attempts > len(waits):
        return Verdict(DeliveryState.FAILED)
    wait = waits[delivery.attempts - 1] * (1 + JITTER * random())
    # A receiver may lengthen the wait but not shorten it: the number of attempts is bounded.
    wait = max(wait, min(answer.retry_after or 0.0, LONGEST_RETRY_AFTER))
    return Verdict(DeliveryState.PENDING, now + timedelta(seconds=wait))
