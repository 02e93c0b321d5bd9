"""The images, built for real and run as a cluster runs them: what they hold, and that they lose nothing.

`make image-test` runs these; they need podman or docker, which are installed where that is allowed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from tests.servers import PostgresServer, SeaweedServer, ValkeyServer, free_port, missing, wait_until
from tests.tasks.fakes import AllRecords
from tools.images import Engine, ImageError, find_engine

from facefleet.client import Client
from facefleet.client import Task as Handle
from facefleet.clock import now
from facefleet.config import load
from facefleet.tasks.tables.database import Database
from facefleet.tasks.transitions import State

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]

GATEWAY, WORKER = "facefleet-gateway", "facefleet-worker-cpu"
USER = 10001
# As the chart starts them: nothing can be written but what is declared, nothing can be gained.
CONFINED = (
    "--network", "host", "--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges",
    "--tmpfs", "/tmp:size=256m,mode=1777", "--ulimit", "nofile=20000:20000", "--ulimit", "nproc=4096:4096",
)  # fmt: skip
TASKS = 20


def confined(engine: Engine) -> tuple[str, ...]:
    """The arguments that confine a container; podman would else add places that can be written."""
    return (*CONFINED, "--no-healthcheck", *(["--read-only-tmpfs=false"] if engine.program == "podman" else []))


@pytest.fixture(scope="session")
def engine() -> Engine:
    """What runs containers, with the images built."""
    try:
        found = find_engine()
    except ImageError as error:
        missing(str(error))
    for image in (GATEWAY, WORKER):
        if not found.has(image):
            missing(f"{image} is not built: `make image`")
    return found


def inside(engine: Engine, image: str, script: str) -> str:
    """What a shell in a confined container says."""
    return engine.run("run", "--rm", *confined(engine), "--entrypoint", "sh", image, "-c", script)


@pytest.mark.parametrize(("image", "most"), [(GATEWAY, 300e6), (WORKER, 800e6)])
def test_an_image_is_small(engine: Engine, image: str, most: float) -> None:
    assert int(engine.run("image", "inspect", "--format", "{{.Size}}", image)) <= most


@pytest.mark.parametrize("image", [GATEWAY, WORKER])
def test_an_image_holds_no_tools_and_nothing_that_raises_rights(engine: Engine, image: str) -> None:
    script = (
        "id -u; for tool in gcc cc make ld as pip pip3 git; do command -v $tool; done; "
        "exec 2>/dev/null; find / -xdev -type f -perm /6000; find / -xdev -type d -writable ! -path '/proc/*'; "
        "find /opt -type d \\( -name test -o -name tests \\); find / -xdev -name .cache; true"
    )
    assert inside(engine, image, script).split() == [str(USER), "/tmp"]


def test_the_gateway_holds_no_engine(engine: Engine) -> None:
    found = inside(engine, GATEWAY, "ls /opt/facefleet/lib/python3*/site-packages")
    assert {"cv2", "numpy", "onnxruntime", "ai_edge_litert"}.isdisjoint(found.split())


@pytest.mark.parametrize("image", [GATEWAY, WORKER])
def test_an_image_says_what_it_is(engine: Engine, image: str) -> None:
    labels = json.loads(engine.run("image", "inspect", "--format", "{{json .Config.Labels}}", image))
    assert re.fullmatch("[0-9a-f]{40}", labels["org.opencontainers.image.revision"])
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert {f"org.opencontainers.image.{name}" for name in ("source", "version", "title")} <= labels.keys()
    assert engine.run("run", "--rm", *confined(engine), image, "--version").startswith("facefleet ")


@dataclass
class Fleet:
    """A gateway and workers in containers, on real servers."""

    engine: Engine
    variables: dict[str, str]
    cache: Path
    database: Database
    port: int = field(default_factory=free_port)
    names: list[str] = field(default_factory=list)

    def start(self, image: str, *arguments: str, memory: str = "1500m", **variables: str) -> str:
        """Start a container; its name."""
        name = f"facefleet-test-{os.getpid()}-{len(self.names)}"
        settings = [word for item in (self.variables | variables).items() for word in ("--env", "=".join(item))]
        self.names.append(name)
        self.engine.run(
            "run", "--detach", "--name", name, *confined(self.engine), "--memory", memory,
            "--volume", f"{self.cache}:/var/cache/facefleet:ro", *settings, image, *arguments,
        )  # fmt: skip
        return name

    def worker(self) -> str:
        """A worker that is ready."""
        port = free_port()
        name = self.start(WORKER, FACEFLEET_WORKER__METRICS_HOST="127.0.0.1", FACEFLEET_WORKER__METRICS_PORT=str(port))
        wait_until(lambda: answers(port), f"the worker is ready: {self.log(name)[-500:]}", 120.0)
        assert self.engine.run("exec", name, "python3", "-IS", "/usr/local/bin/healthcheck", str(port)) == ""
        return name

    def log(self, name: str) -> str:
        """What a container wrote."""
        command = [self.engine.program, "logs", name]
        done = subprocess.run(command, env=self.engine.environment, capture_output=True, text=True)
        return done.stdout + done.stderr

    def state(self, name: str) -> dict[str, object]:
        """Of a container: whether it runs, and how it ended."""
        found: dict[str, object] = json.loads(self.engine.run("inspect", "--format", "{{json .State}}", name))
        return found

    def stop(self, name: str) -> int:
        """Ask a container to end, as an orchestrator does; its exit status."""
        self.engine.run("stop", "--time", "60", name)
        return int(str(self.state(name)["ExitCode"]))


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5.0, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def fleet(engine: Engine, samples: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A gateway on Valkey, PostgreSQL and S3; models come by a volume that nobody in a container can write."""
    folder = tmp_path_factory.mktemp("images")
    cache = folder / "models"
    shutil.copytree(load().engine.cache, cache)
    subprocess.run(["chmod", "-R", "a+rX", folder, *folder.parents[:3]], check=False)
    with (
        ValkeyServer(folder / "valkey") as valkey, SeaweedServer(folder / "s3") as s3, PostgresServer() as postgres,
    ):  # fmt: skip
        records = postgres.new_records()
        variables = {
            "FACEFLEET_RECORDS__URL": records, "FACEFLEET_QUEUE__URL": valkey.url,
            "FACEFLEET_OBJECTS__URL": f"s3://{s3.BUCKET}", "FACEFLEET_OBJECTS__ENDPOINT": s3.endpoint,
            "FACEFLEET_OBJECTS__ACCESS_KEY": s3.ACCESS_KEY, "FACEFLEET_OBJECTS__SECRET_KEY": s3.SECRET_KEY,
            "FACEFLEET_OBJECTS__REGION": "us-east-1", "FACEFLEET_WORKER__LEASE": "3",
        }  # fmt: skip
        database = Database(records)
        fleet = Fleet(engine, variables, cache, database)
        try:
            assert engine.run("wait", fleet.start(GATEWAY, "migrate")).strip() == "0"
            own = {"FACEFLEET_GATEWAY__HOST": "127.0.0.1", "FACEFLEET_GATEWAY__PORT": str(fleet.port)}
            gateway = fleet.start(GATEWAY, "gateway", memory="1g", **own)
            wait_until(lambda: answers(fleet.port), f"the gateway is ready: {fleet.log(gateway)[-500:]}", 60.0)
            yield fleet
            assert fleet.stop(gateway) == 0
        finally:
            engine.run("rm", "--force", "--time", "0", *fleet.names)
            database.close()


