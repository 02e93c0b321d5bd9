"""What was verified is remembered for a few seconds, in bounded room; what was refused is not."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest

from facefleet.access.principal import LOCAL, Principal
from facefleet.access.verified import FRESH_SECONDS, Verified
from facefleet.errors.access import CredentialInvalid


class Desk:
    """Verifies anything but "forged", slowly, and counts."""

    def __init__(self, seconds: float = math.inf) -> None:
        self.seconds = seconds
        self.asked: list[str] = []
        self.now = 50.0
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def verify(self, credential: str) -> tuple[Principal, float]:
        self.asked.append(credential)
        await self.may_go_on.wait()
        if credential == "forged":
            raise CredentialInvalid("It is forged.")
        return replace(LOCAL, subject=credential), self.seconds

    def clock(self) -> float:
        return self.now


def test_a_principal_is_remembered_for_a_few_seconds() -> None:
    async def scene() -> None:
        desk = Desk()
        verified = Verified(desk.verify, desk.clock)
        for _ in range(3):
            assert (await verified.principal("a")).subject == "a"
        desk.now += FRESH_SECONDS - 0.01
        await verified.principal("a")
        assert desk.asked == ["a"]
        desk.now += 0.01
        await verified.principal("a")
        assert desk.asked == ["a", "a"]

    asyncio.run(scene())


def test_never_longer_than_its_credential_is_valid() -> None:
    async def scene() -> None:
        desk = Desk(seconds=1.5)
        verified = Verified(desk.verify, desk.clock)
        await verified.principal("a")
        desk.now += 1.5
        await verified.principal("a")
        assert len(desk.asked) == 2

    asyncio.run(scene())


def test_many_at_once_are_verified_once_and_one_that_leaves_ends_nothing() -> None:
    async def scene() -> None:
        desk = Desk()
        desk.may_go_on.clear()
        verified = Verified(desk.verify, desk.clock)
        waiting = [asyncio.create_task(verified.principal("a")) for _ in range(20)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        desk.may_go_on.set()
        assert {(await one).subject for one in waiting[1:]} == {"a"}
        assert desk.asked == ["a"]

    asyncio.run(scene())


def test_a_refusal_is_for_those_who_wait_and_is_not_remembered() -> None:
    async def scene() -> None:
        desk = Desk()
        verified = Verified(desk.verify, desk.clock)
        refused = await asyncio.gather(*(verified.principal("forged") for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in refused] == [CredentialInvalid] * 3
        assert len(desk.asked) == 1
        with pytest.raises(CredentialInvalid):
            await verified.principal("forged")
        assert len(desk.asked) == 2

    asyncio.run(scene())


def test_what_was_ended_is_verified_anew_and_one_under_way_is_not_remembered() -> None:
    async def scene() -> None:
        desk = Desk()
        verified = Verified(desk.verify, desk.clock)
        await verified.principal("a")
        verified.forget("a")
        verified.forget("never seen")
        desk.may_go_on.clear()
        under_way = asyncio.create_task(verified.principal("a"))
        while len(desk.asked) < 2:
            await asyncio.sleep(0)
        verified.forget("a")
        desk.may_go_on.set()
        assert (await under_way).subject == "a"
        await verified.principal("a")
        await verified.principal("a")
        assert desk.asked == ["a", "a", "a"]

    asyncio.run(scene())


def test_there_is_room_for_so_many_and_the_oldest_go() -> None:
    async def scene() -> None:
        desk = Desk()
        verified = Verified(desk.verify, desk.clock, room=3)
        for name in "abcd":
            await verified.principal(name)
        await verified.principal("d")
        assert len(desk.asked) == 4
        await verified.principal("a")
        assert len(desk.asked) == 5

    asyncio.run(scene())


def test_the_credential_itself_is_not_kept() -> None:
    async def scene() -> None:
        desk = Desk()
        verified = Verified(desk.verify, desk.clock)
        await verified.principal("a-secret")
        assert all(b"a-secret" not in digest for digest in verified._known)

    asyncio.run(scene())
