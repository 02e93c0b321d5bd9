"""``facefleet tenants`` on real records and a real folder of objects, while nothing else runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Run
from tests.schemas import bring_to_schema
from tests.tasks.fakes import LEASE, ORIGIN, AllRecords, a_task

from facefleet.access.api_key import ApiKey
from facefleet.access.key_records import KeyRecords
from facefleet.access.principal import Credential, CredentialKind, Principal
from facefleet.access.roles import Role, permissions_of
from facefleet.access.session import Session, SessionSecret
from facefleet.access.session_records import SessionRecords
from facefleet.storage.keys import batch_key, input_key, result_key, template_key, upload_key
from facefleet.storage.opening import open_store
from facefleet.storage.store import Store
from facefleet.tasks.audit import Origin
from facefleet.tasks.batches import Batch, Batches
from facefleet.tasks.deliveries import Deliveries
from facefleet.tasks.ids import new_id
from facefleet.tasks.kinds import Kind
from facefleet.tasks.records.audit_log import AuditFilter, AuditLog
from facefleet.tasks.records.operator_records import OperatorRecords
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Consent, Task, Webhook
from facefleet.tasks.templates import Template, registered
from facefleet.tasks.uploads import Upload, UploadRecords


def now() -> datetime:
    return datetime.now(UTC)


class Office:
    """Records and objects of two tenants."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'records.db'}")
        bring_to_schema(self.database)
        self.records = AllRecords(self.database, now)
        self.store: Store = open_store((folder / "objects").as_uri())

    def task(self, tenant: str = "acme", subject: str = "alice", **changes: Any) -> Task:
        """One that has succeeded, with an upload and a result."""
        task_id = new_id()
        inputs = {"source": input_key(tenant, task_id, "source")}
        task = a_task(now(), id=task_id, tenant=tenant, inputs=inputs, webhook=Webhook("https://x.org", ("succeeded",)))
        task = replace(task, subject=subject, consent=Consent(subject, now()), **changes)
        self.store.put(inputs["source"], b"a photo")
        self.records.add(task, origin=Origin(subject, tenant))
        run = self.records.claim(task.id, LEASE, {})
        assert run is not None
        self.store.put(key := result_key(tenant, task_id, run.fence), b"a result")
        self.records.succeed(run, key, "image/png", {})
        Deliveries(self.database, now).announce()
        return self.records.get(tenant, task_id)

    def batch(self, tenant: str = "acme", subject: str = "alice") -> Batch:
        """One of two items, which share a source."""
        batch_id = new_id()
        self.store.put(key := batch_key(tenant, batch_id, "source", 0), b"shared")
        batch = Batch(batch_id, tenant, subject, 2, {}, {"source": key}, now())
        items = [a_task(now(), tenant=tenant, batch=batch_id, item=n, inputs={"source": key}) for n in range(2)]
        return Batches(self.database, now).add(batch, [replace(one, subject=subject) for one in items], ORIGIN)

    def template(self, tenant: str = "acme", subject: str = "alice") -> Template:
        """One whose task has not begun."""
        template_id, task_id = new_id(), new_id()
        self.store.put(key := template_key(tenant, template_id), b"a poster")
        template = Template(
            template_id, tenant, subject, "poster", task_id, key, "image/png", 3, 4, 5, "d" * 64,
            Consent(subject, now()), now(),
        )  # fmt: skip
        task = a_task(now(), id=task_id, tenant=tenant, kind=Kind.TEMPLATE, template=template_id, inputs={"image": key})
        self.records.add(replace(task, subject=subject), registered(template))
        return template

    def upload(self, tenant: str = "acme", subject: str = "alice") -> Upload:
        """A photo that was announced and has come."""
        upload = Upload(new_id(), tenant, subject, 9, "image/png", "d" * 64, now(), now() + timedelta(hours=1))
        self.store.put(upload_key(tenant, upload.id), b"an upload")
        UploadRecords(self.database, now).add(upload, ORIGIN)
        return upload

    def key(self, tenant: str = "acme") -> str:
        """The id of an API key; nobody can use it."""
        key_id = new_id()
        roles = frozenset({Role.MEMBER})
        key = ApiKey(
            id=key_id, tenant=tenant, name="a key", prefix=f"ff_live_{key_id[-8:]}", roles=roles, scope=None,
            created_by="alice", created_at=now(), expires_at=None, used_at=None, revoked_at=None, replaced_by=None,
        )  # fmt: skip
        KeyRecords(self.database, now).add(key, "d" * 64, ORIGIN)
        return key_id

    def session(self, tenant: str = "acme", subject: str = "alice") -> SessionSecret:
        """Somebody signs in by a token."""
        roles, secret, at = frozenset({Role.MEMBER}), SessionSecret.new(), now()
        who = Principal(tenant, subject, roles, permissions_of(roles), Credential(CredentialKind.TOKEN))
        session = Session(id=new_id(), principal=who, created_at=at, expires_at=at + timedelta(hours=1))
        SessionRecords(self.database, now).add(session, secret.digest, Origin(subject, tenant))
        return secret

    def signed_in(self, secret: SessionSecret) -> bool:
        return SessionRecords(self.database, now).find(secret.digest) is not None

    def kept(self, tenant: str) -> set[str]:
        """The bytes of each object of a tenant."""
        return {self.store.get(key).decode() for key in self.store.list(f"tenants/{tenant}/")}

    def actions(self) -> list[str]:
        """Of the commands under test."""
        log = AuditLog(self.database, now).entries(AuditFilter())
        return sorted(entry.action for entry in log if entry.actor.startswith("cli:"))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.database.close()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_tenants_are_listed_with_how_much_is_kept(run: Run, office: Office, tmp_path: Path) -> None:
    held = office.task()
    OperatorRecords(office.database, now).hold(held.id, ORIGIN, on=True)
    office.batch()
    office.template()
    office.task("initech", "bob")
    rows = run("tenants", "list", "--data", tmp_path, "--json").document["tenants"]
    assert [(r["tenant"], r["tasks"], r["held"], r["batches"], r["templates"]) for r in rows] == [
        ("acme", 4, 1, 1, 1), ("initech", 1, 0, 0, 0),
    ]  # fmt: skip
    assert run("tenants", "list", "--data", tmp_path).out.splitlines()[1].split()[0] == "acme"


