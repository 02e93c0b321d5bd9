"""What two photos cost a gateway in a form, and where they go to the object store by themselves: its CPU, its bytes.

    python -m benchmarks.uploads [--rounds 8]

One gateway process as ``facefleet up`` starts it, on SQLite, Valkey and a real S3 service (SeaweedFS); the lanes are
paused, so no worker takes anything. A request is that of the Python client, source and target of the same size: a form,
or two announcements, two photos sent to the store, and a JSON body that names them. Both are done in turn, so many of
each in a round. CPU is the gateway's, user and system, from /proc; bytes are those of the bodies that it is sent, by a
form it sends them on to the store as well; the time is that of the client, everything on loopback. Medians of rounds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from uuid import uuid4

import cv2
import httpx
import numpy as np
from benchmarks.service import Running, cpu_seconds, running
from tests.servers import SeaweedServer

from facefleet.client import Client

SIDES = ((400, 300), (900, 675), (1600, 1200), (4032, 3024))  # px; the last has 12 MP
REQUESTS = 20  # of each kind in a round


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one request.

    Attributes:
        cpu: ms of the gateway.
        bytes: Of bodies that the gateway is sent.
        wall: ms of the client.
    """

    cpu: float
    bytes: float
    wall: float


class Sender:
    """A client of a service that counts what it sends to the gateway."""

    def __init__(self, service: Running, *, upload_from: int | None) -> None:
        self._sent = 0
        self._pid = service.pid("gateway")
        self._host = service.client.base_url.port
        self._http = httpx.Client(trust_env=False, timeout=60.0, event_hooks={"request": [self._count]})
        self._client = Client(str(service.client.base_url), http=self._http, upload_from=upload_from)

    def _count(self, request: httpx.Request) -> None:
        if request.url.port == self._host:
            self._sent += int(request.headers.get("content-length", 0))

    def send(self, photo: bytes) -> None:
        """One request."""
        self._client.fuse(photo, photo, consent=True)

    def cost(self, photo: bytes) -> Cost:
        """Mean of a round."""
        sent, cpu, began = self._sent, cpu_seconds(self._pid), time.perf_counter()
        for _ in range(REQUESTS):
            self.send(photo)
        wall, cpu, sent = time.perf_counter() - began, cpu_seconds(self._pid) - cpu, self._sent - sent
        return Cost(cpu * 1000 / REQUESTS, sent / REQUESTS, wall * 1000 / REQUESTS)

    def close(self) -> None:
        self._http.close()


def photo(width: int, height: int) -> bytes:
    """A JPEG of about as many bytes as a camera gives it; a gateway decodes no pixel of it."""
    noise = np.random.default_rng(0).normal(128, 12, (height, width, 3)).clip(0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 88])[1])


def measure(form: Sender, uploads: Sender, data: bytes, rounds: int) -> tuple[Cost, Cost]:
    """Medians by form and by upload."""
    found: tuple[list[Cost], list[Cost]] = ([], [])
    for sender in (form, uploads):  # the first of everything is dearer
        sender.send(data)
    for _ in range(rounds):
        for sender, costs in zip((form, uploads), found, strict=True):
            costs.append(sender.cost(data))
    by_form, by_upload = (
        Cost(*(median(getattr(one, name) for one in costs) for name in ("cpu", "bytes", "wall"))) for costs in found
    )
    return by_form, by_upload


@contextmanager
def on_s3() -> Iterator[Running]:
    """A service whose store takes photos from clients."""
    with tempfile.TemporaryDirectory(prefix="facefleet-bench-") as folder, SeaweedServer(Path(folder) / "s3") as s3:
        objects = {
            "URL": f"s3://{s3.BUCKET}/{uuid4().hex}", "ENDPOINT": s3.endpoint,
            "ACCESS_KEY": s3.ACCESS_KEY, "SECRET_KEY": s3.SECRET_KEY,
        }  # fmt: skip
        settings = {f"OBJECTS__{name}": value for name, value in objects.items()}
        with running(TASKS__MAX_BACKLOG=1_000_000, **settings) as service:
            yield service


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=8)
    rounds = parser.parse_args().rounds
    print(f"uploads: two photos a request; form / upload; medians of {rounds} rounds of {REQUESTS} requests each")
    print(f"  {'a photo':>9}{'CPU ms':>17}{'ratio':>7}{'KB to the gateway':>21}{'ms of a client':>17}")
    with on_s3() as service, service.paused():
        form, uploads = Sender(service, upload_from=None), Sender(service, upload_from=0)
        for width, height in SIDES:
            data = photo(width, height)
            one, other = measure(form, uploads, data, rounds)
            print(
                f"  {len(data) / 1000:>6,.0f} KB{one.cpu:>9.1f} /{other.cpu:>6.1f}{one.cpu / other.cpu:>7.2f}"
                f"{one.bytes / 1000:>12,.0f} /{other.bytes / 1000:>7.1f}{one.wall:>9.1f} /{other.wall:>6.1f}",
                flush=True,
            )
        form.close()
        uploads.close()


if __name__ == "__main__":
    main()
