"""Decides when a delivery is tried again: over a day for the end of a task, once for a state that it passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from facefleet.tasks.deliveries import Delivery, DeliveryState

# s after the first failed attempt, the second, …: 23.7 hours in all, before jitter.
AFTER_END = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800)
ON_THE_WAY = (5,)
JITTER = 0.1  # share by which a wait may be longer, so that those that failed together do not come back together
LONGEST_PUT_OFF = 3_600  # s that a receiver may ask for
_GONE = 410


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one attempt.

    Attributes:
        status: HTTP status; none where there was no answer.
        error: Why it is no success; none where it is.
        put_off: s that the receiver asks to be left alone.
    """

    status: int | None = None
    error: str | None = None
    put_off: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the delivery."""

    state: DeliveryState
    next_at: datetime | None = None


def judge(delivery: Delivery, answer: Answer, now: datetime, random: Callable[[], float]) -> Verdict:
    """Delivered, given up, or tried again and when.

    Args:
        delivery: With this attempt counted.
        answer: To this attempt.
        now: UTC.
        random: 0 to 1.
    """
    if answer.error is None:
        return Verdict(DeliveryState.DELIVERED)
    waits = AFTER_END if delivery.event.terminal else ON_THE_WAY
    if answer.status == _GONE or delivery.attempts > len(waits):
        return Verdict(DeliveryState.FAILED)
    wait = waits[delivery.attempts - 1] * (1 + JITTER * random())
    # A receiver may put us off, not spur us on: the number of attempts is bounded.
    wait = max(wait, min(answer.put_off or 0.0, LONGEST_PUT_OFF))
    return Verdict(DeliveryState.PENDING, now + timedelta(seconds=wait))
