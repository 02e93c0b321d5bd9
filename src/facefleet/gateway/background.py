"""Runs what works beside the requests: sweeper, retention, webhook delivery, following records, uses of keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from threading import Event, Thread

import anyio.to_thread
from fastapi import FastAPI

from facefleet.access.uses import KeyUses
from facefleet.config import Settings
from facefleet.gateway.follow.changes import Changes
from facefleet.gateway.limits.desk import RateDesk
from facefleet.outbound.resolve import Resolver
from facefleet.upkeep.retention import Retention
from facefleet.upkeep.sealer import Sealer
from facefleet.upkeep.sweeper import Sweeper
from facefleet.webhooks.deliver import Deliverer

JOIN_SECONDS = 10  # a round that hangs in a dead store or database must not keep the process


@dataclass(frozen=True, slots=True)
class Background:
    """What runs from the start of the application to its end.

    Attributes:
        settings: Say how often each thread works, and how many threads serve requests.
        sweeper: Sends and fails what was lost.
        retention: Deletes what is old.
        sealer: Seals the audit log.
        deliverer: Sends webhooks; none where nothing can be signed.
        resolvers: Judge the addresses of clients' URLs, each in threads of its own.
        changes: Follows changed records, in the server's loop.
        uses: Writes when API keys were used; none where no keys are taken.
        desk: Counts requests, in the server's loop.
    """

    settings: Settings
    sweeper: Sweeper
    retention: Retention
    sealer: Sealer
    deliverer: Deliverer | None
    resolvers: Sequence[Resolver]
    changes: Changes
    uses: KeyUses | None
    desk: RateDesk

    def lifespan(self) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
        """The start and the end of all of it, as the framework asks for them."""

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            # Before anything uses a thread: the limit is that of this loop, which exists only now.
            anyio.to_thread.current_default_thread_limiter().total_tokens = self.settings.gateway.threads
            stop = Event()
            threads = self._threads(stop)
            for thread in threads:
                thread.start()
            following = asyncio.create_task(self.changes.run())
            yield
            # Backwards. Whoever waits for a change has been told to leave before (server.Server), so nobody needs the
            # follower; the threads end before whoever opened their database and store closes them; the resolvers
            # last, since the deliverer's thread uses one.
            following.cancel()
            await self.desk.close()
            stop.set()
            for thread in threads:
                await asyncio.to_thread(thread.join, JOIN_SECONDS)
            for resolver in self.resolvers:
                resolver.close()

        return lifespan

    def _threads(self, stop: Event) -> list[Thread]:
        """One for each kind of work that blocks: a slow store must delay neither the sweeper nor the webhooks."""
        sweep, delete = self.settings.sweeper.interval, self.settings.retention.interval
        threads = [
            Thread(target=self.sweeper.run, args=(stop.wait, sweep), name="sweeper", daemon=True),
            Thread(target=self.retention.run, args=(stop.wait, delete), name="retention", daemon=True),
            Thread(target=self.sealer.run, args=(stop.wait, self.settings.audit.interval), name="sealer", daemon=True),
        ]
        if self.deliverer is not None:
            threads.append(Thread(target=self.deliverer.run, args=(stop,), name="webhooks", daemon=True))
        if self.uses is not None:
            threads.append(Thread(target=self.uses.run, args=(stop.wait,), name="key uses", daemon=True))
        return threads
