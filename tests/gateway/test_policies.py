"""What a policy does at a real gateway: limits, kinds, options and lanes, changed while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.access.issuer import claims, shared, sign
from tests.gateway.conftest import Door, Open
from tests.gateway.test_access import TOKENS
from tests.servers import wait_until

from facefleet.access import policy_lookup
from facefleet.access.key_maker import KeyRequest
from facefleet.access.permissions import Permission
from facefleet.access.roles import Role
from facefleet.clock import now
from facefleet.tasks.audit import Origin
from facefleet.tasks.tables.table import tasks

HERE = "/v1/operator/policies"


@pytest.fixture
def opened(open_door: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setattr(policy_lookup, "FRESH_SECONDS", 0.05)
    file = tmp_path / "policies.toml"
    file.write_text('[plans.vip]\nlane = "interactive"\n[default]\noptions = ["strength"]\n')
    return open_door(auth={"keys": True}, policies={"file": file})


def key(door: Door, tenant: str, *roles: Role) -> str:
    desk = door.parts.access.keys
    assert desk is not None
    request = KeyRequest(tenant=tenant, name="one", roles=frozenset(roles))
    return desk.maker.create(request, Origin("test"), frozenset(Permission)).text.text


def ask(door: Door, credential: str, method: str, path: str, **more: Any) -> httpx.Response:
    return door.client.request(method, path, headers={"Authorization": f"Bearer {credential}"}, **more)


def fuse(door: Door, credential: str, photo: bytes, **data: str) -> httpx.Response:
    files = {"source": photo, "target": photo}
    return ask(door, credential, "POST", "/v1/fuse", files=files, data={"consent": "true"} | data)


def put(door: Door, tenant: str, **policy: Any) -> httpx.Response:
    return ask(door, key(door, "platform", Role.OPERATOR), "PUT", f"{HERE}/tenant/{tenant}", json=policy)


def test_a_plan_decides_about_the_lane_and_a_change_is_followed(opened: Door, photo: bytes) -> None:
    member = key(opened, "acme", Role.MEMBER)
    assert opened.records.get("acme", fuse(opened, member, photo).json()["task_id"]).route.lane == "standard"
    set_to = put(opened, "acme", plan="vip", batch_lane="standard")
    assert (set_to.status_code, set_to.json()["effective"]["lane"]) == (200, "interactive")

    def lane() -> str:
        return opened.records.get("acme", fuse(opened, member, photo).json()["task_id"]).route.lane

    wait_until(lambda: lane() == "interactive", "the gateway follows")
    files = [("source", photo), ("target", photo)]
    batch = ask(opened, member, "POST", "/v1/batches", files=files, data={"consent": "true"}).json()
    with opened.parts.database.read() as connection:
        lanes = connection.execute(select(tasks.c.lane).where(tasks.c.batch == batch["batch_id"])).scalars().all()
    assert lanes == ["standard"]
    admin = key(opened, "acme", Role.TENANT_ADMIN)
    assert ask(opened, admin, "GET", "/v1/policy").json()["policy"]["lane"] == "interactive"


def test_the_plan_of_a_token_is_kept_with_every_task(open_door: Open, photo: bytes, tmp_path: Path) -> None:
    file = tmp_path / "policies.toml"
    file.write_text('[plans.vip]\nlane = "interactive"\nbatch_lane = "standard"\n')
    door = open_door(auth={"keys": True, **TOKENS}, policies={"file": file})
    token, files = sign(claims(now(), plan="vip"), shared(), "HS256"), [("source", photo), ("target", photo)]
    ask(door, token, "POST", "/v1/faces", files={"image": photo})
    ask(door, token, "POST", "/v1/templates", files={"image": photo}, data={"name": "one", "consent": "true"})
    for path in ("/v1/fuse", "/v1/batches"):
        for credential in (token, key(door, "acme", Role.MEMBER)):
            assert ask(door, credential, "POST", path, files=files, data={"consent": "true"}).status_code == 202
    with door.parts.database.read() as connection:
        rows = connection.execute(select(tasks.c.kind, tasks.c.lane, tasks.c.plan)).all()
    assert {tuple(row) for row in rows} == {
        ("detect", "interactive", "vip"), ("template", "interactive", "vip"),
        ("fuse", "interactive", "vip"), ("fuse", "standard", "vip"), ("fuse", "standard", None), ("fuse", "bulk", None),
    }  # fmt: skip


def test_a_full_backlog_is_the_tenants_own_and_keeps_nothing(opened: Door, photo: bytes) -> None:
    assert put(opened, "acme", backlog=1).status_code == 200
    acme, globex = key(opened, "acme", Role.MEMBER), key(opened, "globex", Role.MEMBER)
    first, second = fuse(opened, acme, photo), fuse(opened, acme, photo)
    assert first.status_code == 202
    assert (second.status_code, second.json()["code"], second.headers["retry-after"]) == (429, "backlog_full", "5")
    assert len(list(opened.parts.store.list("tenants/acme/"))) == 2
    assert fuse(opened, globex, photo).status_code == 202


def test_the_bytes_of_a_day_are_used_up(opened: Door, photo: bytes) -> None:
    assert put(opened, "acme", bytes_per_day=3 * len(photo)).status_code == 200
    member = key(opened, "acme", Role.MEMBER)
    assert fuse(opened, member, photo).status_code == 202
    used_up = fuse(opened, member, photo)
    assert (used_up.status_code, used_up.json()["code"]) == (429, "quota_exceeded")
    assert 0 < int(used_up.headers["retry-after"]) <= 86_400


def test_kinds_and_options_that_are_not_in_the_policy_are_refused(opened: Door, photo: bytes) -> None:
    assert put(opened, "acme", kinds=["fuse"]).status_code == 200
    member = key(opened, "acme", Role.MEMBER)
    faces = ask(opened, member, "POST", "/v1/faces", files={"image": photo})
    assert (faces.status_code, faces.json()["code"], faces.json()["context"]["allowed"]) == (
        403,
        "policy_forbids",
        ["fuse"],
    )
    tiles = fuse(opened, member, photo, options='{"tiles": true}')
    assert (tiles.json()["code"], tiles.json()["field"]) == ("policy_forbids", "options.tiles")
    assert fuse(opened, member, photo, options='{"strength": 0.5}').status_code == 202
    batch = ask(
        opened, member, "POST", "/v1/batches", files=[("source", photo), ("target", photo)],
        data={"consent": "true", "options": '{"tiles": true}'},
    )  # fmt: skip
    assert batch.json()["code"] == "policy_forbids"
    assert len(list(opened.parts.store.list("tenants/acme/"))) == 2


def test_an_operators_mistake_is_named_and_changes_nothing(opened: Door) -> None:
    wrong = put(opened, "acme", backlog=0, bucklog=1)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "option_invalid")
    assert {one["field"] for one in wrong.json()["errors"]} == {"backlog", "bucklog"}
    assert put(opened, "acme", plan="gold").json()["context"]["plans"] == ["vip"]
    assert put(opened, "..%2Fx").status_code in {404, 422}
    operator = key(opened, "platform", Role.OPERATOR)
    assert ask(opened, operator, "GET", HERE).json() == {"policies": []}
    put(opened, "acme", backlog=3)
    (stored,) = ask(opened, operator, "GET", HERE).json()["policies"]
    assert (stored["scope"], stored["name"], stored["policy"]) == ("tenant", "acme", {"backlog": 3})
    cleared = ask(opened, operator, "DELETE", f"{HERE}/tenant/acme").json()
    assert (cleared["stored"], cleared["effective"]["backlog"]) == (None, None)


def test_bounds_and_what_has_to_be_attested_hold_for_one_photo_and_for_many(opened: Door, photo: bytes) -> None:
    policy = {"bounds": {"strength": {"max": 0.8}}, "consent": "reference", "attest": ["guardian"], "labels": ["trial"]}
    assert put(opened, "acme", **policy).status_code == 200
    member = key(opened, "acme", Role.MEMBER)
    files = [("source", photo), ("target", photo)]
    for path in ("/v1/fuse", "/v1/batches"):

        def send(path: str = path, **data: str) -> httpx.Response:
            return ask(opened, member, "POST", path, files=files, data={"consent": "true"} | data)

        assert (send().json()["code"], send().json()["field"]) == ("consent_required", "consent_reference")
        said = {"consent_reference": "c-1"}
        assert (send(**said).json()["code"], send(**said).json()["field"]) == ("consent_required", "guardian")
        said |= {"guardian": "true"}
        unbounded = send(**said)
        assert (unbounded.status_code, unbounded.json()["field"]) == (403, "options.strength")
        assert unbounded.json()["context"]["maximum"] == 0.8
        assert send(**said, options='{"strength": 0.8}').status_code == 202
    admin = key(opened, "acme", Role.TENANT_ADMIN)
    shown = ask(opened, admin, "GET", "/v1/policy").json()["policy"]
    assert (shown["bounds"], shown["labels"]) == ({"strength": {"min": None, "max": 0.8}}, ["trial"])
    assert fuse(opened, key(opened, "globex", Role.MEMBER), photo).status_code == 202
