"""Clients that follow tasks at one gateway: what they cost while nothing happens, and how soon all hear of a change.

    python -m benchmarks.streams [--streams 1000] [--seconds 20]

One gateway process as ``facefleet up`` starts it, on SQLite and Valkey; the lanes are paused, so tasks stay queued
until the benchmark changes them. All clients are in this process, on loopback. CPU and memory are the gateway's, from
/proc. "heard" is from before the first commit to the last client that has its event, the clients' own time included.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import cv2
import numpy as np
from benchmarks.service import Running, cpu_seconds, memory, running
from prometheus_client import CollectorRegistry

from facefleet.clock import now
from facefleet.gateway.server import allow_connections
from facefleet.launcher.loopback import HOST
from facefleet.observability.metrics import Metrics
from facefleet.queue.wakes import Waker
from facefleet.tasks.audit import Origin
from facefleet.tasks.ids import new_id
from facefleet.tasks.records.claims import Claims
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Task

LEASE = timedelta(minutes=10)
PHOTO_SIDE = 64
AT_ONCE = 50  # connections being opened


class Client:
    """One stream; counts its events."""

    def __init__(self, port: int, task_id: str) -> None:
        self._port, self._task_id = port, task_id
        self.heard = asyncio.Event()
        self.open = asyncio.Event()
        self._wanted = b"event: running"

    async def follow(self) -> None:
        reader, writer = await asyncio.open_connection(HOST, self._port)
        writer.write(f"GET /v1/tasks/{self._task_id}/events HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        try:
            async for line in reader:
                if line.startswith(b"event: "):
                    self.open.set()
                if line.startswith(self._wanted):
                    self.heard.set()
        finally:
            writer.close()


class Changer:
    """Changes records and tells of it, as a worker does."""

    def __init__(self, service: Running) -> None:
        metrics = Metrics(CollectorRegistry())
        self._database = Database(service.records_url)
        self._waker = Waker(service.broker_url(), prefix="facefleet", metrics=metrics)
        self.records = TaskRepository(self._database, now, self._waker.on_commit)
        self.claims = Claims(self._database, now, self._waker.on_commit)

    def copies(self, task: Task, count: int) -> list[str]:
        """Queued tasks like this one."""
        made = [replace(task, id=new_id(), idempotency_key=None) for _ in range(count)]
        for one in made:
            self.records.add(one, origin=Origin("benchmark"))
        return [one.id for one in made]

    def claim(self, task_ids: Sequence[str]) -> None:
        for task_id in task_ids:
            assert self.claims.claim(task_id, LEASE, {}) is not None

    def close(self) -> None:
        self._waker.close()
        self._database.close()


async def measure(service: Running, changer: Changer, task_ids: Sequence[str], streams: int, seconds: float) -> str:
    """One row of the table."""
    pid = service.pid("gateway")
    before = memory(pid)
    clients = [Client(service.port, task_ids[number % len(task_ids)]) for number in range(streams)]
    room = asyncio.Semaphore(AT_ONCE)

    async def opened(client: Client) -> asyncio.Task[None]:
        async with room:
            following = asyncio.create_task(client.follow())
            await client.open.wait()
            return following

    began = time.perf_counter()
    following = await asyncio.gather(*(opened(client) for client in clients))
    opening = time.perf_counter() - began
    await asyncio.sleep(2.0)
    held = memory(pid) - before
    idle = await asyncio.to_thread(_busy, pid, seconds)
    began, cpu = time.perf_counter(), cpu_seconds(pid)
    await asyncio.to_thread(changer.claim, task_ids)
    committed = time.perf_counter() - began
    await asyncio.gather(*(client.heard.wait() for client in clients))
    heard, spent = time.perf_counter() - began, cpu_seconds(pid) - cpu
    for one in following:
        one.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    return (
        f"  {len(task_ids):>7,}{streams:>9,}{opening:>9.1f}{held / streams / 1024:>13.0f}{idle * 100:>12.1f}"
        f"{committed * 1000:>14.0f}{heard * 1000:>11.0f}{spent * 1000:>10.0f}"
    )


def _busy(pid: int, seconds: float) -> float:
    """Share of one core that a process uses."""
    cpu, began = cpu_seconds(pid), time.perf_counter()
    time.sleep(seconds)
    return (cpu_seconds(pid) - cpu) / (time.perf_counter() - began)


def _photo() -> bytes:
    done, data = cv2.imencode(".png", np.zeros((PHOTO_SIDE, PHOTO_SIDE, 3), np.uint8))
    assert done
    return data.tobytes()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20.0, help="of which the idle cost is the mean")
    arguments = parser.parse_args()
    allow_connections()
    print(f"streams: one gateway process; idle: mean of {arguments.seconds:.0f} s", flush=True)
    print(
        f"  {'tasks':>7}{'streams':>9}{'open s':>9}{'KiB a stream':>13}{'idle CPU %':>12}"
        f"{'committed ms':>14}{'heard ms':>11}{'CPU ms':>10}"
    )
    with running(GATEWAY__WATCHERS=2 * arguments.streams) as service, service.paused():
        changer = Changer(service)
        alone = _busy(service.pid("gateway"), arguments.seconds)
        print(f"  {'':7}{0:>9}{'':>9}{'':>13}{alone * 100:>12.1f}", flush=True)
        task = service.records.get("local", service.submit((_photo(), _photo()))["task_id"])
        for tasks in (1, arguments.streams):
            ids = changer.copies(task, tasks)
            print(asyncio.run(measure(service, changer, ids, arguments.streams, arguments.seconds)), flush=True)
        changer.close()


if __name__ == "__main__":
    main()
