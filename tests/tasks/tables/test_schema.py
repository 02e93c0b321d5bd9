"""The migrations, run on real files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect
from tests.races import upgrade_twice_at_once
from tests.tasks.fakes import LEASE, AllRecords, FakeClock, a_task

from facefleet.errors.outage import RecordsUnavailable
from facefleet.tasks.tables import schema
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.rows import row_of
from facefleet.tasks.tables.table import audit, metadata, tasks
from facefleet.tasks.tables.upgrade import configuration, upgrade


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A file without a schema."""
    opened = Database(f"sqlite:///{tmp_path / 'records.db'}")
    yield opened
    opened.close()


def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    upgrade(database)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_the_migrations_make_every_constraint_and_index(database: Database) -> None:
    """``compare_metadata`` is blind to some of them on SQLite."""
    upgrade(database)
    found = inspect(database.engine)
    assert [c["name"] for c in found.get_columns("tasks")] == [c.name for c in tasks.columns]
    assert {c["name"]: c["nullable"] for c in found.get_columns("tasks")} == {c.name: c.nullable for c in tasks.columns}
    assert found.get_pk_constraint("tasks")["constrained_columns"] == ["id"]
    assert {u["name"]: u["column_names"] for u in found.get_unique_constraints("tasks")} == {
        "uq_tasks_idempotency": ["tenant", "idempotency_key"]
    }
    assert {i["name"]: i["column_names"] for i in found.get_indexes("tasks")} == {
        index.name: [c.name for c in index.columns] for index in tasks.indexes
    }


def test_the_migrations_index_what_the_audit_log_is_asked_for(database: Database) -> None:
    upgrade(database)
    found = {i["name"]: i["column_names"] for i in inspect(database.engine).get_indexes("audit")}
    assert found == {index.name: [column.name for column in index.columns] for index in audit.indexes}
    question = "EXPLAIN QUERY PLAN SELECT * FROM audit WHERE {} = 'x' ORDER BY id DESC LIMIT 50"
    for column in ("tenant", "actor", "action", "object"):
        with database.read() as connection:
            plan = connection.exec_driver_sql(question.format(column)).all()
        assert f"USING INDEX ix_audit_{column} " in plan[0][3]


def test_the_code_names_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(configuration()).get_current_head() == schema.HEAD


def test_an_upgrade_of_what_is_current_changes_nothing(database: Database) -> None:
    upgrade(database)
    with database.read() as connection:
        before = connection.exec_driver_sql("PRAGMA schema_version").scalar()
    upgrade(database)
    schema.require_current(database)
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA schema_version").scalar() == before


def test_an_empty_database_is_refused_with_the_command_that_mends_it(database: Database) -> None:
    with pytest.raises(RecordsUnavailable, match="facefleet migrate") as caught:
        schema.require_current(database)
    assert caught.value.detail["found"] is None


def test_a_program_works_on_the_schema_of_a_later_release(database: Database) -> None:
    """One that has added a column, and left what was there alone: the order of an upgrade depends on it."""
    upgrade(database)
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE tasks ADD COLUMN mood TEXT NOT NULL DEFAULT 'good'")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    schema.require_current(database)
    upgrade(database)
    records = AllRecords(database, FakeClock())
    task = records.add(a_task())
    assert records.get(task.tenant, task.id) == task
    run = records.claim(task.id, LEASE, {})
    assert run is not None
    assert records.succeed(run, "key", "image/png", {})


def test_a_task_of_before_the_plans_is_one_without_a_plan(database: Database) -> None:
    config, task = configuration(), a_task()
    with database.exclusive() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0011")
        earlier = {name: value for name, value in row_of(task).items() if name != "plan"}
        connection.execute(insert(tasks).values(earlier))
    with pytest.raises(RecordsUnavailable, match="0011"):
        schema.require_current(database)
    upgrade(database)
    assert AllRecords(database, FakeClock()).get(task.tenant, task.id) == task


def test_a_migration_that_fails_leaves_nothing_behind(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import op

    def stumble(*_: object, **__: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(op, "create_index", stumble)
    with pytest.raises(RuntimeError):
        upgrade(database)
    assert inspect(database.engine).get_table_names() == []
    monkeypatch.undo()
    upgrade(database)
    schema.require_current(database)


def test_two_processes_may_upgrade_at_once(tmp_path: Path) -> None:
    upgrade_twice_at_once(f"sqlite:///{tmp_path / 'records.db'}", tmp_path)
    with sqlite3.connect(tmp_path / "records.db") as raw:
        assert raw.execute("SELECT count(*) FROM alembic_version").fetchall() == [(1,)]
    raw.close()
