"""What is particular to records on PostgreSQL: outages of every kind, and two programs at once."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from threading import Event

import psycopg
import pytest
from sqlalchemy import insert, inspect
from tests.races import kill_while_working, upgrade_twice_at_once
from tests.servers import HOST, PostgresServer, wait_until
from tests.tasks.fakes import LEASE, ORIGIN, AllRecords, FakeClock, a_task

from facefleet.errors.input import ConfigInvalid, FaceNotFound
from facefleet.errors.lookup import TaskNotFound
from facefleet.errors.outage import RecordsUnavailable, RecordsUncertain
from facefleet.tasks.audit import Action
from facefleet.tasks.records.audit_log import write_entry
from facefleet.tasks.seals import SEALER_LOCK, Seals
from facefleet.tasks.tables import schema
from facefleet.tasks.tables.database import Database, try_lock
from facefleet.tasks.tables.rows import row_of
from facefleet.tasks.tables.table import tasks
from facefleet.tasks.tables.upgrade import upgrade
from facefleet.tasks.task import Task
from facefleet.tasks.transitions import State
from facefleet.upkeep.verification import verify

pytestmark = pytest.mark.needs_server


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    """Of a database without a schema."""
    return postgres.new_database()


@pytest.fixture
def open_database() -> Iterator[Callable[[str], Database]]:
    """Opens databases; all are closed at the end."""
    with ExitStack() as stack:

        def opening(url: str) -> Database:
            database = Database(url)
            stack.callback(database.close)
            return database

        yield opening


@pytest.fixture
def own() -> Iterator[PostgresServer]:
    """A server that the test may kill."""
    with PostgresServer(max_connections="20") as server:
        yield server


Open = Callable[[str], Database]


def opened(database: Database) -> AllRecords:
    upgrade(database)
    return AllRecords(database, FakeClock())


def every_call(records: AllRecords, task: Task) -> list[Callable[[], object]]:
    return [
        lambda: records.add(a_task()),
        lambda: records.get("acme", task.id),
        lambda: records.claim(task.id, LEASE, {}),
        lambda: records.renew({task.id: 1}, LEASE),
        lambda: records.mark_sent([task], "e1"),
        records.unsent,
        records.expired,
    ]


# ── the schema ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_migrations_make_every_column_and_index(url: str, open_database: Open) -> None:
    database = open_database(url)
    upgrade(database)
    found = inspect(database.engine)
    assert {c["name"]: c["nullable"] for c in found.get_columns("tasks")} == {c.name: c.nullable for c in tasks.columns}
    unique = {u["name"] for u in found.get_unique_constraints("tasks")}
    assert {i["name"]: i["column_names"] for i in found.get_indexes("tasks") if i["name"] not in unique} == {
        index.name: [c.name for c in index.columns] for index in tasks.indexes
    }


def test_two_processes_may_upgrade_at_once(url: str, tmp_path: Path) -> None:
    upgrade_twice_at_once(url, tmp_path)
    with psycopg.connect(url) as raw:
        assert raw.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


def test_an_upgrade_waits_for_the_one_before_it(url: str, open_database: Open) -> None:
    first, second = open_database(url), open_database(url)
    with ThreadPoolExecutor(1) as thread:
        with first.exclusive():
            upgrading = thread.submit(upgrade, second)
            with pytest.raises(TimeoutError):
                upgrading.result(timeout=0.5)
        upgrading.result(timeout=10)
    schema.require_current(second)


def test_an_upgrade_may_take_longer_than_a_statement(url: str, open_database: Open) -> None:
    with open_database(url).exclusive() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "0"


def test_without_a_schema_it_is_an_outage_that_names_the_command(url: str, open_database: Open) -> None:
    database = open_database(url)
    with pytest.raises(RecordsUnavailable, match="facefleet migrate"):
        schema.require_current(database)
    with pytest.raises(RecordsUnavailable) as caught:
        AllRecords(database, FakeClock()).unsent()
    assert caught.value.detail == {"cause": "UndefinedTable"}


# ── the URL ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_usual_scheme_means_psycopg_3(url: str, scheme: str, open_database: Open) -> None:
    database = open_database(url.replace("postgresql", scheme, 1))
    with database.read() as connection:
        assert connection.exec_driver_sql("SHOW application_name").scalar() == "facefleet"
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "10s"


def test_what_the_url_sets_wins(url: str, open_database: Open) -> None:
    database = open_database(f"{url}?application_name=mine&options=-c%20statement_timeout%3D3s")
    with database.read() as connection:
        assert connection.exec_driver_sql("SHOW application_name").scalar() == "mine"
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "3s"


@pytest.mark.parametrize(
    "bad",
    [
        "postgresql://u:x@hunter2:hunter2/db",  # the password ends where nobody meant it to
        "postgresql://u:hunter2@host:port/db",
        "postgresql+psycopg2://u:hunter2@host/db",
        "mysql://u:hunter2@host/db",
    ],
)
def test_a_url_that_cannot_be_used_does_not_show_its_password(bad: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Database(bad)
    assert "hunter2" not in caught.value.message
    assert caught.value.__cause__ is None


def test_a_wrong_password_is_an_outage_that_does_not_show_it(postgres: PostgresServer, open_database: Open) -> None:
    database = open_database(postgres.url().replace(postgres.PASSWORD, "hunter2"))
    with pytest.raises(RecordsUnavailable) as caught:
        schema.require_current(database)
    assert caught.value.detail == {"cause": "OperationalError"}
    assert "hunter2" not in f"{caught.value} {caught.value.detail} {caught.value.__cause__}"


# ── outages ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_server_that_is_not_there_is_an_outage_at_once(open_database: Open) -> None:
    with socket.socket() as taken:  # bound and not listening: refuses
        taken.bind((HOST, 0))
        database = open_database(f"postgresql://u:p@{HOST}:{taken.getsockname()[1]}/db")
        began = time.monotonic()
        with pytest.raises(RecordsUnavailable):
            schema.require_current(database)
    assert time.monotonic() - began < 2


def test_a_server_that_accepts_and_says_nothing_is_an_outage_after_three_seconds(open_database: Open) -> None:
    with socket.create_server((HOST, 0)) as mute:
        database = open_database(f"postgresql://u:p@{HOST}:{mute.getsockname()[1]}/db")
        began = time.monotonic()
        with pytest.raises(RecordsUnavailable):
            schema.require_current(database)
    assert 2 < time.monotonic() - began < 6


def test_a_server_killed_in_the_middle_of_a_transaction_is_an_outage_and_then_used_again(
    own: PostgresServer, open_database: Open
) -> None:
    database = open_database(own.new_database())
    records, task = opened(database), a_task()
    records.add(task)

    def stumble() -> None:
        with database.write() as connection:
            connection.execute(tasks.update().values(state=State.FAILED))
            own.kill()
            connection.execute(tasks.update().values(failures=7))

    with pytest.raises(RecordsUnavailable):
        stumble()
    for call in every_call(records, task):
        with pytest.raises(RecordsUnavailable):
            call()
    own.start()
    assert records.get("acme", task.id) == task
    assert records.claim(task.id, LEASE, {}) is not None


def test_a_server_killed_before_the_commit_leaves_it_uncertain(own: PostgresServer, open_database: Open) -> None:
    database = open_database(own.new_database())
    records = opened(database)

    def stumble() -> None:
        with database.write() as connection:
            connection.execute(tasks.delete())
            own.kill()

    with pytest.raises(RecordsUncertain):
        stumble()
    own.start()
    assert records.unsent() == []


def test_a_commit_that_nobody_answers_is_uncertain_and_a_statement_is_not(
    postgres: PostgresServer, url: str, open_database: Open
) -> None:
    database = open_database(url)
    records = opened(database)

    def add(*, end_before: bool) -> None:
        with database.write() as connection:
            backend = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            if end_before:
                _end(postgres, backend)
            connection.execute(insert(tasks), row_of(a_task()))
            _end(postgres, backend)

    with pytest.raises(RecordsUncertain):
        add(end_before=False)
    with pytest.raises(RecordsUnavailable):
        add(end_before=True)
    assert records.unsent() == []


def _end(postgres: PostgresServer, backend: int) -> None:
    postgres.run(f"SELECT pg_terminate_backend({backend})")
    wait_until(lambda: not _runs(postgres, backend), "the backend has ended")


def _runs(postgres: PostgresServer, backend: int) -> bool:
    with psycopg.connect(postgres.url(), connect_timeout=5) as connection:
        found = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", (backend,)).fetchone()
    return found != (0,)


def test_a_connection_that_the_server_ended_is_replaced_without_a_word(postgres: PostgresServer, url: str) -> None:
    database = Database(url)
    records = opened(database)
    postgres.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{url.rpartition('/')[2]}' AND pid <> pg_backend_pid()"
    )
    assert records.unsent() == []
    database.close()


def test_a_server_that_is_stopped_is_an_outage_in_the_end(
    own: PostgresServer, open_database: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its kernel still answers for it, so neither the statement's limit nor keepalives help."""
    monkeypatch.setattr("facefleet.tasks.tables.database._ANSWER_SECONDS", 1.0)
    database = open_database(own.new_database())
    records = opened(database)
    with psycopg.connect(own.url()) as raw:
        found = raw.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'facefleet'").fetchall()
    assert own.pid is not None
    stopped = [own.pid, *(pid for (pid,) in found)]
    try:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(RecordsUnavailable):
            records.unsent()
        assert time.monotonic() - began < 8
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert records.unsent() == []


