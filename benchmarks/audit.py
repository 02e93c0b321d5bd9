"""What the audit log adds to a 202: CPU ms of a gateway with and without its entries, in turn; and of sealing them.

    python -m benchmarks.audit [--rounds 20]

The gateway is in this process, asked without a network, on the records, the folder and the broker of a service whose
workers are paused. A round is 100 requests with entries, the seal over them, and 100 requests without. CPU time is that
of the whole process, so it depends little on what else the machine does; the medians are over the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from benchmarks.service import Running, running, upload
from fastapi import FastAPI

from facefleet.clock import now
from facefleet.config import load
from facefleet.gateway.app import create
from facefleet.gateway.parts import Parts
from facefleet.observability import logs
from facefleet.tasks.audit import Entry
from facefleet.tasks.records.changes import Transaction
from facefleet.tasks.seals import Seals

REQUESTS = 100
_WRITTEN = Transaction.record


def _unwritten(_: Transaction, __: Entry) -> None:
    """As if there were no audit log."""


class Gateway:
    """An application beside a service, on what is behind that."""

    def __init__(self, service: Running) -> None:
        records, objects = {"url": service.records_url}, {"url": service.objects_url}
        queue, tasks = {"url": service.broker_url()}, {"max_backlog": 10_000_000}
        settings = load(records=records, objects=objects, queue=queue, tasks=tasks)
        self.parts = Parts.build(settings)
        self.app: FastAPI = create(settings, self.parts)
        photo = upload()
        files = {"source": ("source", photo), "target": ("target", photo)}
        request = httpx.Request("POST", "http://127.0.0.1/v1/fuse", files=files, data={"consent": "true"})
        self._body = request.read()
        self._headers = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]

    async def accept(self) -> None:
        """One request, up to the end of its 202."""
        statuses = []
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": "/v1/fuse", "raw_path": b"/v1/fuse", "query_string": b"", "root_path": "",
            "headers": self._headers, "client": ("127.0.0.1", 40_000), "server": ("127.0.0.1", 8080), "state": {},
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": self._body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await self.app(scope, receive, send)
        assert statuses == [202]

    async def accept_some(self) -> None:
        """As many as a round has of one kind."""
        for _ in range(REQUESTS):
            await self.accept()


async def measure(gateway: Gateway, rounds: int) -> list[tuple[float, float, float]]:
    """CPU ms of each request with its entry, of the seal for each, and of each request without."""
    seals = Seals(gateway.parts.database, now)

    async def with_entries() -> None:
        Transaction.record = _WRITTEN  # type: ignore[method-assign]
        await gateway.accept_some()

    async def without() -> None:
        Transaction.record = _unwritten  # type: ignore[assignment,method-assign]
        await gateway.accept_some()

    async def seal() -> None:
        while seals.seal() is not None:
            pass

    await with_entries()
    await seal()
    return [(await _cpu(with_entries), await _cpu(seal), await _cpu(without)) for _ in range(rounds)]


async def _cpu(work: Callable[[], Any]) -> float:
    began = time.process_time()
    await work()
    return (time.process_time() - began) * 1000 / REQUESTS


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with running() as service, service.paused():
        gateway = Gateway(service)
        try:
            with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
                logs.configure("info", "json")
                found = asyncio.run(measure(gateway, rounds))
        finally:
            gateway.parts.close()
    entry, seal, bare = (median(row[i] for row in found) for i in range(3))
    added = median((row[0] + row[1]) / row[2] - 1 for row in found)
    print(f"audit: CPU ms for each 202, medians of {rounds} rounds of {REQUESTS}")
    print(f"  with its entry {entry:.3f}, its part of the seal {seal:.3f}, without both {bare:.3f}: {added:+.1%}")


if __name__ == "__main__":
    main()
