"""What the service costs beside the bare work: draining a queue, accepting uploads, one task on an idle service.

    python -m benchmarks.service [drain] [idle] [accept] [--tasks 500] [--rounds 3]

Each figure stands beside its floor, measured in turn with it in the same run: a loop over the engine in two processes;
the engine's own time; a bare Starlette application that makes the same writes. All of it runs on loopback, on SQLite, a
local folder and Valkey, as ``facefleet up`` does. Every task has the same two photos, so nothing is kept between
fusions, in the service (``FACEFLEET_ENGINE__CACHE_BYTES=0``) as in the loop. Rates are those of the middle 80 %: start
and end belong to nobody. A service is compared with the mean of the loops just before and just after it: the speed of a
shared machine moves by more than the difference.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from multiprocessing.synchronize import Event as EventType
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any, TypeAlias

import cv2
import httpx
import numpy as np
import platformdirs
from benchmarks.engine import SMALL
from benchmarks.scenes import render

from facefleet.clock import now
from facefleet.config import environment, load
from facefleet.engine.build import build_engine
from facefleet.engine.models.registry import Registry
from facefleet.launcher.embedded import Service
from facefleet.launcher.loopback import HOST, free_ports, http_status
from facefleet.launcher.supervisor import ManagedProcess, Supervisor
from facefleet.options import FuseOptions
from facefleet.tasks.audit import Origin
from facefleet.tasks.lanes import Lane
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.tables.database import Database
from facefleet.tasks.transitions import State
from facefleet.upkeep.operations import Control

Photos = tuple[bytes, bytes]
Ends: TypeAlias = "multiprocessing.Queue[list[float]]"

SHAPES = ((2, 1), (2, 2))  # processes × threads of a worker
IDLE_TASKS = 60
ACCEPT_SECONDS = 5.0
ACCEPT_CLIENTS = 8
UPLOAD_BYTES = 200_000
SERVICE_STEPS = ("queued", "load", "mark", "store")  # all others are the engine's


class Bench:
    """Photos and models from the user's cache."""

    def __init__(self, cache: Path) -> None:
        registry = Registry(cache)
        engine = build_engine(registry.pull())
        self.cache = cache
        samples = registry.samples(["smiling_man", "grace_hopper"])
        source = samples["smiling_man"].read_bytes()
        large = render(SMALL, samples["grace_hopper"].read_bytes(), engine)
        self.pairs: dict[str, Photos] = {
            "0.3 MP": (source, samples["grace_hopper"].read_bytes()),
            "1.1 MP": (source, large),
        }


