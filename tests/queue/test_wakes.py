"""Telling of changes through a real broker that may be away, silent or back."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry
from tests.servers import ValkeyServer, wait_until

from facefleet.errors.outage import QueueUnavailable
from facefleet.observability.metrics import Metrics
from facefleet.queue.wakes import Waker, subscribe
from facefleet.tasks.events import Wake


class Seconds:
    """A monotonic clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def waker(mortal: ValkeyServer, seconds: Seconds) -> Iterator[Waker]:
    made = Waker(mortal.url, prefix="t", metrics=Metrics(CollectorRegistry()), clock=seconds)
    yield made
    made.close()


async def hear(url: str, prefix: str, tell: Callable[[], object], count: int) -> list[Wake | None]:
    """The first ``count`` wakes that are received, after ``tell`` was called."""
    found: list[Wake | None] = []
    async with asyncio.timeout(10):
        async for wake in subscribe(url, prefix=prefix):
            found.append(wake)
            if wake is None:
                tell()
            if len(found) == count:
                break
    return found


def test_a_wake_is_heard_by_who_listens_under_the_same_prefix(valkey: ValkeyServer) -> None:
    mine, metrics = uuid4().hex, Metrics(CollectorRegistry())
    one, other = (Waker(valkey.url, prefix=prefix, metrics=metrics) for prefix in (mine, uuid4().hex))

    def tell() -> None:
        assert other(Wake("a", 1))
        assert one(Wake("b", 2))

    assert asyncio.run(hear(valkey.url, mine, tell, 2)) == [None, Wake("b", 2)]
    assert metrics.registry.get_sample_value("facefusion_wakes_total", {"outcome": "told"}) == 2
    one.close()
    other.close()


def test_while_the_broker_is_away_telling_costs_one_attempt_a_second(
    mortal: ValkeyServer, waker: Waker, seconds: Seconds
) -> None:
    assert waker(Wake("a", 1))
    mortal.kill()
    assert not waker(Wake("a", 2))
    mortal.start()
    assert not waker(Wake("a", 3)), "it was away a moment ago"
    seconds.now += 1.0
    assert waker(Wake("a", 4))


def test_a_broker_that_is_mute_holds_a_wake_up_for_half_a_second_only(mortal: ValkeyServer, waker: Waker) -> None:
    assert waker(Wake("a", 1))
    assert mortal.pid is not None
    os.kill(mortal.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert not waker(Wake("a", 2))
        assert time.monotonic() - began < 2.0
    finally:
        os.kill(mortal.pid, signal.SIGCONT)


def test_who_listens_is_told_that_the_broker_went_away(tmp_path: Path, mortal: ValkeyServer) -> None:
    with pytest.raises(QueueUnavailable):
        asyncio.run(hear(mortal.url, "t", mortal.kill, 2))
    with pytest.raises(QueueUnavailable):
        asyncio.run(hear(mortal.url, "t", lambda: None, 1))
    mortal.start()
    wait_until(lambda: asyncio.run(hear(mortal.url, "t", lambda: None, 1)) == [None], "it is heard again")
