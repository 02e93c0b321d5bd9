"""An upgrade part by part: the programs of the commit before and of this one share records, objects and broker."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from uuid import uuid4

import httpx
import pytest
from tests.servers import HOST, ValkeyServer, free_port
from tests.tasks.fakes import AllRecords

from facefleet.client import Client
from facefleet.clock import now
from facefleet.config import environment
from facefleet.launcher.supervisor import ManagedProcess, Supervisor
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.upgrade import upgrade
from facefleet.tasks.transitions import State

pytestmark = pytest.mark.needs_server
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of the commit before this one."""
    git = ["git", "-C", str(ROOT)]
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("there is no history here: this is no git checkout")
    archive = subprocess.run([*git, "archive", "HEAD~1", "src"], capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"there is no commit before this one here: {archive.stderr.decode()[:200]}")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder / "src"


class Programs:
    """A gateway and a worker, each of either version."""

    def __init__(self, data: Path, broker: str, before: Path) -> None:
        self._before = before
        self._running: dict[str, Supervisor] = {}
        self._ports = {"gateway": free_port(), "worker": free_port()}
        self._data = data
        self._settings = {
            "FACEFLEET_DATA": str(data), "FACEFLEET_QUEUE__URL": broker, "FACEFLEET_QUEUE__PREFIX": uuid4().hex,
            "FACEFLEET_GATEWAY__PORT": str(self._ports["gateway"]),
            "FACEFLEET_WORKER__METRICS_PORT": str(self._ports["worker"]),
        }  # fmt: skip

    @property
    def gateway(self) -> str:
        return f"http://{HOST}:{self._ports['gateway']}"

    def start(self, name: str, *, old: bool) -> None:
        path = {"PYTHONPATH": str(self._before)} if old else {}
        url = f"http://{HOST}:{self._ports[name]}/readyz"
        log = self._data / f"{name}-{'old' if old else 'new'}.log"
        command = [sys.executable, "-m", "facefleet", name]
        supervisor = self._running[name] = Supervisor(Event())
        supervisor.start(
            ManagedProcess(name, command, environment() | self._settings | path, lambda: _answers(url), log=log)
        )
        assert supervisor.wait_ready(60)

    def replace(self, name: str) -> None:
        """The old one leaves in good order, the new one comes."""
        self._running.pop(name).shut_down()
        self.start(name, old=False)

    def close(self) -> None:
        for supervisor in self._running.values():
            supervisor.shut_down()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False


@pytest.fixture
def programs(tmp_path: Path, before: Path, valkey: ValkeyServer) -> Iterator[Programs]:
    """All of the version before, on the schema of this one: it goes first."""
    data = tmp_path / "data"
    database = Database(f"sqlite:///{data / 'records.db'}")
    upgrade(database)
    database.close()
    made = Programs(data, valkey.url, before)
    with ExitStack() as stack:
        stack.callback(made.close)
        for name in ("worker", "gateway"):
            made.start(name, old=True)
        yield made


def test_the_source_of_before_is_what_runs(before: Path) -> None:
    command = [sys.executable, "-c", "import facefleet; print(facefleet.__file__)"]
    told = subprocess.run(command, env=environment() | {"PYTHONPATH": str(before)}, capture_output=True, check=True)
    assert told.stdout.decode().strip() == str(before / "facefleet" / "__init__.py")


@pytest.mark.parametrize(
    "order",
    [pytest.param(("worker", "gateway"), id="worker then gateway"),
     pytest.param(("gateway", "worker"), id="gateway then worker", marks=pytest.mark.system)],
)  # fmt: skip
def test_programs_are_replaced_one_by_one_and_no_task_fails(
    programs: Programs, samples: Mapping[str, Path], tmp_path: Path, order: tuple[str, str]
) -> None:
    photos = samples["portrait_man"].read_bytes(), samples["grace_hopper"].read_bytes()
    with httpx.Client(trust_env=False) as http:
        client = Client(programs.gateway, http=http)
        accepted = [client.fuse(*photos, consent=True) for _ in range(4)]
        for name in order:
            programs.replace(name)
            accepted += [client.fuse(*photos, consent=True) for _ in range(4)]
        for task in accepted:
            assert task.wait(60).image()
    database = Database(f"sqlite:///{tmp_path / 'data' / 'records.db'}")
    records = AllRecords(database, now)
    found = [records.get("local", task.id) for task in accepted]
    database.close()
    assert {(task.state, task.failures, task.lost) for task in found} == {(State.SUCCEEDED, 0, 0)}