class Running:
    """A service on a folder of its own, asked through its front door.

    Args:
        variables: Settings by their environment variable.
    """

    def __init__(self, folder: Path, **variables: object) -> None:
        self._variables = {f"FACEFLEET_{name}": str(value) for name, value in variables.items()}
        os.environ.update(self._variables)
        self._folder = folder / "data"
        settings = load(data=self._folder, gateway={"port": 0})
        self._stop = Event()
        self._service = Service(settings, self._stop, logs=folder / "logs")
        addresses = self._service.start()
        assert addresses is not None
        self.port = int(addresses.gateway.rpartition(":")[2])
        self.records_url, self.objects_url = settings.records_url, settings.objects_url
        self._database = Database(self.records_url)
        self.control = Control(self._database, now)
        self.records = TaskRepository(self._database, now)
        self.client = httpx.Client(base_url=addresses.gateway, trust_env=False, timeout=30.0)
        self._watch = Thread(target=self._service.run)
        self._watch.start()

    def close(self) -> None:
        self.client.close()
        self._database.close()
        self._stop.set()
        self._watch.join()
        self._service.close()
        for name in self._variables:
            del os.environ[name]

    def pid(self, part: str) -> int:
        """Of one of its programs."""
        return self._service.pids()[part]

    def broker_url(self) -> str:
        """Of its Valkey, whose password is only in its folder."""
        lines = (self._folder / "valkey" / "valkey.conf").read_text().splitlines()
        found = dict(line.split(" ", 1) for line in lines)
        return f"redis://:{found['requirepass']}@{HOST}:{found['port']}/0"

    def submit(self, photos: Photos) -> dict[str, Any]:
        """The body of the 202."""
        files = {"source": ("source", photos[0]), "target": ("target", photos[1])}
        answer = self.client.post("/v1/fuse", files=files, data={"consent": "true"})
        assert answer.status_code == 202, answer.text
        body: dict[str, Any] = answer.json()
        return body

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No worker takes anything meanwhile."""
        for lane in Lane:
            self.control.pause(lane, Origin("benchmark"))
        time.sleep(3.0)
        yield
        for lane in Lane:
            self.control.resume(lane, Origin("benchmark"))


@contextmanager
def running(**variables: object) -> Iterator[Running]:
    """A service that is up."""
    with tempfile.TemporaryDirectory(prefix="facefleet-bench-") as folder:
        service = Running(Path(folder), **variables)
        try:
            yield service
        finally:
            service.close()


def middle_rate(ends: Sequence[float]) -> float:
    """Per second, of the middle 80 %."""
    ends = sorted(ends)
    tenth = len(ends) // 10
    return (len(ends) - 1 - 2 * tenth) / (ends[-1 - tenth] - ends[tenth])


def drain(bench: Bench, tasks: int, rounds: int) -> None:
    """Queued tasks per second beside fusions per second of two processes that do nothing else."""
    print(f"drain: {tasks} tasks queued beforehand, medians of {rounds} rounds; loop: the engine in two processes")
    print(f"  {'target':10}{'worker':>24}{'tasks/s':>10}{'loop/s':>10}{'ratio':>8}")
    for name, photos in bench.pairs.items():
        for processes, threads in SHAPES:
            found = []
            before = loop(bench.cache, photos, tasks)
            for _ in range(rounds):
                rate = served(photos, tasks, processes, threads)
                after = loop(bench.cache, photos, tasks)
                found.append((rate, (before + after) / 2))
                before = after
            rate, alone, ratio = (
                median(r for r, _ in found), median(a for _, a in found), median(r / a for r, a in found),
            )  # fmt: skip
            shape = f"{processes} processes × {threads}"
            print(f"  {name:10}{shape:>24}{rate:>10.1f}{alone:>10.1f}{ratio:>8.2f}", flush=True)


def served(photos: Photos, tasks: int, processes: int, threads: int) -> float:
    """Tasks per second of a service."""
    with running(WORKER__PROCESSES=processes, WORKER__THREADS=threads, ENGINE__CACHE_BYTES=0) as service:
        with service.paused():
            accepted = [service.submit(photos)["task_id"] for _ in range(tasks)]
        while service.records.get("local", accepted[-1]).state is not State.SUCCEEDED:
            time.sleep(2.0)
        time.sleep(1.0)
        done = [service.records.get("local", task_id) for task_id in accepted]
        assert {task.state for task in done} == {State.SUCCEEDED}
        return middle_rate([task.finished_at.timestamp() for task in done if task.finished_at])


def loop(cache: Path, photos: Photos, count: int) -> float:
    """Fusions per second of two processes that do nothing else."""
    context = multiprocessing.get_context("spawn")
    ends: Ends = context.Queue()
    together = context.Barrier(2)
    each = [context.Process(target=_fuse, args=(cache, photos, count // 2, together, ends)) for _ in range(2)]
    for process in each:
        process.start()
    found = [*ends.get(), *ends.get()]
    for process in each:
        process.join()
    return middle_rate(found)


def _fuse(cache: Path, photos: Photos, count: int, together: Barrier, ends: Ends) -> None:
    cv2.setNumThreads(1)
    engine = build_engine(Registry(cache).pull(), interpreters=1, runtime_threads=1)
    engine.warm()
    together.wait()
    found = []
    for _ in range(count):
        engine.fuse(*photos, FuseOptions())
        found.append(time.time())
    ends.put(found)


def idle(bench: Bench, *_: int) -> None:
    """From the first byte of the submission to the whole result, one task at a time, and the engine's share of it."""
    print(f"idle: medians of {IDLE_TASKS} tasks, one at a time, ms; asked for every 2 ms")
    print(f"  {'target':10}{'submit to result':>18}{'engine':>10}{'around it':>11}{'the 202':>9}")
    with running(ENGINE__CACHE_BYTES=0) as service:
        for name, photos in bench.pairs.items():
            rows = [_one(service, photos) for _ in range(IDLE_TASKS)]
            total, engine, accepted = (median(row[i] for row in rows) for i in range(3))
            around = median(row[0] - row[1] for row in rows)
            print(f"  {name:10}{total:>18.1f}{engine:>10.1f}{around:>11.1f}{accepted:>9.1f}", flush=True)


def _engine_ms(timings: Mapping[str, float]) -> float:
    return sum(took for step, took in timings.items() if step not in SERVICE_STEPS)


def _one(service: Running, photos: Photos) -> tuple[float, float, float]:
    began = time.perf_counter()
    links = service.submit(photos)["links"]
    accepted = time.perf_counter()
    while (view := service.client.get(links["self"]).json())["status"] != "succeeded":
        time.sleep(0.002)
    assert service.client.get(view["links"]["result"]).status_code == 200
    total = time.perf_counter() - began
    time.sleep(0.05)
    return total * 1000, _engine_ms(view["timings_ms"]), (accepted - began) * 1000


