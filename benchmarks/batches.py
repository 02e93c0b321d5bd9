"""Batches at one gateway: what one adds to its memory while it comes in, and while its results go out as one ZIP file.

    python -m benchmarks.batches [--items 20 200 1000]

One gateway process as ``facefleet up`` starts it, on SQLite and a local folder; the lanes are paused, so no worker
takes anything, and the benchmark writes results of the size of an upload. Memory is the gateway's, from /proc: the most
that it held during the request (``VmHWM``) over what it held before (``VmRSS``). The client is on loopback.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from datetime import timedelta

import httpx
from benchmarks.service import UPLOAD_BYTES, Running, forget_peak, memory, running, upload

from facefleet.clock import now
from facefleet.storage.keys import result_key
from facefleet.storage.opening import open_store
from facefleet.tasks.batches import Batches
from facefleet.tasks.records.claims import Claims
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Task

LEASE = timedelta(minutes=10)
TIMEOUT_SECONDS = 300.0
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one request.

    Attributes:
        peak: Bytes that the gateway held at most, over what it held before.
        seconds: s.
        bytes: Of the larger of request and answer.
    """

    peak: int
    seconds: float
    bytes: int


class Watch:
    """Looks at a gateway during a block."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        forget_peak(pid)
        self._before = memory(pid)
        self._began = time.perf_counter()

    def cost(self, count: int) -> Cost:
        """So far, of a request of so many bytes."""
        return Cost(memory(self._pid, "VmHWM") - self._before, time.perf_counter() - self._began, count)


def sent(service: Running, items: int) -> tuple[str, Cost]:
    """The id of a new batch, and what it cost to take it in."""
    photo = upload()
    files = [("source", ("source", photo)), *[("target", ("target", photo))] * items]
    request = httpx.Request("POST", service.client.base_url.join("/v1/batches"), files=files, data={"consent": "true"})
    body = request.read()
    watch = Watch(service.pid("gateway"))
    answer = service.client.send(request)
    cost = watch.cost(len(body))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["batch_id"]), cost


def finish(service: Running, batch_id: str) -> None:
    """Give every item a result, as a worker does."""
    database, store, photo = Database(service.records_url), open_store(service.objects_url), upload()
    batches, claims = Batches(database, now), Claims(database, now)
    for item in list(batches.items(batches.get("local", batch_id))):
        run: Task | None = claims.claim(item.id, LEASE, {})
        assert run is not None
        key = result_key(run.tenant, run.id, run.fence)
        store.put(key, photo)
        assert claims.succeed(run, key, "image/jpeg", {})
    database.close()


def fetched(service: Running, batch_id: str) -> Cost:
    """What it cost to send the results."""
    count, watch = 0, Watch(service.pid("gateway"))
    with service.client.stream("GET", f"/v1/batches/{batch_id}/results") as answer:
        assert answer.status_code == 200
        for chunk in answer.iter_bytes():
            count += len(chunk)
    return watch.cost(count)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, nargs="+", default=[20, 200, 1000])
    arguments = parser.parse_args()
    print(f"batches: one gateway process; photos and results of {UPLOAD_BYTES // 1000} KB; +MiB: peak over before")
    print(f"  {'items':>7}{'in MiB':>9}{'s':>7}{'+MiB':>8}{'out MiB':>10}{'s':>7}{'+MiB':>8}")
    with running(TASKS__MAX_BACKLOG=1_000_000) as service, service.paused():
        service.client.timeout = httpx.Timeout(TIMEOUT_SECONDS)
        finish(service, sent(service, 2)[0])  # the first of everything is dearer
        for items in arguments.items:
            batch_id, taken = sent(service, items)
            finish(service, batch_id)
            given = fetched(service, batch_id)
            assert given.bytes > items * len(upload()), "every result is in the file"
            print(f"  {items:>7,}{_columns(taken, 9)}{_columns(given, 10)}", flush=True)
        print(f"  the gateway now holds {memory(service.pid('gateway')) / MIB:.0f} MiB in all")


def _columns(cost: Cost, width: int) -> str:
    return f"{cost.bytes / MIB:>{width}.0f}{cost.seconds:>7.1f}{cost.peak / MIB:>8.1f}"


if __name__ == "__main__":
    main()
