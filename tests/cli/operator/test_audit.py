"""``facefleet audit verify`` on real records."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.schemas import bring_to_schema
from tests.tasks.fakes import ORIGIN

from facefleet.tasks.audit import Action
from facefleet.tasks.records.audit_log import AuditFilter, AuditLog
from facefleet.tasks.seals import Seals
from facefleet.tasks.tables.database import Database


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Records with two seals over an entry each."""
    opened = Database(f"sqlite:///{tmp_path / 'records.db'}")
    bring_to_schema(opened)
    for number in range(2):
        AuditLog(opened, now).record(ORIGIN, Action.RESULT_READ, f"task {number}")
        Seals(opened, now).seal()
    return opened


def test_a_sound_log_is_told_with_its_last_seal(run: Run, tmp_path: Path, database: Database) -> None:
    heads = [seal.hash for seal in Seals(database, now).chain()]
    done = run("audit", "verify", "--data", tmp_path)
    assert (done.status, heads[1] in done.out) == (0, True)
    document = run("audit", "verify", "--seal", heads[0], "--data", tmp_path, "--json").document
    assert (document["valid"], document["seals"], document["entries"]) == (True, 2, 2)
    assert (document["head"], document["findings"]) == (heads[1], [])
    database.close()


def test_what_was_changed_is_named_and_the_status_is_1(run: Run, tmp_path: Path, database: Database) -> None:
    (_, victim) = AuditLog(database, now).entries(AuditFilter())
    with database.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_update")
        connection.exec_driver_sql(f"UPDATE audit SET actor = 'mallory' WHERE id = '{victim.id}'")
    done = run("audit", "verify", "--data", tmp_path)
    assert (done.status, f"edited         Entry {victim.id} was changed." in done.out) == (1, True)
    cut = run("audit", "verify", "--seal", "5f" * 32, "--data", tmp_path, "--json")
    assert cut.status == 1
    assert {(one["fault"], one["entry"]) for one in cut.document["findings"]} == {
        ("edited", victim.id), ("truncated", None),
    }  # fmt: skip
    database.close()


def test_an_operator_s_command_is_written_down_with_the_user(run: Run, tmp_path: Path, database: Database) -> None:
    assert run("lanes", "pause", "bulk", "--data", tmp_path).status == 0
    newest = AuditLog(database, now).page(AuditFilter(), None, 1).rows[0]
    assert (newest.action, newest.object, newest.actor) == ("lane.pause", "stable.bulk", f"cli:{getpass.getuser()}")
    assert (newest.address, newest.actor_tenant, newest.tenant) == (None, "", "")
    database.close()


def test_a_seal_with_a_slip_of_the_pen_is_no_log_that_was_cut_off(run: Run, tmp_path: Path) -> None:
    refused = run("audit", "verify", "--seal", "5f0c", "--data", tmp_path)
    assert (refused.status, "64 hexadecimal digits" in refused.err) == (2, True)
