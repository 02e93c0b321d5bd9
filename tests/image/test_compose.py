"""``deploy/compose.yaml`` with the profile ``minimal``: the service starts, fuses, stops, and finds its tasks again.

Podman checks health by systemd alone, so the test asks each check itself before it starts what waits for it, in the
order that Docker Compose reads from the file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from tests.image import standins
from tests.servers import free_port, missing, wait_until
from tools.images import ROOT, Engine, ImageError, find_engine

from facefleet.client import Client
from facefleet.config import load

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]

FILE = ROOT / "deploy" / "compose.yaml"
STORES = ("valkey", "postgres", "seaweedfs")
# A container may not get more than the one that starts it has.
_CONTAINERS = """[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


@dataclass(frozen=True)
class Composed:
    """One project of Compose."""

    engine: Engine
    command: Sequence[str]
    project: str
    port: int
    key: str

    def run(self, *arguments: str) -> None:
        done = subprocess.run(
            [*self.command, *arguments], env=self.engine.environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]

    def container(self, service: str) -> str:
        """The name of the container of a service."""
        label = f"label=com.docker.compose.project={self.project}"
        both = ["--filter", label, "--filter", f"label=com.docker.compose.service={service}"]
        return self.engine.run("ps", "--all", *both, "--format", "{{.Names}}").strip()

    def healthy(self, service: str) -> bool:
        if self.engine.program == "docker":
            state = self.engine.run("inspect", "--format", "{{.State.Health.Status}}", self.container(service))
            return state.strip() == "healthy"
        command = [self.engine.program, "healthcheck", "run", self.container(service)]
        return subprocess.run(command, env=self.engine.environment, capture_output=True).returncode == 0

    def up(self) -> None:
        """Start all, each when what it waits for is there."""
        self.run("up", "--detach", *STORES)
        for service in STORES:
            wait_until(lambda service=service: self.healthy(service), f"{service} is healthy", 60.0)  # type: ignore[misc]
        self.run("up", "--detach", "--no-deps", "migrate")
        assert self.engine.run("wait", self.container("migrate")).strip() == "0"
        self.run("up", "--detach", "--no-deps", "gateway", "worker")
        for service in ("gateway", "worker"):
            wait_until(lambda service=service: self.healthy(service), f"{service} is ready", 120.0)  # type: ignore[misc]


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Composed]:
    """The service, not started, with fresh secrets and volumes; models come by a folder."""
    found = _engine(tmp_path)
    secrets, models, port = tmp_path / "secrets", tmp_path / "models", free_port()
    shutil.copytree(load().engine.cache, models)
    subprocess.run(["chmod", "-R", "a+rX", tmp_path, *tmp_path.parents[:3]], check=False)
    images = standins.build(found, _made(tmp_path / "images"))
    variables = dict(images) | {
        "FACEFLEET_SECRETS": str(secrets), "FACEFLEET_MODELS": str(models), "FACEFLEET_PORT": str(port),
        "ENGINE": found.program,
    }  # fmt: skip
    engine = replace(found, environment={**found.environment, **variables})
    made = subprocess.run(
        ["sh", ROOT / "deploy" / "make-secrets.sh", secrets],
        env=dict(engine.environment),
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    assert secrets.stat().st_mode & 0o777 == 0o700
    project = f"facefleet-test-{os.getpid()}"
    command = [*_program(engine), "--project-name", project, "--file", str(FILE), "--profile", "minimal"]
    service = Composed(engine, command, project, port, (secrets / "admin.key").read_text().strip())
    try:
        yield service
    finally:
        service.run("down", "--volumes")


def _engine(folder: Path) -> Engine:
    try:
        found = find_engine()
    except ImageError as error:
        missing(str(error))
    for image in ("facefleet-gateway", "facefleet-worker-cpu"):
        if not found.has(image):
            missing(f"{image} is not built: `make image`")
    if found.program == "docker" or Path("/run/systemd/system").exists():
        return found
    file = folder / "containers.conf"
    file.write_text(_CONTAINERS)
    return replace(found, environment={**found.environment, "CONTAINERS_CONF": str(file)})


def _program(engine: Engine) -> Sequence[str]:
    if engine.program == "docker":
        return ["docker", "compose"]
    if program := shutil.which("podman-compose"):
        # It would else add places that can be written, which hide those of the file.
        return [program, "--podman-run-args=--read-only-tmpfs=false"]
    return missing("podman-compose is not installed")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_the_service_finds_its_tasks_after_a_stop(composed: Composed, samples: Mapping[str, Path]) -> None:
    composed.up()
    url = f"http://127.0.0.1:{composed.port}"
    assert httpx.get(f"{url}/v1/tasks", trust_env=False).status_code == 401
    with httpx.Client(base_url=url, trust_env=False, timeout=60.0) as http:
        client = Client(url, api_key=composed.key, http=http)
        task = client.fuse(samples["astronaut"], samples["grace_hopper"], consent=True)
        picture = task.wait(120.0).image()
    composed.run("stop")
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/healthz", trust_env=False)
    composed.run("down")  # the containers, not the volumes
    composed.up()
    with httpx.Client(base_url=url, trust_env=False, timeout=60.0) as http:
        found = Client(url, api_key=composed.key, http=http).task(task.id)
        assert found.refresh().status == "succeeded"
        assert found.image() == picture
