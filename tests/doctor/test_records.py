"""The records' database, real ones: its schema, and one that is away."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from tests.servers import HOST, PostgresServer, free_port

from facefleet.config import Records, Settings
from facefleet.doctor import records
from facefleet.doctor.contract import Demand
from facefleet.doctor.report import Finding, State
from facefleet.errors.input import ConfigInvalid
from facefleet.errors.outage import RecordsUnavailable
from facefleet.tasks.tables import schema
from facefleet.tasks.tables.database import Database
from facefleet.tasks.tables.upgrade import upgrade


def settings(url: str) -> Settings:
    return Settings(records=Records(url=SecretStr(url)))


def schema_line(url: str, wanted: Demand | None = None) -> Finding:
    (found,) = [one for one in records.look(settings(url), wanted) if one.check == "records.schema"]
    return found


def set_version(url: str, version: str) -> None:
    database = Database(url)
    with database.write() as connection:
        connection.execute(text(f"UPDATE {schema.VERSION_TABLE} SET version_num = :version"), {"version": version})
    database.close()


@pytest.mark.needs_server
def test_records_on_postgresql_pass(postgres: PostgresServer) -> None:
    found = list(records.look(settings(postgres.new_records()), Demand.STRICT))
    assert [one.check for one in found] == ["records", "records.schema", "records.clock"]
    assert {one.state for one in found} == {State.OK}
    assert found[0].found.startswith("PostgreSQL 1")
    assert PostgresServer.PASSWORD not in str(found)


@pytest.mark.needs_server
def test_an_old_schema_is_broken_and_a_newer_one_is_not(postgres: PostgresServer) -> None:
    url = postgres.new_records()
    set_version(url, "0003")
    old = schema_line(url, Demand.REQUIRED)
    assert (old.state, old.line) == (State.BROKEN, "servers.records")
    assert "0003" in old.found
    assert "facefleet migrate" in old.advice
    assert schema_line(url).state is State.BROKEN
    set_version(url, "9999")
    assert schema_line(url, Demand.STRICT).state is State.OK


@pytest.mark.needs_server
def test_a_database_without_a_schema_is_broken(postgres: PostgresServer) -> None:
    assert schema_line(postgres.new_database()).found.startswith("The records' schema is empty")


def test_records_in_a_file_pass_and_one_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    file = tmp_path / "new" / "records.db"
    (found,) = records.look(settings(f"sqlite:///{file}"), None)
    assert found.state is State.SKIPPED
    (broken,) = records.look(settings(f"sqlite:///{file}"), Demand.REQUIRED)
    assert (broken.state, broken.line) == (State.BROKEN, "servers.records")
    assert broken.advice
    assert not file.parent.exists()
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    database.close()
    assert {one.state for one in records.look(settings(f"sqlite:///{file}"), Demand.STRICT)} == {State.OK}


def test_a_clock_that_is_apart_is_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'records.db'}"
    database = Database(url)
    upgrade(database)
    database.close()
    *_, clock = records.look(settings(url), None, lambda: time.time() - 30)
    assert (clock.check, clock.state, clock.found) == ("records.clock", State.WARNING, "30 s ahead of ours")


def test_a_database_that_is_away_or_unknown_raises_without_its_password() -> None:
    with pytest.raises(RecordsUnavailable) as away:
        list(records.look(settings(f"postgresql://me:open-sesame@{HOST}:{free_port()}/records"), None))
    with pytest.raises(ConfigInvalid) as unknown:
        list(records.look(settings("mysql://me:open-sesame@db/records"), None))
    for error in (away.value, unknown.value):
        assert "open-sesame" not in f"{error.message} {error.detail}"