def test_a_statement_held_up_for_too_long_is_an_outage(url: str, open_database: Open) -> None:
    database = open_database(f"{url}?options=-c%20statement_timeout%3D300ms")
    records, task = opened(database), a_task()
    records.add(task)
    with psycopg.connect(url) as other:
        other.execute("SELECT 1 FROM tasks FOR UPDATE")
        with pytest.raises(RecordsUnavailable) as caught:
            records.claim(task.id, LEASE, {})
    assert caught.value.detail == {"cause": "QueryCanceled"}
    assert records.claim(task.id, LEASE, {}) is not None


def test_a_row_in_anothers_hands_is_waited_for_and_its_condition_looked_at_again(url: str, open_database: Open) -> None:
    records, task = opened(open_database(url)), a_task()
    records.add(task)
    with ThreadPoolExecutor(1) as thread, psycopg.connect(url) as other:
        other.execute("UPDATE tasks SET state = 'running', fence = 1")
        claiming = thread.submit(records.claim, task.id, LEASE, {})
        with pytest.raises(TimeoutError):
            claiming.result(timeout=0.3)
        other.commit()
        assert claiming.result(timeout=10) is None, "the other one has it"


def test_a_standby_that_only_reads_is_an_outage_for_writers(url: str, open_database: Open) -> None:
    records, task = opened(open_database(url)), a_task()
    records.add(task)
    standby = AllRecords(
        open_database(f"{url}?options=-c%20default_transaction_read_only%3Don"), FakeClock()
    )  # fmt: skip
    assert standby.get("acme", task.id) == task
    with pytest.raises(RecordsUnavailable) as caught:
        standby.claim(task.id, LEASE, {})
    assert caught.value.detail == {"cause": "ReadOnlySqlTransaction"}