def test_an_export_holds_every_row_and_every_photo_of_the_tenant_and_of_nobody_else(
    run: Run, office: Office, tmp_path: Path
) -> None:
    tasks, batch, template = [office.task(), office.task(subject="carol")], office.batch(), office.template()
    office.task("initech", "bob")
    upload, key_id, secret = office.upload(), office.key(), office.session()
    done = run("tenants", "export", "acme", "-o", tmp_path / "out", "--data", tmp_path, "--json").document
    out = tmp_path / "out"
    assert {one["id"] for one in lines(out / "tasks.jsonl")} >= {task.id for task in tasks}
    assert {one["tenant"] for one in lines(out / "tasks.jsonl")} == {"acme"}
    assert [one["id"] for one in lines(out / "batches.jsonl")] == [batch.id]
    assert [one["id"] for one in lines(out / "templates.jsonl")] == [template.id]
    assert [one["id"] for one in lines(out / "uploads.jsonl")] == [upload.id]
    assert {one["task"] for one in lines(out / "deliveries.jsonl")} == {task.id for task in tasks}
    (key,) = lines(out / "keys.jsonl")
    assert (key["id"], "digest" in key) == (key_id, False)
    (session,) = lines(out / "sessions.jsonl")
    assert (session["subject"], session["roles"], "digest" in session) == ("alice", ["member"], False)
    assert secret.digest not in (out / "audit.jsonl").read_text()
    audited = [one["action"] for one in lines(out / "audit.jsonl")]
    assert audited.count("task.create") == 2
    assert "tenant.export" in audited, "it was written down before anything was read"
    copied = sorted(path.read_bytes().decode() for path in (out / "objects").rglob("*") if path.is_file())
    assert copied == ["a photo", "a photo", "a poster", "a result", "a result", "an upload", "shared"]
    (summary,) = lines(out / "export.json")
    assert (
        (summary["objects"], summary["rows"]["tasks.jsonl"]) == (7, 5) == (done["objects"], done["rows"]["tasks.jsonl"])
    )
    assert office.actions() == ["tenant.export"]


def test_an_export_of_a_subject_holds_what_it_made(run: Run, office: Office, tmp_path: Path) -> None:
    task, _ = office.task(subject="carol"), office.task()
    office.task("initech", "carol")
    run("tenants", "export", "acme", "--subject", "carol", "-o", tmp_path / "out", "--data", tmp_path)
    out = tmp_path / "out"
    assert [one["id"] for one in lines(out / "tasks.jsonl")] == [task.id]
    assert [one["task"] for one in lines(out / "deliveries.jsonl")] == [task.id]
    assert [(one["actor"], one["object"]) for one in lines(out / "audit.jsonl")] == [("carol", task.id)]
    assert {path.parent.name for path in (out / "objects").rglob("*") if path.is_file()} == {task.id}


