"""How long a small tenant waits beside the flood of another: in another shard, and in its own with a cap on the flood.

    python -m benchmarks.fairness [--tasks 15] [--flood 50] [--backlog 40]

A service with API keys, two worker processes and two threads in each, as ``facefleet up`` starts them, on loopback.
The small tenant sends one task after the other and reads how long each waited for its run (``queued`` of its timings):
first alone; then while 50 × as many tasks of another tenant wait in the same lane, in another shard; then with the
flood in the small tenant's own shard, where the policy of the flooding tenant caps what waits. The bounds follow from
the tasks' own time in the same run: of another shard, what runs and what workers have taken already goes before; of the
same shard, the whole cap, what was being accepted when it was counted, and what runs, at the rate at which tasks were
begun meanwhile.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from statistics import median
from threading import Event, Thread

import httpx
import numpy as np
from benchmarks.service import Bench, Photos, Running, running

from facefleet.access.key_desk import KeyDesk
from facefleet.access.key_maker import KeyRequest
from facefleet.access.permissions import Permission
from facefleet.access.policy import Scope, TenantPolicy
from facefleet.access.policy_records import PolicyRecords
from facefleet.access.roles import Role
from facefleet.clock import now
from facefleet.config import load
from facefleet.tasks.audit import Origin
from facefleet.tasks.lanes import Lane
from facefleet.tasks.routes import STABLE, shard_of
from facefleet.tasks.tables.database import Database
from facefleet.tasks.transitions import State

SMALL = "small"
CLIENTS = 4  # that send the flood
FLOOD_PAUSE_SECONDS = 0.05
POLICY_SECONDS = 6.0  # until every gateway has a changed policy


@dataclass(frozen=True)
class Tenant:
    """A tenant and its key."""

    name: str
    key: str

    def submit(self, client: httpx.Client, photos: Photos, *, wait: int = 0) -> httpx.Response:
        """Send a task; with ``wait`` the answer is the task that has ended, if it ends in so many s."""
        headers = {"Authorization": f"Bearer {self.key}", "Prefer": f"wait={wait}"}
        files = {"source": ("source", photos[0]), "target": ("target", photos[1])}
        return client.post("/v1/fuse", files=files, data={"consent": "true"}, headers=headers)


@dataclass(frozen=True)
class Waits:
    """What the small tenant's tasks waited and took, in s."""

    queued: Sequence[float]
    seconds: Sequence[float]

    @property
    def p95(self) -> float:
        return float(np.quantile(self.queued, 0.95))

    @property
    def task(self) -> float:
        return median(self.seconds)


def tenant_in(shard: int, *, same: bool) -> str:
    """A name of a tenant in this shard, or in another."""
    return next(name for number in range(1_000) if (shard_of(name := f"flood-{number}") == shard) is same)


def measure(service: Running, tenant: Tenant, photos: Photos, count: int) -> Waits:
    """One task after the other, each waited for."""
    queued, seconds = [], []
    for _ in range(count):
        answer = tenant.submit(service.client, photos, wait=60)
        assert answer.status_code == 200, answer.text
        task = service.records.get(tenant.name, answer.json()["task_id"])
        queued.append(task.timings_ms["queued"] / 1000)
        seconds.append(task.seconds)
    return Waits(queued, seconds)


def flooding(service: Running, tenant: Tenant, photos: Photos, count: int) -> Iterator[int]:
    """Send so many tasks from several clients; gives the status of each answer."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        yield from pool.map(lambda _: tenant.submit(service.client, photos).status_code, range(count))


@contextmanager
def flood_that_goes_on(service: Running, tenant: Tenant, photos: Photos) -> Iterator[list[int]]:
    """Send tasks without a pause until the block ends; gives the status of each answer."""
    stop, statuses = Event(), list[int]()

    def send() -> None:
        while not stop.is_set():
            statuses.append(tenant.submit(service.client, photos).status_code)
            stop.wait(FLOOD_PAUSE_SECONDS)

    threads = [Thread(target=send) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    yield statuses
    stop.set()
    for thread in threads:
        thread.join()


def waiting(service: Running, tenant: Tenant) -> int:
    """How many tasks of a tenant are queued, at most 1,000."""
    return sum(task.tenant == tenant.name for task in service.control.tasks.newest(1_000, State.QUEUED))


def main() -> None:
    """Measure the three cases in one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=15, help="of the small tenant, in each case")
    parser.add_argument("--flood", type=int, default=50, help="times as many of the other")
    parser.add_argument("--backlog", type=int, default=40, help="cap on what waits of it in the same shard")
    asked = parser.parse_args()
    bench = Bench(load().engine.cache)
    photos = bench.pairs["0.3 MP"]
    unlimited = {f"RATE_LIMITS__{name}": "" for name in ("TENANT", "KEY", "ADDRESS")}
    with running(
        AUTH__KEYS=True, ENGINE__CACHE=bench.cache, ENGINE__CACHE_BYTES=0, SAFETY__NSFW="off", **unlimited
    ) as service:
        database = Database(service.records_url)
        policies = PolicyRecords(database, now)
        desk = KeyDesk.build(load(records={"url": service.records_url}, auth={"keys": True}), database, now)
        shard = shard_of(SMALL)
        small, far, near = (
            _tenant(desk, name) for name in (SMALL, tenant_in(shard, same=False), tenant_in(shard, same=True))
        )
        slots = 4
        measure(service, small, photos, 3)
        idle = measure(service, small, photos, asked.tasks)
        accepted = sum(status == 202 for status in flooding(service, far, photos, asked.tasks * asked.flood))
        beside = measure(service, small, photos, asked.tasks)
        left = waiting(service, far)
        _print("alone", idle, "")
        bound = idle.p95 + 2 * beside.task
        _print(f"other shard, flood of {accepted}", beside, f"bound {bound:.3f} (idle p95 + 2 task times), {left} left")
        while waiting(service, far):
            time.sleep(0.5)
        policies.put(Scope.TENANT, near.name, TenantPolicy(backlog=asked.backlog), Origin("benchmark"))
        time.sleep(POLICY_SECONDS)
        with flood_that_goes_on(service, near, photos) as statuses:
            time.sleep(5.0)
            since = now()
            within = measure(service, small, photos, asked.tasks)
            seconds = (now() - since).total_seconds()
            rate = service.control.lane_counts.started(STABLE, Lane.STANDARD, since) / seconds
        bound = (asked.backlog + CLIENTS + slots) / rate + idle.p95
        refused = statuses.count(HTTPStatus.TOO_MANY_REQUESTS)
        words = f"bound {bound:.3f} (cap, clients and slots by {rate:.1f} tasks/s), {refused} refused"
        _print(f"same shard, cap {asked.backlog}", within, words)
        database.close()


def _tenant(desk: KeyDesk, name: str) -> Tenant:
    request = KeyRequest(tenant=name, name="benchmark", roles=frozenset({Role.MEMBER}))
    return Tenant(name, desk.maker.create(request, Origin("benchmark"), frozenset(Permission)).text.text)


def _print(name: str, waits: Waits, bound: str) -> None:
    print(
        f"{name:34} wait p50 {median(waits.queued):.3f}  p95 {waits.p95:.3f}  task {waits.task:.3f} s  {bound}",
        flush=True,
    )


if __name__ == "__main__":
    main()