def test_too_many_connections_are_an_outage_until_one_is_free(own: PostgresServer, open_database: Open) -> None:
    url = own.new_database()
    records = opened(open_database(url))
    records._database.engine.dispose()
    with ExitStack() as others:
        while True:
            try:
                others.enter_context(psycopg.connect(url))
            except psycopg.OperationalError:
                break
        with pytest.raises(RecordsUnavailable):
            records.unsent()
    wait_until(lambda: _works(records), "a connection is free", 10)


def test_more_threads_than_connections_wait_for_one(url: str, open_database: Open) -> None:
    records = opened(open_database(url))
    with ThreadPoolExecutor(32) as threads:
        list(threads.map(lambda _: records.add(a_task()), range(300)))
    assert len(records.unsent()) == 300


def test_what_was_committed_survives_kills_and_nothing_but_outages_is_seen(
    own: PostgresServer, open_database: Open
) -> None:
    records = opened(open_database(own.new_database()))
    kept: list[str] = []
    outages: list[int] = []

    def add_and_claim(number: int, stop: Event) -> None:
        while not stop.is_set():
            task = a_task()
            try:
                records.add(task)
                kept.append(task.id)
                records.claim(task.id, LEASE, {})
            except (RecordsUnavailable, RecordsUncertain):
                outages.append(number)
                stop.wait(0.01)

    kill_while_working(own, add_and_claim, kept, outages, threads=4)
    assert set(outages) == {0, 1, 2, 3}
    for task_id in kept:
        records.get("acme", task_id)


def _works(records: AllRecords) -> bool:
    try:
        records.get("acme", "nobody")
    except TaskNotFound:
        return True
    except (RecordsUnavailable, RecordsUncertain):
        pass
    return False


def test_a_nul_is_a_name_of_no_task_and_no_hindrance_to_a_failure(url: str, open_database: Open) -> None:
    """No text of PostgreSQL can hold one."""
    records, task = opened(open_database(url)), a_task()
    for ask in (records.get, records.cancel):
        with pytest.raises(TaskNotFound):
            ask("acme", "a\0b")
    records.add(task)
    run = records.claim(task.id, LEASE, {})
    assert run is not None
    assert records.fail(run, FaceNotFound("No face in \0.", name="\0"))
    failure = records.get("acme", task.id).failure
    assert failure is not None
    assert (failure.message, failure.detail) == ("No face in �.", {"name": "\0"})


# ── the audit log ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_entry_that_was_written_first_and_committed_last_is_sealed_last(url: str, open_database: Open) -> None:
    """What a chain over ranges of ids would take for an insertion."""
    database = open_database(url)
    records, clock = opened(database), FakeClock()
    seals = Seals(database, clock)
    with database.write() as slow:
        write_entry(slow, ORIGIN.entry(Action.RESULT_READ, clock(), "slow"))
        clock.advance(1)
        records.add(task := a_task(clock()))
        first = seals.seal()
        assert first is not None
        assert [entry.object for entry in first[1]] == [task.id], "nobody waits for the slow one"
    second = seals.seal()
    assert second is not None
    assert [entry.object for entry in second[1]] == ["slow"]
    assert second[1][0].id < first[1][0].id
    assert verify(seals, second[0].hash).valid


def test_of_two_sealers_one_works_and_the_other_goes_away(url: str, open_database: Open) -> None:
    database = open_database(url)
    opened(database).add(a_task())
    seals = Seals(database, FakeClock())
    with database.write() as busy:
        assert try_lock(busy, SEALER_LOCK)
        assert seals.seal() is None
        assert seals.expire(timedelta(0)) == []
    assert seals.seal() is not None