def test_an_erasure_is_only_shown_until_somebody_says_yes(run: Run, office: Office, tmp_path: Path) -> None:
    office.task()
    office.template()
    office.upload()
    office.key()
    office.session()
    shown = run("tenants", "erase", "acme", "--data", tmp_path, "--json").document
    assert shown == {"erasable": {"tasks": 2, "batches": 0, "templates": 1, "uploads": 1, "keys": 1, "sessions": 1}}
    assert office.kept("acme") == {"a photo", "a result", "a poster", "an upload"}
    assert office.actions() == []


def test_an_erasure_leaves_receipts_and_nobody_elses_photos(run: Run, office: Office, tmp_path: Path) -> None:
    task, batch = office.task(), office.batch()
    office.template()
    office.upload()
    key_id, other_key = office.key(), office.key("initech")
    session, other_session = office.session(), office.session("initech")
    office.task("initech", "bob")
    done = run("tenants", "erase", "acme", "--yes", "--data", tmp_path, "--json")
    assert (done.status, done.document) == (
        0,
        {"tasks": 4, "batches": 1, "templates": 1, "uploads": 1, "keys": 1, "sessions": 1, "held": []},
    )
    assert office.kept("acme") == set()
    assert office.kept("initech") == {"a photo", "a result"}
    assert office.records.get("acme", task.id).erased_at is not None
    assert {one.erased_at is None for one in Batches(office.database, now).items(batch)} == {False}
    assert office.actions() == [
        "batch.erase", "key.revoke", "session.end", "task.cancel", "task.erase", "task.erase", "template.delete",
        "tenant.erase", "upload.erase",
    ]  # fmt: skip
    keys = KeyRecords(office.database, now)
    assert keys.get("acme", key_id).revoked_at is not None
    assert keys.get("initech", other_key).revoked_at is None
    assert [office.signed_in(one) for one in (session, other_session)] == [False, True]
    again = run("tenants", "erase", "acme", "--yes", "--data", tmp_path, "--json").document
    assert (again["tasks"], again["templates"]) == (0, 0)


def test_an_erasure_honours_holds_and_says_so(run: Run, office: Office, tmp_path: Path) -> None:
    held, other, batch = office.task(), office.task(), office.batch()
    office.upload()
    item = next(Batches(office.database, now).items(batch))
    for task_id in (held.id, item.id):
        OperatorRecords(office.database, now).hold(task_id, ORIGIN, on=True)
    done = run("tenants", "erase", "acme", "--yes", "--data", tmp_path, "--json")
    assert (done.status, set(done.document["held"])) == (1, {held.id, item.id})
    assert office.records.get("acme", held.id).erased_at is None
    assert office.records.get("acme", other.id).erased_at is not None
    assert office.kept("acme") == {"a photo", "a result", "shared"}, "what a held item needs stays"
    refused = AuditLog(office.database, now).entries(AuditFilter(object=held.id))
    assert [entry.code for entry in refused if entry.outcome == "refused"] == ["task_held"]
    assert held.id in run("tenants", "erase", "acme", "--yes", "--data", tmp_path).err


def test_an_erasure_of_a_subject_leaves_the_others(run: Run, office: Office, tmp_path: Path) -> None:
    mine, other = office.task(subject="carol"), office.task()
    office.upload(subject="carol")
    upload = office.upload()
    session, other_session = office.session(subject="carol"), office.session()
    assert run("tenants", "erase", "acme", "--subject", "carol", "--yes", "--data", tmp_path).status == 0
    assert office.records.get("acme", mine.id).erased_at is not None
    assert office.records.get("acme", other.id).erased_at is None
    assert list(office.store.list("tenants/acme/uploads/")) == [upload_key("acme", upload.id)]
    assert [office.signed_in(one) for one in (session, other_session)] == [False, True]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("export", "nobody", "-o", "out"), "option_invalid"), (("erase", "nobody", "--yes"), "option_invalid"),
        (("export", "acme", "-o", "full"), "file_exists"), (("export", "acme"), "request_invalid"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told(
    run: Run, office: Office, tmp_path: Path, command: tuple[str, ...], code: str
) -> None:
    office.task()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    paths = [str(tmp_path / word) if word in ("out", "full") else word for word in command]
    assert run("tenants", *paths, "--data", tmp_path, "--json").error["code"] == code
    assert office.actions() == []
