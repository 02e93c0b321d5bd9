"""``facefleet up`` as a person uses it: started, used by ``facefleet submit``, ended with Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from tests.servers import free_port, wait_until

from facefleet.client import Client
from facefleet.errors import TaskNotFound, Unauthenticated
from facefleet.media.sniff import sniff

pytestmark = pytest.mark.needs_server

FACEFLEET = (sys.executable, "-m", "facefleet")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*FACEFLEET, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/status").exists()


def test_up_serves_submit_and_ends_with_one_ctrl_c(tmp_path: Path, samples: Mapping[str, Path]) -> None:
    port = free_port()
    up = subprocess.Popen(
        [*FACEFLEET, "up", "--data", str(tmp_path / "data"), "--port", str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert up.stdout is not None
    try:
        ready = re.fullmatch(r"facefleet is ready at (\S+) \((\d+\.\d) s\)\n", up.stdout.readline())
        assert ready is not None
        assert ready[1] == f"http://127.0.0.1:{port}"
        parts = children(up.pid)
        assert len(parts) == 3
        out = tmp_path / "fused.jpg"
        submit = ("submit", samples["astronaut"], samples["grace_hopper"], "-o", out, "--url", ready[1], "--json")
        done = run(*submit)
        assert done.returncode == 0, done.stdout
        assert json.loads(done.stdout)["status"] == "succeeded"
        assert sniff(out.read_bytes()).width == sniff(samples["grace_hopper"].read_bytes()).width
        again = run(*submit)
        assert (again.returncode, json.loads(again.stdout)["error"]["code"]) == (1, "file_exists")
        second = run("up", "--data", tmp_path / "data", "--port", "0")
        assert second.returncode == 1
        assert "Another facefleet runs" in second.stderr
        taken = run("up", "--data", tmp_path / "other", "--port", str(port))
        assert taken.returncode == 1
        assert f"Port {port}" in taken.stderr
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(30)
        up.stdout.close()
    assert up.returncode == 0
    wait_until(lambda: not any(map(alive, parts)), "every part has ended")


def test_with_keys_two_tenants_are_shown_theirs_once_and_do_not_see_each_other(
    tmp_path: Path, samples: Mapping[str, Path]
) -> None:
    up = subprocess.Popen(
        [*FACEFLEET, "up", "--keys", "--data", str(tmp_path), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert up.stdout is not None
    try:
        address = up.stdout.readline().split()[4]
        keys = [up.stdout.readline().split()[-1] for _ in range(2)]
        metrics = [up.stdout.readline() for _ in range(2)][1].split()[2]
        with Client(address, keys[0]) as studio, Client(address, keys[1]) as agency:
            task = studio.fuse(samples["astronaut"], samples["grace_hopper"], consent=True)
            assert [one.id for one in studio.tasks()] == [task.id]
            assert list(agency.tasks()) == []
            with pytest.raises(TaskNotFound):
                agency.task(task.id)
        with Client(address) as nobody, pytest.raises(Unauthenticated):
            nobody.usage()
        assert httpx.get(metrics, trust_env=False).status_code == 200
        assert httpx.get(f"{address}/metrics", trust_env=False).status_code == 401
        listed = json.loads(run("keys", "list", "--data", tmp_path, "--json").stdout)["keys"]
        first = (tmp_path / "admin.key").read_text()
        shown = {"agency": keys[1][:20], "studio": keys[0][:20], "local": first[:20]}
        assert {key["tenant"]: key["prefix"] for key in listed} == shown
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(30)
        up.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_parts_do_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    up = subprocess.Popen(
        [*FACEFLEET, "up", "--data", str(tmp_path), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert up.stdout is not None
    assert "ready" in up.stdout.readline()
    parts = children(up.pid)
    os.kill(up.pid, signal.SIGKILL)
    up.wait(10)
    up.stdout.close()
    wait_until(lambda: not any(map(alive, parts)), "every part has ended")


def test_a_folder_of_any_name_holds_everything_and_only_for_its_owner(
    tmp_path: Path, samples: Mapping[str, Path]
) -> None:
    data = tmp_path / "a?b%20 \"q\" 'x' 中文"
    data.mkdir(mode=0o755)
    up = subprocess.Popen(
        [*FACEFLEET, "up", "--data", str(data), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert up.stdout is not None
    assert up.stderr is not None
    try:
        ready = re.search(r"http://\S+", up.stdout.readline())
        assert ready is not None
        done = run(
            "submit", samples["portrait_man"], samples["grace_hopper"], "-o", tmp_path / "o.jpg", "--url", ready[0]
        )
        assert done.returncode == 0, done.stderr
    finally:
        up.send_signal(signal.SIGINT)
        _, words = up.communicate(timeout=30)
    assert "Warning" not in words
    assert sorted(path.name for path in tmp_path.iterdir()) == [data.name, "o.jpg"]
    found = [path for path in data.rglob("*") if path.name != "up.lock"]
    assert {"records.db", "valkey.conf", "source", "target", "1"} <= {path.name for path in found}
    assert [path.name for path in found if path.stat().st_mode & 0o077] == []


def test_a_refusal_by_the_server_reaches_the_command_line(tmp_path: Path, samples: Mapping[str, Path]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = run("submit", samples["astronaut"], samples["astronaut"], "-o", tmp_path / "o.png", "--url", url, "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "server_unreachable")
