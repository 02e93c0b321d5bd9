"""The operators' commands on real records, while nothing else runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.schemas import bring_to_schema
from tests.tasks.fakes import LEASE, AllRecords, a_task

from facefleet.errors.input import FaceNotFound
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def tasks(data: Path) -> list[Task]:
    """A failed one, a queued one, and one that is running."""
    database = Database(f"sqlite:///{data / 'records.db'}")
    bring_to_schema(database)
    records = AllRecords(database, now)
    made = [records.add(a_task(now())) for _ in range(3)]
    failed, _ = (records.claim(made[number].id, LEASE, {}) for number in (0, 2))
    assert failed is not None
    records.fail(failed, FaceNotFound("No face in the source."))
    database.close()
    return made


@pytest.fixture
def state_of(data: Path) -> Callable[[Task], State]:
    def read(task: Task) -> State:
        database = Database(f"sqlite:///{data / 'records.db'}")
        try:
            return AllRecords(database, now).get(task.tenant, task.id).state
        finally:
            database.close()

    return read


def test_tasks_are_listed_newest_first(run: Run, data: Path, tasks: list[Task]) -> None:
    done = run("tasks", "list", "--data", data, "--json")
    assert [row["id"] for row in done.document["tasks"]] == [task.id for task in reversed(tasks)]
    assert [row["state"] for row in done.document["tasks"]] == ["running", "queued", "failed"]
    lines = run("tasks", "list", "--data", data, "--state", "failed").out.splitlines()
    assert len(lines) == 2
    assert {tasks[0].id, "failed", "acme", "face_not_found"} <= set(lines[1].split())


def test_a_task_is_shown_whole(run: Run, data: Path, tasks: list[Task]) -> None:
    shown = run("tasks", "show", tasks[0].id, "--data", data, "--json").document
    assert (shown["id"], shown["failure"]["code"], shown["fence"]) == (tasks[0].id, "face_not_found", 1)
    assert datetime.fromisoformat(shown["created_at"]) == tasks[0].created_at
    assert tasks[0].id in run("tasks", "show", tasks[0].id, "--data", data).out


def test_tasks_end_and_begin_anew(run: Run, data: Path, tasks: list[Task], state_of: Callable[[Task], State]) -> None:
    ids = [task.id for task in tasks]
    assert run("tasks", "cancel", *ids[1:], "--data", data).status == 0
    assert [state_of(task) for task in tasks] == [State.FAILED, State.CANCELED, State.CANCELED]
    again = run("tasks", "requeue", *ids, "nobody", "--data", data, "--json")
    assert again.status == 1, "one of them is not there; the others are changed all the same"
    assert [row["state"] for row in again.document["tasks"]] == ["queued"] * 3
    assert [(e["code"], e["detail"]["task_id"]) for e in again.document["errors"]] == [("task_not_found", "nobody")]
    assert [state_of(task) for task in tasks] == [State.QUEUED] * 3


def test_a_hold_begins_and_ends(run: Run, data: Path, tasks: list[Task]) -> None:
    assert run("tasks", "hold", tasks[0].id, "--data", data, "--json").document["tasks"][0]["hold"] is True
    assert run("tasks", "hold", tasks[0].id, "--off", "--data", data).out.strip() == f"{tasks[0].id} is failed"


def test_lanes_are_paused_and_resumed(run: Run, data: Path, tasks: list[Task]) -> None:
    assert tasks
    paused = run("lanes", "pause", "bulk", "--reason", "a bill\x1b[31m", "--data", data)
    assert "a bill\\x1b[31m" in paused.out, "nothing steers the terminal"
    lanes = {lane["lane"]: lane for lane in run("lanes", "status", "--data", data, "--json").document["lanes"]}
    assert [(name, lane["queued"], lane["running"]) for name, lane in lanes.items()] == [
        ("interactive", 0, 0), ("standard", 1, 1), ("bulk", 0, 0),
    ]  # fmt: skip
    assert lanes["bulk"]["paused_since"] is not None
    assert "paused" not in run("lanes", "resume", "bulk", "--data", data).out


def test_maintenance_begins_and_ends(run: Run, data: Path, tasks: list[Task]) -> None:
    assert tasks
    assert run("maintenance", "status", "--data", data).out == "off: new work is taken\n"
    on = run("maintenance", "on", "--reason", "new disks", "--data", data, "--json").document
    assert (on["maintenance"], on["reason"]) == (True, "new disks")
    assert run("maintenance", "off", "--data", data, "--json").document["maintenance"] is False


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("tasks", "show", "nobody"), "task_not_found"),
        (("tasks", "show", ""), "task_not_found"),
        (("tasks", "show", os.fsdecode(b"\xff")), "task_not_found"),
        (("tasks", "requeue", "nobody"), "task_not_found"),
        (("tasks", "list", "--state", "lost"), "option_invalid"),
        (("tasks", "list", "--limit", "0"), "option_invalid"),
        (("lanes", "pause", "fast"), "option_invalid"),
        (("lanes", "pause"), "request_invalid"),
    ],
)
def test_bad_input_is_told_by_its_code(
    run: Run, data: Path, tasks: list[Task], command: tuple[str, ...], code: str
) -> None:
    assert tasks
    assert run(*command, "--data", data, "--json").error["code"] == code


@pytest.mark.parametrize("command", [("tasks", "list"), ("lanes", "status"), ("maintenance", "on")])
def test_where_there_are_no_records_none_are_made(run: Run, tmp_path: Path, command: tuple[str, str]) -> None:
    done = run(*command, "--data", tmp_path / "nowhere", "--json")
    assert done.error["code"] == "config_invalid"
    done = run(*command, "--json", FACEFLEET_RECORDS__URL=f"sqlite:///{tmp_path / 'nowhere' / 'own.db'}")
    assert done.error["code"] == "config_invalid"
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_is_no_database_is_told(run: Run, data: Path) -> None:
    (data / "records.db").write_bytes(b"no database " * 400)
    assert run("lanes", "status", "--data", data, "--json").error["code"] == "records_unavailable"


def test_records_of_another_release_are_told_what_to_do(run: Run, data: Path, tasks: list[Task]) -> None:
    assert tasks
    database = Database(f"sqlite:///{data / 'records.db'}")
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    database.close()
    error = run("lanes", "status", "--data", data, "--json").error
    assert (error["code"], "facefleet migrate" in error["message"]) == ("records_unavailable", True)