def accept(_: Bench, __: int, rounds: int) -> None:
    """202s per second of one gateway process, beside an application that only makes the same writes."""
    print(
        f"accept: 2 × {UPLOAD_BYTES // 1000} KB, {ACCEPT_CLIENTS} connections, "
        f"medians of {rounds} rounds of {ACCEPT_SECONDS:.0f} s"
    )
    print(f"  {'':10}{'202s/s':>10}{'CPU ms each':>13}{'per core and s':>16}")
    request = _request()
    with (
        tempfile.TemporaryDirectory(prefix="facefleet-bench-") as folder,
        running(TASKS__MAX_BACKLOG=10_000_000) as service,
        service.paused(),
        bare(Path(folder), service.broker_url()) as (pid, port),
    ):
        gateway = service.pid("gateway")
        found = [(_rate(gateway, service.port, request), _rate(pid, port, request)) for _ in range(rounds)]
    for name, rows in (("gateway", [a for a, _ in found]), ("bare", [b for _, b in found])):
        rate, cost = median(rate for rate, _ in rows), median(cost for _, cost in rows)
        print(f"  {name:10}{rate:>10.0f}{cost * 1000:>13.2f}{1 / cost:>16.0f}")
    rates, costs = median(a[0] / b[0] for a, b in found), median(b[1] / a[1] for a, b in found)
    print(f"  ratio {rates:.2f} of the rate, {costs:.2f} by CPU time", flush=True)


def upload() -> bytes:
    """As many bytes as a photo has; a gateway reads its header and no more."""
    noise = np.random.default_rng(0).integers(0, 256, (460, 460, 3), np.uint8)
    return bytes(cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 92])[1])[:UPLOAD_BYTES]


def _request() -> bytes:
    """A whole request with two photos, as bytes: what sends it must not cost what is measured."""
    photo = upload()
    files = {"source": ("source", photo), "target": ("target", photo)}
    request = httpx.Request("POST", f"http://{HOST}/v1/fuse", files=files, data={"consent": "true"})
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST /v1/fuse HTTP/1.1\r\n{head}\r\n".encode() + request.read()


def _rate(pid: int, port: int, request: bytes) -> tuple[float, float]:
    """Answers per second, and CPU s of the program for each."""
    context = multiprocessing.get_context("spawn")
    begin, end, counted = context.Event(), context.Event(), context.Value("i", 0)
    clients = context.Process(target=_clients, args=(port, request, begin, end, counted))
    clients.start()
    begin.wait()
    time.sleep(1.0)
    answers, cpu, began = counted.value, cpu_seconds(pid), time.perf_counter()
    time.sleep(ACCEPT_SECONDS)
    answers, cpu, took = counted.value - answers, cpu_seconds(pid) - cpu, time.perf_counter() - began
    end.set()
    clients.join()
    return answers / took, cpu / answers


def cpu_seconds(pid: int) -> float:
    """User and system s of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int, what: str = "VmRSS") -> int:
    """Bytes of a process that are in memory; ``VmHWM``: at most so far, or since ``forget_peak``."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(fields[what].split()[0]) * 1024


def forget_peak(pid: int) -> None:
    """Begin to look for the peak anew (proc(5), ``clear_refs``)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _clients(port: int, request: bytes, begin: EventType, end: EventType, counted: Any) -> None:
    def client() -> None:
        with socket.create_connection((HOST, port)) as connection, connection.makefile("rb") as answers:
            while not end.is_set():
                connection.sendall(request)
                assert b" 202 " in answers.readline()
                length = 0
                while (line := answers.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                answers.read(length)
                with counted.get_lock():
                    counted.value += 1

    threads = [Thread(target=client) for _ in range(ACCEPT_CLIENTS)]
    for thread in threads:
        thread.start()
    begin.set()
    for thread in threads:
        thread.join()


@contextmanager
def bare(folder: Path, broker_url: str) -> Iterator[tuple[int, int]]:
    """A Starlette application that writes two files, a row and a message for each request; its process id and port."""
    (port,) = free_ports(0)
    supervisor = Supervisor(Event())
    command = [sys.executable, "-m", "uvicorn", "benchmarks.bare:app", "--port", str(port), "--no-access-log"]
    variables = {"BARE_FOLDER": str(folder), "BARE_BROKER": broker_url}
    supervisor.start(
        ManagedProcess("bare", command, environment() | variables, lambda: http_status(port, "/") is not None)
    )
    try:
        assert supervisor.wait_ready(30.0)
        yield supervisor.pids()["bare"], port
    finally:
        supervisor.shut_down()


BENCHES: dict[str, Callable[[Bench, int, int], None]] = {"drain": drain, "idle": idle, "accept": accept}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("benches", nargs="*", metavar="|".join(BENCHES), help="all where none is named")
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=platformdirs.user_cache_path("facefleet"))
    arguments = parser.parse_args()
    if unknown := set(arguments.benches) - set(BENCHES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    bench = Bench(arguments.cache)
    for name in arguments.benches or BENCHES:
        BENCHES[name](bench, arguments.tasks, arguments.rounds)


if __name__ == "__main__":
    main()
