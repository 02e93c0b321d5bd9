"""What the rate limits add to a request: CPU ms of a gateway with and without them, in turn.

    python -m benchmarks.limits [--rounds 20]

Two gateways are in this process, asked without a network, on the records, folder and broker of one service. Both
list tasks, one of them under three limits that are never reached. CPU time is that of the whole process, so it depends
little on what else the machine does, and leaves out the broker's; the least of the rounds is taken.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

from benchmarks.service import Running, running
from fastapi import FastAPI

from facefleet.config import load
from facefleet.gateway.app import create
from facefleet.gateway.parts import Parts
from facefleet.observability import logs

REQUESTS = 200
_NEVER = "9999999/60s"
_LIMITED = {"tenant": _NEVER, "key": _NEVER, "address": _NEVER}


class Gateway:
    """An application beside a service, on what is behind that."""

    def __init__(self, service: Running, rates: dict[str, str]) -> None:
        settings = load(
            records={"url": service.records_url}, objects={"url": service.objects_url},
            queue={"url": service.broker_url()}, rate_limits=rates,
        )  # fmt: skip
        self.parts = Parts.build(settings)
        self._app: FastAPI = create(settings, self.parts)
        self._limited = bool(rates)

    async def ask(self) -> None:
        """One request, up to the end of its answer."""
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": "/v1/tasks", "raw_path": b"/v1/tasks", "query_string": b"", "root_path": "",
            "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 40_000), "server": ("127.0.0.1", 8080),
            "state": {},
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                told = b"ratelimit" in dict(message["headers"])
                assert (message["status"], told) == (200, self._limited)

        await self._app(scope, receive, send)

    async def round(self) -> tuple[float, float]:
        """CPU ms and ms of one request."""
        cpu, began = time.process_time(), time.perf_counter()
        for _ in range(REQUESTS):
            await self.ask()
        return (time.process_time() - cpu) / REQUESTS * 1e3, (time.perf_counter() - began) / REQUESTS * 1e3


async def _measure(free: Gateway, limited: Gateway, rounds: int) -> None:
    for gateway in (free, limited):
        await gateway.round()
    pairs = [(await free.round(), await limited.round()) for _ in range(rounds)]
    for kind, name in enumerate(("CPU ms", "ms")):
        without, under = (min(pair[which][kind] for pair in pairs) for which in (0, 1))
        print(f"{name} a request: {without:.2f} without limits, {under:.2f} with three, ratio {under / without:.2f}")


def main() -> None:
    """Print the cost of both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    logs.configure("error", "json")
    with running() as service:
        gateways = Gateway(service, {}), Gateway(service, _LIMITED)
        try:
            asyncio.run(_measure(*gateways, rounds))
        finally:
            for gateway in gateways:
                gateway.parts.close()


if __name__ == "__main__":
    main()
