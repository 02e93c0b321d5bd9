"""``facefleet keys`` on real records, while nothing else runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.schemas import bring_to_schema

from facefleet.access.keys import parse
from facefleet.tasks.tables.database import Database


@pytest.fixture
def data(tmp_path: Path) -> Path:
    database = Database(f"sqlite:///{tmp_path / 'records.db'}")
    bring_to_schema(database)
    database.close()
    return tmp_path


def test_a_key_is_alone_on_stdout_and_nowhere_after_that(run: Run, data: Path) -> None:
    made = run("keys", "create", "--tenant", "acme", "--role", "member", "--role", "operator", "--data", data)
    assert parse(made.out.strip()).text == made.out.strip()
    assert "acme" in made.err
    listed = run("keys", "list", "--data", data)
    assert made.out.strip()[:20] in listed.out
    assert made.out.strip() not in listed.out


def test_a_key_is_made_listed_rotated_and_revoked(run: Run, data: Path) -> None:
    options = ["--days", "2", "--test", "--permission", "tasks.read", "--name", "the shop"]
    made = run("keys", "create", "--tenant", "acme", "--role", "member", *options, "--data", data, "--json").document
    assert made["key"].startswith("ff_test_")
    assert (made["tenant"], made["name"], made["permissions"]) == ("acme", "the shop", ["tasks.read"])
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=1.9) < left < timedelta(days=2)
    new = run("keys", "rotate", made["id"], "--overlap-hours", "1", "--data", data, "--json").document
    assert (new["replaces"]["id"], new["replaces"]["replaced_by"], new["test"]) == (made["id"], new["id"], True)
    assert "works until" in run("keys", "rotate", new["id"], "--data", data).err
    assert run("keys", "revoke", new["id"], "--data", data, "--json").document["status"] == "revoked"
    assert "is revoked" in run("keys", "revoke", new["id"], "--data", data).out
    run("keys", "create", "--tenant", "rival", "--role", "viewer", "--data", data)
    listed = run("keys", "list", "--tenant", "acme", "--data", data, "--json").document["keys"]
    assert [key["status"] for key in listed] == ["active", "revoked", "active"]
    assert "key" not in listed[0]
    assert "digest" not in str(listed)
    assert len(run("keys", "list", "--data", data, "--json").document["keys"]) == 4


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (["create", "--tenant", "../x", "--role", "member"], 2, "option_invalid"),
        (["create", "--tenant", "acme", "--role", "root"], 2, "option_invalid"),
        (["create", "--tenant", "acme"], 2, "request_invalid"),
        (["create", "--tenant", "acme", "--role", "member", "--days", "-1"], 2, "option_invalid"),
        (["rotate", "nobody"], 1, "key_not_found"),
        (["revoke", "nobody"], 1, "key_not_found"),
    ],
)
def test_a_wrong_word_is_told(run: Run, data: Path, words: list[str], status: int, code: str) -> None:
    done = run("keys", *words, "--data", data, "--json")
    assert (done.status, done.document["error"]["code"]) == (status, code)


def test_where_there_are_no_records_none_are_made(run: Run, tmp_path: Path) -> None:
    done = run("keys", "list", "--data", tmp_path / "nothing", "--json")
    assert (done.status, done.document["error"]["code"]) == (1, "config_invalid")
    assert list(tmp_path.iterdir()) == []