@pytest.fixture(scope="session")
def client(fleet: Fleet) -> Iterator[Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{fleet.port}", trust_env=False, timeout=60.0) as http:
        yield Client(str(http.base_url), http=http)


@pytest.fixture(scope="session")
def photos(samples: Mapping[str, Path]) -> tuple[bytes, bytes]:
    return samples["astronaut"].read_bytes(), samples["grace_hopper"].read_bytes()


def submit(client: Client, photos: tuple[bytes, bytes], count: int) -> list[Handle]:
    return [client.fuse(*photos, consent=True) for _ in range(count)]


def finished_once(fleet: Fleet, client: Client, accepted: list[Handle]) -> list[int]:
    """All succeeded, each with one result; the fences, which count the claims."""
    for one in accepted:
        assert client.task(one.id).wait(120.0).status == "succeeded"
    records = AllRecords(fleet.database, now)
    tasks = [records.get("local", one.id) for one in accepted]
    assert {task.state for task in tasks} == {State.SUCCEEDED}
    return [task.fence for task in tasks]


def fused_outside(photos: tuple[bytes, bytes], folder: Path) -> bytes:
    """What the command line makes of the same photos on this machine."""
    for name, data in zip(("source", "target"), photos, strict=True):
        (folder / name).write_bytes(data)
    command = [sys.executable, "-m", "facefleet", "fuse", "source", "target", "-o", "fused.jpg"]
    subprocess.run(command, check=True, cwd=folder, capture_output=True)
    return (folder / "fused.jpg").read_bytes()


def pixels(picture: bytes) -> str:
    decoded = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    return hashlib.sha256(np.asarray(decoded).tobytes()).hexdigest()


def test_the_contract_holds(fleet: Fleet) -> None:
    for image, command in ((GATEWAY, "gateway"), (WORKER, "worker")):
        name = fleet.start(image, "doctor", "--contract", "/etc/facefleet/contract.toml", "--json")
        status = fleet.engine.run("wait", name).strip()
        assert status == "0", f"{command}: {fleet.log(name)}"


def test_a_contract_that_is_broken_ends_with_3(fleet: Fleet) -> None:
    name = fleet.start(GATEWAY, "doctor", "--contract", "/etc/facefleet/contract.toml", memory="128m")
    assert fleet.engine.run("wait", name).strip() == "3"


def test_photos_come_out_as_outside_and_the_log_tells_of_each(
    fleet: Fleet, client: Client, photos: tuple[bytes, bytes], tmp_path: Path
) -> None:
    worker = fleet.worker()
    accepted = submit(client, photos, TASKS)
    assert finished_once(fleet, client, accepted) == [1] * TASKS
    assert {pixels(client.task(one.id).image()) for one in accepted} == {pixels(fused_outside(photos, tmp_path))}
    lines = [json.loads(line) for line in fleet.log(worker).splitlines()]
    told = {line["task_id"] for line in lines if line.get("event") == "task.succeeded"}
    assert told >= {one.id for one in accepted}
    assert fleet.stop(worker) == 0


def test_a_worker_that_is_stopped_loses_none_and_doubles_none(
    fleet: Fleet, client: Client, photos: tuple[bytes, bytes]
) -> None:
    worker = fleet.worker()
    accepted = submit(client, photos, TASKS)
    wait_until(lambda: "task.claimed" in fleet.log(worker) or "task.succeeded" in fleet.log(worker), "it works", 60.0)
    assert fleet.stop(worker) == 0
    after = fleet.worker()
    finished_once(fleet, client, accepted)
    assert fleet.stop(after) == 0


def test_a_worker_that_the_kernel_kills_for_memory_loses_none(
    fleet: Fleet, client: Client, photos: tuple[bytes, bytes]
) -> None:
    worker = fleet.worker()
    accepted = submit(client, photos, TASKS)
    pid = int(str(fleet.state(worker)["Pid"]))
    program = max(descendants(pid), key=resident)
    Path(f"/proc/{program}/oom_score_adj").write_text("1000")  # it, not the greedy one beside it
    greedy = "x = []\nwhile True: x.append(bytearray(b'x' * 20_000_000))"
    with pytest.raises(ImageError):  # it is in the container that ends
        fleet.engine.run("exec", worker, "python3", "-c", greedy)
    wait_until(lambda: not fleet.state(worker)["Running"], "the container has ended", 30.0)
    assert fleet.state(worker)["ExitCode"] == 137
    after = fleet.worker()
    finished_once(fleet, client, accepted)
    assert fleet.stop(after) == 0


def descendants(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [pid] + [each for child in children for each in descendants(child)]


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
