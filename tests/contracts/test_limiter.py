"""Limits are kept the same way in this process and in the broker, and by many processes at once."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from multiprocessing.synchronize import Barrier
from uuid import uuid4

import pytest
from tests.servers import ValkeyServer

from facefleet.access.rates import Rate
from facefleet.errors.outage import QueueUnavailable
from facefleet.gateway.limits.shared import SharedLimiter
from facefleet.gateway.limits.window import Limit, Limiter, MemoryLimiter

LONG = Rate(5, 99_999)
Scene = Callable[[Limiter], Awaitable[None]]


@pytest.fixture(params=["memory", pytest.param("valkey", marks=pytest.mark.needs_server)])
def play(request: pytest.FixtureRequest) -> Callable[[Scene], None]:
    """Runs a scene with an empty limiter, in a loop of its own."""
    url = request.getfixturevalue("valkey").url if request.param == "valkey" else None

    @asynccontextmanager
    async def opened() -> AsyncIterator[Limiter]:
        limiter: Limiter = SharedLimiter(url, prefix=uuid4().hex) if url else MemoryLimiter()
        try:
            yield limiter
        finally:
            await limiter.close()

    async def run(scene: Scene) -> None:
        async with opened() as limiter:
            await scene(limiter)

    return lambda scene: asyncio.run(run(scene))


def test_as_many_as_the_rate_says_are_counted_and_no_more(play: Callable[[Scene], None]) -> None:
    async def scene(limiter: Limiter) -> None:
        limit = Limit("tenant", "acme", LONG)
        answers = [await limiter.take([limit]) for _ in range(7)]
        assert [fits for fits, _ in answers] == [True] * 5 + [False] * 2
        assert [standings[0].remaining for _, standings in answers] == [4, 3, 2, 1, 0, 0, 0]
        assert 0 < answers[-1][1][0].wait <= 2 * LONG.seconds

    play(scene)


def test_a_refusal_by_one_limit_spends_no_other(play: Callable[[Scene], None]) -> None:
    async def scene(limiter: Limiter) -> None:
        wide, narrow = Limit("tenant", "acme", LONG), Limit("key", "k1", Rate(1, 99_999))
        assert (await limiter.take([wide, narrow]))[0]
        for _ in range(20):
            fits, standings = await limiter.take([wide, narrow])
            assert not fits
            assert [one.counted for one in standings] == [1, 1]
        assert (await limiter.take([wide]))[1][0].remaining == 3

    play(scene)


def test_limits_of_others_are_others(play: Callable[[Scene], None]) -> None:
    async def scene(limiter: Limiter) -> None:
        one = Rate(1, 99_999)
        for limit in (Limit("key", "a", one), Limit("key", "b", one), Limit("tenant", "a", one)):
            assert (await limiter.take([limit]))[0]
            assert not (await limiter.take([limit]))[0]

    play(scene)


def test_time_gives_room_again_as_much_as_was_told(play: Callable[[Scene], None]) -> None:
    async def scene(limiter: Limiter) -> None:
        limit = Limit("tenant", "acme", Rate(3, 1))
        while (answer := await limiter.take([limit]))[0]:
            pass
        wait = answer[1][0].wait
        assert 1 <= wait <= 2
        await asyncio.sleep(wait)
        assert (await limiter.take([limit]))[0]

    play(scene)


RATE, PROCESSES, FOR_SECONDS = Rate(100, 1), 8, 2.5
ANSWERS, MOST_SECONDS = 50, 60  # of each process; on a machine with much to do the broker answers seldom in time
Taken = tuple[int, int, int, int]  # window, counted in it, before it, ms of it


def _ask(url: str, prefix: str, start: Barrier, into: multiprocessing.Queue[list[Taken]]) -> None:
    async def flood() -> list[Taken]:
        limiter, limit, taken = SharedLimiter(url, prefix=prefix), Limit("tenant", "acme", RATE), list[Taken]()
        began, answers = time.monotonic(), 0
        while (took := time.monotonic() - began) < FOR_SECONDS or (answers < ANSWERS and took < MOST_SECONDS):
            try:
                fits, (one,) = await limiter.take([limit])
            except QueueUnavailable:  # for some seconds it does not ask again
                await asyncio.sleep(0.1)
                continue
            answers += 1
            if fits:
                window = int((time.time() - one.elapsed / 1000) / RATE.seconds)
                taken.append((window, one.counted, one.before, one.elapsed))
        await limiter.close()
        return taken

    start.wait()
    into.put(asyncio.run(flood()))


@pytest.mark.needs_server
def test_of_eight_processes_no_two_take_the_same_place_and_all_keep_the_bound(valkey: ValkeyServer) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # imported once, not eight times
    into: multiprocessing.Queue[list[Taken]] = context.Queue()
    start, prefix = context.Barrier(PROCESSES), uuid4().hex
    processes = [context.Process(target=_ask, args=(valkey.url, prefix, start, into)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    taken = [one for _ in processes for one in into.get(timeout=120)]
    for process in processes:
        process.join()
    places = [(window, counted) for window, counted, _, _ in taken]
    assert len(places) >= RATE.count  # they did ask
    assert len(set(places)) == len(places)
    length = RATE.seconds * 1000
    assert all(before * (length - ms) + counted * length <= RATE.count * length for _, counted, before, ms in taken)
