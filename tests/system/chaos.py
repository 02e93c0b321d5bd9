"""The whole service on real servers, every connection through a proxy of its own, under a plan of faults.

What dies is started again, as an orchestrator would; nothing else is done by hand. Clients send each request until they
have its 202, with one key, and now and then once more than they need to.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import cv2
import httpx
import numpy as np
from sqlalchemy import select
from tests.servers import HOST, PostgresServer, SeaweedServer, ValkeyServer, free_port, wait_until
from tests.system.proxy import Proxy

from facefleet.config import environment
from facefleet.launcher.supervisor import ManagedProcess, Supervisor
from facefleet.storage.keys import ALL_TENANTS
from facefleet.storage.opening import open_store
from facefleet.storage.store import Store
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.rows import task_of
from facefleet.tasks.tables.table import tasks
from facefleet.tasks.tables.upgrade import upgrade
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State

GATEWAYS, WORKERS = ("gateway-1", "gateway-2"), ("worker-1", "worker-2")
SERVERS = ("valkey", "postgres", "seaweed")
ORPHAN_SECONDS = 20  # the age from which a gateway takes an object that no record names for one that nobody wants
CLIENTS = 4
_PREFIX = "chaos"
_SETTINGS = {
    "FACEFLEET_WORKER__THREADS": "1", "FACEFLEET_WORKER__LEASE": "3", "FACEFLEET_TASKS__RETRY_AFTER": "0.5",
    "FACEFLEET_SWEEPER__INTERVAL": "0.5", "FACEFLEET_SWEEPER__GRACE": "2", "FACEFLEET_OBJECTS__TIMEOUT": "2",
    "FACEFLEET_OBJECTS__PRESIGN": "false", "FACEFLEET_RETENTION__INTERVAL": "1",
    "FACEFLEET_RETENTION__ORPHANS": str(ORPHAN_SECONDS), "FACEFLEET_LOGS__FORMAT": "json",
}  # fmt: skip


@dataclass(slots=True)
class Stack:
    """Three servers, two gateways, two workers, and a proxy on each of the twelve ways between them."""

    valkey: ValkeyServer
    postgres: PostgresServer
    seaweed: SeaweedServer
    proxies: Mapping[tuple[str, str], Proxy]
    urls: Mapping[str, str]
    records: Database
    store: Store
    logs: Path
    supervisor: Supervisor

    def kill(self, program: str) -> None:
        """A program, as the kernel would, unless it has just left by itself because its records were away."""
        with suppress(ProcessLookupError):
            os.kill(self.supervisor.pids()[program], 9)

    def all_tasks(self) -> list[Task]:
        """Every record, read past the proxies."""
        with self.records.read() as connection:
            return [task_of(row) for row in connection.execute(select(tasks)).mappings()]

    def count(self, event: str) -> int:
        """How often the programs have logged an event."""
        return sum(path.read_text().count(f'"event": "{event}"') for path in self.logs.iterdir())


@contextmanager
def running(folder: Path, seed: int) -> Iterator[Stack]:
    """Everything up and ready; everything down at the end."""
    with ExitStack() as stack:
        valkey = stack.enter_context(ValkeyServer(folder / "valkey"))
        postgres = stack.enter_context(PostgresServer())
        seaweed = stack.enter_context(SeaweedServer(folder / "seaweed"))
        ports = {
            "valkey": int(valkey.url.split(":")[2].split("/")[0]), "postgres": postgres.port,
            "seaweed": int(seaweed.endpoint.rpartition(":")[2]),
        }  # fmt: skip
        proxies = {
            (program, server): stack.enter_context(Proxy(ports[server], random.Random(f"{seed} {program} {server}")))
            for program in GATEWAYS + WORKERS
            for server in SERVERS
        }
        database = postgres.new_database()
        records = Database(database)
        stack.callback(records.close)
        upgrade(records)
        store = open_store(f"s3://{seaweed.BUCKET}/{_PREFIX}", seaweed.settings())
        supervisor = Supervisor(Event())
        stack.callback(supervisor.shut_down)
        urls = {}
        for program in GATEWAYS + WORKERS:
            way = {server: proxies[program, server].port for server in SERVERS}
            port = free_port()
            urls[program] = f"http://{HOST}:{port}"
            name = program.partition("-")[0]
            found = environment() | _SETTINGS | {
                "FACEFLEET_DATA": str(folder / program),
                "FACEFLEET_RECORDS__URL": database.replace(f":{postgres.port}/", f":{way['postgres']}/"),
                "FACEFLEET_QUEUE__URL": f"redis://{HOST}:{way['valkey']}/0",
                "FACEFLEET_OBJECTS__URL": f"s3://{seaweed.BUCKET}/{_PREFIX}",
                "FACEFLEET_OBJECTS__ENDPOINT": f"http://{HOST}:{way['seaweed']}",
                "FACEFLEET_OBJECTS__ACCESS_KEY": seaweed.ACCESS_KEY,
                "FACEFLEET_OBJECTS__SECRET_KEY": seaweed.SECRET_KEY,
                "FACEFLEET_GATEWAY__PORT": str(port), "FACEFLEET_WORKER__METRICS_PORT": str(port),
            }  # fmt: skip
            command = [sys.executable, "-m", "facefleet", name]
            log = folder / "logs" / f"{program}.log"
            supervisor.start(ManagedProcess(program, command, found, _ready(urls[program]), log=log))
        supervisor.wait_ready(90)
        watch = Thread(target=supervisor.watch)
        watch.start()
        stack.callback(watch.join)
        stack.callback(supervisor.stop.set)
        yield Stack(valkey, postgres, seaweed, proxies, urls, records, store, folder / "logs", supervisor)


def _ready(url: str) -> Callable[[], bool]:
    def ask() -> bool:
        try:
            return httpx.get(f"{url}/readyz", timeout=1.0, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    return ask


# ── the faults ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Chaos:
    """Does one fault after the other, at random moments, each kind equally often."""

    stack: Stack
    random: random.Random
    done: Counter[str] = field(default_factory=Counter)
    times: list[datetime] = field(default_factory=list)
    after_202: Event = field(default_factory=Event)

    def run(self, go_on: Callable[[int], bool], pause: tuple[float, float]) -> None:
        """Faults, a random pause between them, while ``go_on(number so far)`` and until every kind was done."""
        kinds = self._kinds()
        names: list[str] = []
        while go_on(self.done.total()) or self.done.total() < len(kinds):
            if not names:
                names = self.random.sample(sorted(kinds), len(kinds))
            name = names.pop()
            self.times.append(datetime.now(UTC))
            kinds[name]()
            self.done[name] += 1
            time.sleep(self.random.uniform(*pause))

    def _kinds(self) -> dict[str, Callable[[], None]]:
        stack = self.stack
        return {
            "worker killed": lambda: stack.kill(self.random.choice(WORKERS)),
            "gateway killed": lambda: stack.kill(self.random.choice(GATEWAYS)),
            "gateway killed after its 202": self.after_202.set,
            "Valkey killed": lambda: self._bounce(stack.valkey),
            "Valkey killed and emptied": lambda: self._bounce(stack.valkey, stack.valkey.wipe),
            "PostgreSQL killed": lambda: self._bounce(stack.postgres),
            "SeaweedFS killed": lambda: self._bounce(stack.seaweed),
            "connections cut": lambda: self._proxy().cut(),
            "connections garbled": lambda: self._proxy().garble(),
            "connections delayed": self._delay,
            "connections refused": self._refuse,
        }

    def _proxy(self) -> Proxy:
        return self.random.choice(list(self.stack.proxies.values()))

    def _bounce(self, server: Any, while_down: Callable[[], None] = lambda: None) -> None:
        server.kill()
        while_down()
        time.sleep(self.random.uniform(0.1, 1.5))
        server.start()

    def _delay(self) -> None:
        proxy = self._proxy()
        proxy.delay(self.random.uniform(0.1, 0.5))
        time.sleep(1.5)
        proxy.delay(0)

    def _refuse(self) -> None:
        proxy = self._proxy()
        proxy.refuse(True)
        time.sleep(1.0)
        proxy.refuse(False)


# ── the clients ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Clients:
    """Threads that submit, each request under one key until its 202 has come.

    Attributes:
        accepted: Key → every id that a 202 has named.
        repeats: Requests sent again, wanted or not.
    """

    stack: Stack
    chaos: Chaos
    pairs: Sequence[tuple[bytes, bytes]]
    seed: int
    accepted: dict[str, set[str]] = field(default_factory=dict)
    repeats: int = 0
    _lock: Lock = field(default_factory=Lock)

    def submit(self, count: int, seconds: float) -> None:
        """So many requests, spread over about so much time."""
        threads = [Thread(target=self._submit, args=(n, range(n, count, CLIENTS), seconds)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _submit(self, client: int, numbers: Sequence[int], seconds: float) -> None:
        dice = random.Random(f"{self.seed} client {client}")
        began, every = time.monotonic(), seconds / max(1, len(numbers))
        with httpx.Client(timeout=15.0, trust_env=False) as http:
            for turn, number in enumerate(numbers):
                time.sleep(max(0.0, began + turn * every - time.monotonic()))
                for _ in range(2 if dice.random() < 0.1 else 1):
                    self._insist(http, dice, number)

    def _insist(self, http: httpx.Client, dice: random.Random, number: int) -> None:
        source, target = self.pairs[number % len(self.pairs)]
        key = f"{self.seed}-{number}"
        while True:
            gateway = dice.choice(GATEWAYS)
            try:
                answer = http.post(
                    f"{self.stack.urls[gateway]}/v1/fuse", files={"source": source, "target": target},
                    data={"consent": "true"}, headers={"Idempotency-Key": key},
                )  # fmt: skip
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code in (200, 202):  # 200: sent again, and ended meanwhile
                self._take(key, answer.json()["task_id"], gateway)
                return
            assert answer is None or answer.status_code == 503, answer.text
            with self._lock:
                self.repeats += 1
            time.sleep(dice.uniform(0.1, 0.5))

    def _take(self, key: str, task_id: str, gateway: str) -> None:
        with self._lock:
            self.accepted.setdefault(key, set()).add(task_id)
            strike = self.chaos.after_202.is_set()
            self.chaos.after_202.clear()
        if strike:
            self.stack.kill(gateway)


# ── what must hold ───────────────────────────────────────────────────────────────────────────────────────────────────


def settle(stack: Stack, seconds: float) -> float:
    """Wait until every task has ended and no orphan is left; how long that took, in s."""
    began = time.monotonic()
    wait_until(lambda: all(task.state.terminal for task in stack.all_tasks()), "every task has ended", seconds)
    took = time.monotonic() - began
    wait_until(lambda: not orphans(stack), "no orphan is left", 5 * ORPHAN_SECONDS)
    return took


def orphans(stack: Stack) -> set[str]:
    """Objects that no record names."""
    named = set()
    for task in stack.all_tasks():
        named |= set(task.inputs.values()) | ({task.result} if task.result else set())
    return set(stack.store.list(ALL_TENANTS)) - named


def check(stack: Stack, clients: Clients, count: int) -> None:
    """Every 202 is one record that succeeded, with one result that is the picture it should be."""
    found = {task.id: task for task in stack.all_tasks()}
    assert len(clients.accepted) == count
    assert [ids for ids in clients.accepted.values() if len(ids) != 1] == [], "one key, one task"
    wanted = {task_id for ids in clients.accepted.values() for task_id in ids}
    assert len(wanted) == count
    assert found.keys() == wanted, "no record that nobody asked for, none lost"
    assert [(t.id, t.state, t.failure) for t in found.values() if t.state is not State.SUCCEEDED] == []
    objects = set(stack.store.list(ALL_TENANTS))
    for key, (task_id,) in clients.accepted.items():
        task = found[task_id]
        assert objects >= set(task.inputs.values())
        assert [o for o in objects if o.startswith(f"tenants/local/results/{task_id}/")] == [task.result]
        assert task.result is not None
        _, target = clients.pairs[int(key.rpartition("-")[2]) % len(clients.pairs)]
        _check_picture(stack.store.get(task.result), target)


def _check_picture(result: bytes, target: bytes) -> None:
    before, after = (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in (target, result))
    assert before is not None
    assert after is not None
    assert after.shape == before.shape
    assert cv2.norm(after, before, cv2.NORM_INF) > 30, "another face"


def report(stack: Stack, chaos: Chaos, clients: Clients, settled: float) -> str:
    """What happened, for people."""
    found = stack.all_tasks()
    ended = sorted(task.finished_at for task in found if task.finished_at)
    recovered = sorted(
        (next(at for at in ended if at > fault) - fault).total_seconds() for fault in chaos.times if ended[-1] > fault
    )
    lines = {
        "tasks": len(found), "runs": sum(task.fence for task in found),
        "retries after an outage": stack.count("task.retry"), "leases lost": sum(task.lost for task in found),
        "requests sent again": clients.repeats, "answered with their first task": stack.count("task.repeated"),
        "second messages let go": stack.count("task.duplicate"), "runs fenced out": stack.count("task.fenced_out"),
        "s until the last task had ended": round(settled, 1),
        "s from fault to next result, median": round(recovered[len(recovered) // 2], 2),
        "s from fault to next result, longest": round(recovered[-1], 2),
        **dict(sorted(chaos.done.items())),
    }  # fmt: skip
    return "\n".join(f"{name:40} {value}" for name, value in lines.items())
