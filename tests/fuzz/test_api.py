"""Schemathesis, with all its checks, against a real gateway: no answer that OpenAPI does not promise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from tests.access.issuer import AUDIENCE, ISSUER, SECRET, claims, shared, sign
from tests.gateway.conftest import UNLIMITED, Door, Open, door, open_door

from facefleet.access.key_maker import KeyRequest
from facefleet.access.permissions import Permission
from facefleet.access.roles import Role
from facefleet.clock import now
from facefleet.config import environment
from facefleet.errors.base import FacefleetError
from facefleet.storage.keys import result_key
from facefleet.tasks.audit import Origin
from facefleet.tasks.records.operator_records import OperatorRecords
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State

__all__ = ["door", "open_door"]

HERE = Path(__file__).parent
LEASE = timedelta(minutes=1)
SHORT = ("--max-examples", "3", "--generation-deterministic")
RECEIPTS = ("--exclude-checks", "use_after_free")  # an erased task can still be read: it is the receipt
DOOR = "/v1/operator/maintenance"  # closed, it refuses what the other operations live on


class Hands:
    """Ends what is queued, as a worker would, so that nobody waits for ever."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._operations = OperatorRecords(door.parts.database, now)
        self._stop = Event()
        self._thread = Thread(target=self._run)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            for task in self._operations.newest(100, State.QUEUED):
                self._end(task)

    def _end(self, task: Task) -> None:
        records, store = self._door.records, self._door.parts.store
        try:
            if run := records.claim(task.id, LEASE, {}):
                key = result_key(run.tenant, run.id, run.fence)
                store.put(key, b"a picture")
                records.succeed(run, key, "image/png", {})
        except FacefleetError as error:  # canceled or erased meanwhile
            sys.stderr.write(f"{error.code}\n")


def fuzz(door: Door, *arguments: str) -> None:
    """Run it; fails with what was found."""
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(HERE / "schemathesis.toml"),
        "run", f"{door.client.base_url}/openapi.json", "--checks", "all", *RECEIPTS, "--request-timeout", "20",
        "--no-color", *arguments,
    ]  # fmt: skip
    variables = environment() | {"PYTHONPATH": str(HERE.parents[1]), "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks"}
    with Hands(door).at_work():
        done = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=door.settings.data)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert " passed" in done.stdout, "something was asked"


def test_the_api_keeps_what_openapi_promises(door: Door) -> None:
    fuzz(door, "--exclude-path", DOOR, *SHORT)
    fuzz(door, "--include-path", DOOR, *SHORT, "--phases", "coverage,fuzzing")


def test_so_it_does_for_whoever_manages_keys(open_door: Open) -> None:
    door = open_door(auth={"keys": True}, rate_limits=UNLIMITED)
    desk = door.parts.access.keys
    assert desk is not None
    request = KeyRequest(tenant="acme", name="fuzz", roles=frozenset({Role.TENANT_ADMIN}))
    admin = desk.maker.create(request, Origin("test"), frozenset(Permission)).text.text
    keys = ("--include-path-regex", "^/v1/keys", "--header", f"Authorization: Bearer {admin}")
    fuzz(door, *keys, *SHORT, "--phases", "coverage,fuzzing")


@pytest.mark.fuzz
@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", Role)
def test_so_it_does_for_a_token_of_every_role(open_door: Open, role: Role) -> None:
    """Whatever a role may not do is refused as OpenAPI says, and nothing that it sends is an error of the service."""
    auth = {"keys": True, "token_issuer": ISSUER, "token_audience": AUDIENCE, "token_secret": SECRET}
    door = open_door(auth=auth, rate_limits=UNLIMITED)
    content = claims(now(), roles=[role.value], exp=int(now().timestamp()) + 3_600)
    token = sign(content, shared(), "HS256")
    assert door.client.get("/openapi.json", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    fuzz(
        door,
        "--exclude-path",
        DOOR,
        "--header",
        f"Authorization: Bearer {token}",
        "--max-examples",
        "5",
        "--max-time",
        "30",
    )


@pytest.mark.system
@pytest.mark.timeout(900)
def test_it_keeps_it_for_long(door: Door) -> None:
    fuzz(door, "--exclude-path", DOOR, "--max-examples", "200", "--max-time", "300")
