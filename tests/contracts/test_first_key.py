"""The first API key, on every database: one for all gateways, in a file that only its owner reads, and never again."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from tests.tasks.fakes import FakeClock

from facefleet.access.first_key import ROLES, make_first_key
from facefleet.access.key_desk import KeyDesk
from facefleet.access.keys import new_key, parse
from facefleet.access.roles import permissions_of
from facefleet.config import Settings, load
from facefleet.errors.input import ConfigInvalid
from facefleet.tasks.audit import SERVICE
from facefleet.tasks.records.audit_log import AuditFilter, AuditLog
from facefleet.tasks.tables.database import Database

SECRET = {"FACEFLEET_AUTH__KEY_SECRETS": "one secret of our own, 32 characters".replace(" ", "-")}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in SECRET.items():
        monkeypatch.setenv(name, value)
    return load(data=tmp_path / "data", auth={"keys": True})


@pytest.fixture
def desk(settings: Settings, database: Database, clock: FakeClock) -> KeyDesk:
    return KeyDesk.build(settings, database, clock)


def test_it_opens_the_gateway_for_an_administrator_and_stands_in_the_audit_log(
    settings: Settings, desk: KeyDesk, database: Database, clock: FakeClock
) -> None:
    assert make_first_key(settings, desk, clock)
    file = settings.data / "admin.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = parse(file.read_text().strip())
    found = desk.records.find(text.prefix)
    assert found is not None
    key, digest = found
    assert desk.maker.hasher.matches(text, digest)
    assert (key.tenant, key.roles, key.expires_at) == ("local", ROLES, None)
    assert key.permissions == permissions_of(ROLES)
    (entry,) = AuditLog(database, clock).entries(AuditFilter())
    assert (entry.action, entry.object, entry.actor) == ("key.create", key.id, "facefleet")


def test_it_is_in_no_log(settings: Settings, desk: KeyDesk, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    make_first_key(settings, desk, clock)
    secret = (settings.data / "admin.key").read_text().strip()[20:]
    assert str(settings.data / "admin.key") in caplog.text
    assert secret not in caplog.text


def test_a_restart_makes_none_even_where_the_file_is_gone_and_the_key_revoked(
    settings: Settings, desk: KeyDesk, clock: FakeClock
) -> None:
    make_first_key(settings, desk, clock)
    file = settings.data / "admin.key"
    file.unlink()
    (key,) = desk.records.page(None, None, 10).rows
    desk.records.revoke(None, key.id, SERVICE)
    assert not make_first_key(settings, desk, clock)
    assert not file.exists()
    assert len(desk.records.page(None, None, 10).rows) == 1


def test_a_key_that_lies_in_the_file_is_taken(settings: Settings, desk: KeyDesk, clock: FakeClock) -> None:
    """Put there by an operator, or by a gateway that died before it committed."""
    given = new_key(test=False)
    settings.data.mkdir()
    (settings.data / "admin.key").write_text(given.text + "\n")
    assert make_first_key(settings, desk, clock)
    assert desk.records.find(given.prefix) is not None


@pytest.mark.parametrize("shared", [True, False], ids=["one folder", "a folder each"])
def test_gateways_that_start_at_once_make_one(
    settings: Settings, desk: KeyDesk, clock: FakeClock, tmp_path: Path, shared: bool
) -> None:
    folders = [tmp_path / ("data" if shared else str(number)) for number in range(4)]
    together = Barrier(len(folders))

    def start(folder: Path) -> bool:
        mine = load(data=folder, auth={"keys": True})
        together.wait()
        return make_first_key(mine, desk, clock)

    with ThreadPoolExecutor(len(folders)) as threads:
        made = list(threads.map(start, folders))
    assert sum(made) == 1
    (key,) = desk.records.page(None, None, 10).rows
    files = {folder / "admin.key" for folder in folders if (folder / "admin.key").exists()}
    assert [file.read_text()[:20] for file in files] == [key.prefix], "a file that opens nothing is not left behind"


@pytest.mark.parametrize("trouble", ["words", "folder"])
def test_a_file_that_cannot_be_it_is_told_with_its_setting(
    settings: Settings, desk: KeyDesk, clock: FakeClock, tmp_path: Path, trouble: str
) -> None:
    if trouble == "words":
        settings.data.mkdir()
        (settings.data / "admin.key").write_text("to be filled in")
    else:
        settings.data.write_text("no folder")
    with pytest.raises(ConfigInvalid) as refused:
        make_first_key(settings, desk, clock)
    assert "FACEFLEET_AUTH__FIRST_KEY_FILE" in refused.value.message
    assert not desk.records.any()


def test_the_setting_names_another_file(settings: Settings, desk: KeyDesk, clock: FakeClock, tmp_path: Path) -> None:
    chosen = tmp_path / "secrets" / "admin"
    assert make_first_key(load(data=tmp_path, auth={"keys": True, "first_key_file": chosen}), desk, clock)
    assert desk.records.find(parse(chosen.read_text().strip()).prefix) is not None
