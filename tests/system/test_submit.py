"""``facefleet submit`` against services of other kinds, and against one that dies while it is asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from tests.servers import PostgresServer, SeaweedServer, free_port, wait_until
from tests.system.conftest import Running
from tests.system.test_up import FACEFLEET

from facefleet.client import Client
from facefleet.errors.client import ServerUnreachable
from facefleet.media.sniff import sniff
from facefleet.tasks.transitions import State

pytestmark = pytest.mark.needs_server


@pytest.fixture
def far(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A service whose records are in PostgreSQL and whose objects are on S3."""
    with PostgresServer() as postgres, SeaweedServer(tmp_path / "seaweed") as seaweed:
        monkeypatch.setenv("FACEFLEET_RECORDS__URL", postgres.new_database())
        monkeypatch.setenv("FACEFLEET_OBJECTS__URL", f"s3://{seaweed.BUCKET}/facefleet")
        monkeypatch.setenv("FACEFLEET_OBJECTS__ENDPOINT", seaweed.endpoint)
        monkeypatch.setenv("FACEFLEET_OBJECTS__ACCESS_KEY", seaweed.ACCESS_KEY)
        monkeypatch.setenv("FACEFLEET_OBJECTS__SECRET_KEY", seaweed.SECRET_KEY)
        running = Running(data)
        try:
            yield running
        finally:
            running.close()


def submit(service: Running, samples: Mapping[str, Path], out: Path) -> subprocess.Popen[str]:
    command = ["submit", str(samples["portrait_man"]), str(samples["grace_hopper"]), "-o", str(out)]
    return subprocess.Popen(
        [*FACEFLEET, *command, "--url", service.addresses.gateway, "--json"], stdout=subprocess.PIPE, text=True
    )


def accepted_so_far(service: Running) -> int:
    return service.log("gateway").count("task.accepted")


def test_a_result_on_s3_comes_by_a_link_to_the_store(far: Running, samples: Mapping[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "fused.jpg"
    said, _ = submit(far, samples, out).communicate(timeout=60)
    task = far.task(json.loads(said)["task_id"])
    assert task.state is State.SUCCEEDED
    assert sniff(out.read_bytes()).width == sniff(samples["grace_hopper"].read_bytes()).width
    link = f"/v1/tasks/{task.id}/result"
    redirect = far.http.get(link)
    assert redirect.status_code == 307
    assert redirect.headers["location"].startswith(far.settings.objects.endpoint)
    through = far.http.get(link, params={"redirect": "false"})
    assert (through.status_code, through.content) == (200, out.read_bytes())
    head = far.http.head(link)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(out.read_bytes())))
    assert not (far.settings.data / "objects").exists()
    assert not (far.settings.data / "records.db").exists()
    far.http.delete(f"/v1/tasks/{task.id}")
    gone = far.http.get(link)
    assert (gone.status_code, gone.json()["code"]) == (410, "result_unavailable")


def test_a_gateway_that_is_killed_while_it_is_asked_costs_only_time(
    healed: Running, samples: Mapping[str, Path], tmp_path: Path
) -> None:
    service, worker, before = healed, healed.pids()["worker"], accepted_so_far(healed)
    os.kill(worker, signal.SIGSTOP)
    try:
        asking = submit(service, samples, tmp_path / "fused.jpg")
        wait_until(lambda: accepted_so_far(service) > before, "the task is accepted", 30)
        service.kill("gateway")
    finally:
        os.kill(worker, signal.SIGCONT)
    said, _ = asking.communicate(timeout=60)
    assert json.loads(said)["status"] == "succeeded"


def test_an_answer_lost_on_its_way_makes_no_second_task(healed: Running, small: tuple[bytes, bytes]) -> None:
    service, before, repeated = healed, accepted_so_far(healed), healed.log("gateway").count("task.repeated")
    with forgetful(service.http) as url, httpx.Client(trust_env=False) as http:
        accepted = Client(url, http=http).fuse(*small, consent=True)
    assert service.finish(accepted).state is State.SUCCEEDED
    assert accepted_so_far(service) == before + 1
    assert service.log("gateway").count("task.repeated") == repeated + 1


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    began = time.monotonic()
    url = f"http://127.0.0.1:{free_port()}"
    with httpx.Client(trust_env=False) as http, pytest.raises(ServerUnreachable):
        Client(url, http=http).fuse(b"a", b"b", consent=True)
    assert time.monotonic() - began < 5


@contextmanager
def forgetful(behind: httpx.Client) -> Iterator[str]:
    """A server in between that hangs up instead of giving the first answer."""
    answers: list[httpx.Response] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name: self.headers[name] for name in ("content-type", "idempotency-key")}
            answers.append(behind.post(self.path, content=body, headers=headers))
            if len(answers) == 1:
                return
            self.send_response(answers[-1].status_code)
            self.send_header("content-length", str(len(answers[-1].content)))
            self.end_headers()
            self.wfile.write(answers[-1].content)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
