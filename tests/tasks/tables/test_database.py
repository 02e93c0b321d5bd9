"""The database under the records: outages, locks, and what a crash leaves."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError
from tests.tasks.fakes import LEASE, AllRecords, FakeClock, a_task

from facefleet.errors.input import ConfigInvalid
from facefleet.errors.outage import RecordsUnavailable
from facefleet.tasks.tables.database import Database, file_of
from facefleet.tasks.tables.table import switches
from facefleet.tasks.tables.upgrade import upgrade
from facefleet.tasks.transitions import State

# Commits one record after another and says so after each; dies between two of them.
_WRITER = """
import sys
from datetime import UTC, datetime
from facefleet.tasks.tables.database import Database
from tests.tasks.fakes import AllRecords
from tests.tasks.fakes import a_task
records = AllRecords(Database(sys.argv[1]), lambda: datetime.now(UTC))
while True:
    task = a_task()
    records.add(task)
    print(task.id, flush=True)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{file}", busy_timeout=0.2)
    upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def records(database: Database) -> AllRecords:
    return AllRecords(database, FakeClock())


@pytest.fixture
def other(file: Path, database: Database) -> Iterator[sqlite3.Connection]:
    """Another program's connection to the same file."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        yield connection


def test_a_writer_held_up_for_too_long_is_an_outage(records: AllRecords, other: sqlite3.Connection) -> None:
    task = a_task()
    records.add(task)
    other.execute("BEGIN IMMEDIATE")
    for change in (
        lambda: records.add(a_task()),
        lambda: records.claim(task.id, LEASE, {}),
        lambda: records.renew({task.id: 1}, LEASE),
        lambda: records.mark_unsent([task.id]),
    ):
        began = time.monotonic()
        with pytest.raises(RecordsUnavailable) as caught:
            change()
        assert 0.15 < time.monotonic() - began < 5
        assert caught.value.detail == {"cause": "OperationalError"}
    other.execute("ROLLBACK")
    assert records.claim(task.id, LEASE, {}) is not None, "the connection is as good as new"


def test_a_writer_does_not_hold_up_readers(records: AllRecords, other: sqlite3.Connection) -> None:
    task = a_task()
    records.add(task)
    other.execute("BEGIN IMMEDIATE")
    assert records.get("acme", task.id) == task
    assert records.unsent() == [task]


def test_a_writer_waits_for_the_one_before_it(file: Path, database: Database, other: sqlite3.Connection) -> None:
    patient = Database(f"sqlite:///{file}", busy_timeout=10)
    records = AllRecords(patient, FakeClock())
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as thread:
        adding = thread.submit(records.add, task := a_task())
        with pytest.raises(TimeoutError):
            adding.result(timeout=0.3)
        other.execute("COMMIT")
        adding.result(timeout=10)
    assert records.get("acme", task.id) == task
    patient.close()


def test_a_block_that_fails_writes_nothing(database: Database, records: AllRecords) -> None:
    task = a_task()
    records.add(task)

    def stumble() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("DELETE FROM tasks")
            raise KeyError("a bug")

    with pytest.raises(KeyError):
        stumble()
    assert records.get("acme", task.id) == task


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///{folder}/records.db"])
def test_an_error_does_not_show_a_tenants_values(tmp_path: Path, url: str) -> None:
    opened = Database(url.format(folder=tmp_path))
    upgrade(opened)
    records, task = AllRecords(opened, FakeClock()), a_task(subject="alice@example.org")
    records.add(task)
    with pytest.raises(IntegrityError) as caught:
        records.add(task)
    assert "alice@example.org" not in str(caught.value)
    opened.close()


def test_a_file_of_another_program_is_written_safely(database: Database, other: sqlite3.Connection) -> None:
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2, "FULL: a 202 survives a power cut"


def test_only_what_may_be_undone_is_not_waited_for(database: Database, other: sqlite3.Connection) -> None:
    def level(connection: Connection) -> int:
        return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    with database.write(undoable=True) as connection:
        assert level(connection) == 1
    with database.write() as connection:
        assert level(connection) == 2, "the same connection, asked for more"


def test_a_new_file_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    """Only the first switches it to WAL, and SQLite tells the others BUSY without waiting."""
    many, start = 6, Barrier(6)

    def open_it(url: str) -> None:
        start.wait(timeout=10)
        database = Database(url)
        with database.write() as connection:
            connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS t (n)")
        database.close()

    with ThreadPoolExecutor(many) as threads:
        for number in range(40):
            list(threads.map(open_it, [f"sqlite:///{tmp_path / str(number)}.db"] * many))


def test_the_folder_of_the_file_is_made(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'not' / 'there' / 'records.db'}")
    upgrade(database)
    database.close()
    assert (tmp_path / "not" / "there" / "records.db").is_file()


def test_a_folder_that_is_a_file_is_a_bad_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigInvalid, match=r"records\.url"):
        Database(f"sqlite:///{tmp_path / 'file' / 'records.db'}")


@pytest.mark.parametrize("url", ["nonsense", "", "nosuchdatabase://host/db", "postgresql+nosuchdriver://host/db"])
def test_a_url_nobody_can_open_is_a_bad_setting(url: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Database(url)
    assert caught.value.detail == {"setting": "records.url"}


def test_a_bad_url_does_not_show_its_password() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Database("nosuchdatabase://root:hunter2@host/db")
    assert "hunter2" not in caught.value.message


def test_a_missing_table_is_an_outage_not_a_crash(tmp_path: Path) -> None:
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(RecordsUnavailable):
        AllRecords(empty, FakeClock()).unsent()
    empty.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_its_owners_alone_and_shared_by_threads(url: str) -> None:
    mine, another = Database(url), Database(url)
    upgrade(mine)
    records = AllRecords(mine, FakeClock())
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: records.add(a_task()), range(80)))
    assert len(records.unsent()) == 80
    with pytest.raises(RecordsUnavailable):
        AllRecords(another, FakeClock()).unsent()
    mine.close()
    another.close()


def test_a_killed_writer_loses_nothing_it_had_committed(file: Path, records: AllRecords) -> None:
    root = Path(__file__).parents[3]
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, f"sqlite:///{file}"], stdout=subprocess.PIPE, text=True, cwd=root
    )
    assert writer.stdout is not None
    try:
        told = [writer.stdout.readline().strip() for _ in range(50)]
        writer.send_signal(signal.SIGKILL)
        told += [line.strip() for line in writer.stdout if line.endswith("\n")]
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()
    assert len(told) >= 50
    for task_id in told:
        assert records.get("acme", task_id).state == State.QUEUED
    with closing(sqlite3.connect(file)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert records.claim(told[-1], LEASE, {}) is not None


def test_a_file_that_is_no_database_is_an_outage(tmp_path: Path) -> None:
    """Nothing is written into it, and nobody's task fails for good because of it."""
    (tmp_path / "records.db").write_bytes(b"no database " * 400)
    opened = Database(f"sqlite:///{tmp_path / 'records.db'}")
    with pytest.raises(RecordsUnavailable):
        AllRecords(opened, FakeClock()).unsent()
    opened.close()
    assert (tmp_path / "records.db").read_bytes() == b"no database " * 400


def test_every_outage_is_told_and_nothing_else(file: Path) -> None:
    told: list[int] = []
    opened = Database(f"sqlite:///{file}", busy_timeout=0.1, on_outage=lambda: told.append(1))
    records = AllRecords(opened, FakeClock())
    upgrade(opened)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for count in (1, 2):
            with pytest.raises(RecordsUnavailable):
                records.add(a_task())
            assert len(told) == count
        assert records.unsent() == []
        other.execute("ROLLBACK")
    records.add(a_task())
    with pytest.raises(IntegrityError), opened.write() as connection:
        connection.execute(insert(switches).values([{"name": "a", "since": FakeClock()(), "reason": ""}] * 2))
    assert len(told) == 2
    opened.close()


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:////srv/records.db", Path("/srv/records.db")), ("sqlite:///records.db", Path("records.db")),
        ("sqlite://", None), ("sqlite:///:memory:", None), ("postgresql://u:p@host/db", None), ("no url", None),
    ],
)  # fmt: skip
def test_only_sqlite_has_a_file(url: str, file: Path | None) -> None:
    assert file_of(url) == file
