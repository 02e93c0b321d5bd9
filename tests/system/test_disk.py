"""A disk that is full: what is refused is refused in words, what was accepted is done when there is room again."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.system.test_up import FACEFLEET

from facefleet.client import Client

pytestmark = pytest.mark.needs_server
DISK_MEGABYTES = 24
LIMIT = 200  # uploads of which the disk holds no half


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, httpx.Client]]:
    """A service in a mount namespace of its own, on a small disk; the disk as seen from here."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size={DISK_MEGABYTES}m tmpfs '{disk}'"
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*unshare, mount], capture_output=True, check=False).returncode
    ):
        pytest.skip("this kernel lets nobody mount a disk of their own")
    start = " ".join([*FACEFLEET, "up", "--data", f"'{disk}/data'", "--port", "0"])
    up = subprocess.Popen(
        [*unshare, f"{mount} && exec {start}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert up.stdout is not None
    try:
        address = up.stdout.readline().split()[4]
        with httpx.Client(base_url=address, trust_env=False, timeout=30.0) as client:
            yield Path(f"/proc/{up.pid}/root") / disk.relative_to("/"), client
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(60)
        up.stdout.close()


def test_a_full_disk_refuses_in_words_and_loses_nothing(
    small_disk: tuple[Path, httpx.Client], small: tuple[bytes, bytes]
) -> None:
    disk, client = small_disk
    files = dict(zip(("source", "target"), small, strict=True))
    answers = []
    for number in range(LIMIT):
        answers.append(client.post("/v1/fuse", files=files, data={"consent": "true"}))
        if number == 20:
            fill(disk)
        if len([answer for answer in answers if answer.status_code == 503]) == 10:
            break
    accepted = [answer.json() for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code != 202]
    assert {(answer.status_code, answer.json()["code"]) for answer in refused} <= {
        (503, "store_unavailable"), (503, "records_unavailable"),
    }  # fmt: skip
    assert len(refused) == 10
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
    assert client.get("/healthz").status_code == 200
    (disk / "filler").unlink()
    remote = Client(str(client.base_url), http=client)
    tasks = [remote.task(one["task_id"]) for one in accepted] + [remote.fuse(*small, consent=True)]
    for task in tasks:
        assert len(task.wait(120).image()) > 10_000
    inputs = disk / "data/objects/tenants/local/inputs"
    kept = {photo.relative_to(inputs).parts[0] for photo in inputs.rglob("*") if photo.is_file()}
    assert kept == {task.id for task in tasks}, "of what was refused nothing is kept"


def fill(disk: Path) -> None:
    """To the last byte."""
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return
