"""Remembers for a few seconds whom a credential stands for, so that a busy client costs one verification, not many.

What is remembered is found by the digest of the credential, never by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from facefleet.access.principal import Principal

FRESH_SECONDS = 5.0
"""How long a principal is remembered: so long after it was revoked or lost a role, a credential can still be used."""

ROOM = 10_000  # credentials; one takes about 1 KB

Verify = Callable[[str], Awaitable[tuple[Principal, float]]]


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    until: float


class Verified:
    """The credentials that were verified a moment ago; those that were refused are not remembered.

    All methods are for one event loop.

    Args:
        verify: The principal of a credential, and for how many s more it is valid; raises where it is none.
        clock: s, monotonic.
    """

    def __init__(self, verify: Verify, clock: Callable[[], float] = time.monotonic, room: int = ROOM) -> None:
        self._verify = verify
        self._clock = clock
        self._room = room
        self._known: OrderedDict[bytes, _Known] = OrderedDict()  # those that were verified first come first
        self._verifying: dict[bytes, asyncio.Task[Principal]] = {}

    async def principal(self, credential: str) -> Principal:
        """The principal, remembered or verified now; of several requests at once one verifies for all."""
        digest = hashlib.sha256(credential.encode()).digest()
        known = self._known.get(digest)
        if known is not None and self._clock() < known.until:
            return known.principal
        task = self._verifying.get(digest)
        if task is None:
            task = asyncio.create_task(self._take(digest, credential))
            self._verifying[digest] = task
            task.add_done_callback(lambda done: self._end(digest, done))
        return await asyncio.shield(task)  # a caller that leaves must not end it for the others

    def forget(self, credential: str) -> None:
        """Verify it anew the next time, since it was ended now; what is being verified is not remembered, either."""
        digest = hashlib.sha256(credential.encode()).digest()
        self._known.pop(digest, None)
        self._verifying.pop(digest, None)

    async def _take(self, digest: bytes, credential: str) -> Principal:
        asked = self._clock()  # before the records are read, so that the bound holds
        principal, seconds = await self._verify(credential)
        if self._verifying.get(digest) is not asyncio.current_task():
            return principal
        self._known.pop(digest, None)
        self._known[digest] = _Known(principal, asked + min(FRESH_SECONDS, seconds))
        if len(self._known) > self._room:
            self._known.popitem(last=False)
        return principal

    def _end(self, digest: bytes, task: asyncio.Task[Principal]) -> None:
        """Forget a verification; its error is read here, for one that nobody waits for any more is no bug."""
        if self._verifying.get(digest) is task:
            del self._verifying[digest]
        if not task.cancelled():
            task.exception()
