"""The commands that talk to a server, and a real gateway without a worker."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.client.conftest import client, door, fail, open_door
from tests.gateway.conftest import Door, picture

from facefleet.client import Client
from facefleet.errors.input import FaceNotFound

__all__ = ["client", "door", "open_door"]

pytestmark = pytest.mark.needs_server


def test_a_task_is_submitted_looked_at_canceled_and_erased(
    run: Run,
    door: Door,
    client: Client,
    tmp_path: Path,
) -> None:
    (tmp_path / "a.jpg").write_bytes(picture())
    ask = partial(run, FACEFLEET_CLIENT__URL=str(door.client.base_url))
    task_id = ask("submit", "a.jpg", "a.jpg").out.strip()
    assert client.task(task_id).view.options["strength"] == 1.0
    assert ask("get", task_id, "--json").document["status"] == "queued"
    assert "queued, 0 before it" in ask("list").out
    late = ask("wait", task_id, "--timeout", "0.5", "--json")
    assert (late.status, late.error["code"]) == (1, "wait_timeout")
    early = ask("get", task_id, "-o", "out.jpg", "--json")
    assert (early.status, early.error["code"]) == (1, "result_not_ready")
    both = ask("cancel", task_id, "nope", "--json")
    assert both.status == 1
    assert [task["status"] for task in both.document["tasks"]] == ["canceled"]
    assert [error["code"] for error in both.document["errors"]] == ["task_not_found"]
    assert [event["event"] for event in ask("events", task_id, "--json").document["events"]] == ["canceled"]
    assert ask("erase", task_id).out == f"{task_id} is erased\n"
    assert ask("list", "--state", "canceled", "--json").document["tasks"][0]["task_id"] == task_id
    assert ask("usage", "--json").document["days"][0]["canceled"] == 1
    assert ask("usage", "--every-tenant", "--by-key").out.splitlines()[1].split()[1:3] == ["local", "fuse"]
    done = ask("audit", "list", "--object", task_id, "--json").document["entries"]
    assert sorted(entry["action"] for entry in done) == ["task.cancel", "task.create", "task.erase"]
    assert ask("audit", "list", "--every-tenant", "--action", "task.erase").out.count(task_id) == 1


def test_a_task_that_failed_ends_a_wait_with_its_code(
    run: Run,
    door: Door,
    client: Client,
    tmp_path: Path,
) -> None:
    task = client.fuse(picture(), picture(), consent=True)
    fail(door, task.id, FaceNotFound("No face in the source."))
    done = run("wait", task.id, "-o", "out.jpg", "--url", str(door.client.base_url), "--json")
    assert (done.status, done.error["code"]) == (1, "face_not_found")
    assert not (tmp_path / "out.jpg").exists()
    assert (
        "failed: No face in the source. [face_not_found]"
        in run("events", task.id, "--url", str(door.client.base_url)).out
    )
