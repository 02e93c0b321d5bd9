"""Tenants share the fetches of a gateway, and nothing is fetched for a request that is refused anyway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from tests.gateway.conftest import Door, Open, picture
from tests.servers import wait_until
from tests.webhooks.receivers import Received, Receiver, Reply

from facefleet.access import policy_lookup
from facefleet.access.key_maker import KeyRequest
from facefleet.access.permissions import Permission
from facefleet.access.roles import Role
from facefleet.errors.outage import Overloaded
from facefleet.gateway.intake.fetch_slots import FetchSlots
from facefleet.tasks.audit import Origin

PHOTO = picture(seed=5)
MISSING = "00000000-0000-7000-8000-000000000000"
INTRANET = {"enabled": True, "allow_http": True, "allow_private": True, "ports": []}


def credential(door: Door, tenant: str, role: Role = Role.MEMBER) -> dict[str, str]:
    desk = door.parts.access.keys
    assert desk is not None
    request = KeyRequest(tenant=tenant, name="one", roles=frozenset({role}))
    return {"Authorization": f"Bearer {desk.maker.create(request, Origin('test'), frozenset(Permission)).text.text}"}


def send(door: Door, who: dict[str, str], url: str, **changes: Any) -> httpx.Response:
    body = {"consent": True, "source": {"url": url}, "target": {"url": url}} | changes
    return door.client.post("/v1/fuse", json={name: value for name, value in body.items() if value is not None},
                            headers=who)  # fmt: skip


@contextmanager
def slow_server() -> Iterator[tuple[Receiver, Event]]:
    """Sends photos once the event is set; those whose path is ``/quick`` at once."""
    go = Event()

    def reply(_: int, got: Received) -> Reply:
        def write(handler: BaseHTTPRequestHandler) -> None:
            assert got.path == "/quick" or go.wait(15)
            handler.wfile.write(PHOTO)

        return Reply(200, {"Content-Length": str(len(PHOTO))}, write)

    with Receiver(reply) as server:
        try:
            yield server, go
        finally:
            go.set()


def test_slow_fetches_of_one_tenant_do_not_keep_another_from_fetching(open_door: Open) -> None:
    door = open_door(auth={"keys": True}, remote_photos=INTRANET | {"concurrency": 4})
    acme, globex = credential(door, "acme"), credential(door, "globex")
    with slow_server() as (server, go), ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(send, door, acme, server.url("/slow")) for _ in range(2)]
        wait_until(lambda: len(server.received) == 2, "both are being fetched")
        third = send(door, acme, server.url("/quick"))
        assert (third.status_code, third.json()["code"], third.headers["retry-after"]) == (503, "overloaded", "1")
        assert third.json()["context"]["fetching"] == 2
        assert len(server.received) == 2, "for a request without a slot nothing is fetched"
        assert [send(door, globex, server.url("/quick")).status_code for _ in range(3)] == [202] * 3
        go.set()
        assert [one.result().status_code for one in slow] == [202, 202]
    with slow_server() as (server, _):
        assert send(door, acme, server.url("/quick")).status_code == 202, "the slots were given back"


def test_a_tenant_has_fewer_slots_than_are_free() -> None:
    slots = FetchSlots(16)
    with ExitStack() as stack:

        def take(tenant: str) -> int:
            for number in range(17):
                try:
                    stack.enter_context(slots.taken(tenant))
                except Overloaded:
                    return number
            raise AssertionError("no bound")

        assert [take(tenant) for tenant in "abcdef"] == [8, 4, 2, 1, 1, 0]
    assert take("a") == 8, "all were given back"


def test_a_slot_is_given_back_when_a_fetch_fails() -> None:
    slots = FetchSlots(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), slots.taken("a"):
            raise ZeroDivisionError


@pytest.fixture
def strict(open_door: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Door:
    """A gateway where there is much to be refused."""
    monkeypatch.setattr(policy_lookup, "FRESH_SECONDS", 0.05)
    file = tmp_path / "policies.toml"
    file.write_text(
        '[default]\noptions = ["strength"]\n[tenants.full]\nbacklog = 1\n'
        f"[tenants.spent]\nbytes_per_day = {2 * len(PHOTO)}\n"
        '[tenants.finder]\nkinds = ["detect"]\n[tenants.often]\nkey_rate = "1/60s"\n'
    )
    return open_door(auth={"keys": True}, policies={"file": file}, remote_photos=INTRANET)


@pytest.mark.parametrize(
    ("tenant", "change", "code"),
    [
        ("acme", {"consent": None}, "consent_required"),
        ("acme", {"options": {"strength": 2}}, "option_invalid"),
        ("acme", {"options": {"tiles": True}}, "policy_forbids"),
        ("acme", {"webhook_url": "http://hooks.example.com/"}, "webhook_url_refused"),
        ("acme", {"target": {"upload": MISSING}}, "upload_not_found"),
        ("acme", {"target": None, "template_id": MISSING}, "template_not_found"),
        ("acme", {"target": None}, "upload_missing"),
        ("finder", {}, "policy_forbids"),
        ("full", {}, "backlog_full"),
        ("spent", {}, "quota_exceeded"),
        ("often", {}, "rate_limited"),
    ],
)
def test_nothing_is_fetched_for_a_request_that_is_refused_anyway(
    strict: Door, tenant: str, change: dict[str, Any], code: str
) -> None:
    who = credential(strict, tenant)
    if tenant != "finder":  # what is full or used up is so by the first request
        files = {"source": PHOTO, "target": PHOTO}
        first = strict.client.post("/v1/fuse", files=files, data={"consent": "true"}, headers=who)
        assert first.status_code == 202, first.text
    with slow_server() as (server, _):
        assert send(strict, who, server.url("/quick"), **change).json()["code"] == code
        assert server.received == []
    assert "photo.fetch" not in json.dumps(
        strict.client.get("/v1/audit", headers=credential(strict, tenant, Role.AUDITOR)).json()
    )


def test_nothing_is_fetched_without_the_permission_or_where_the_lane_is_full(open_door: Open) -> None:
    door = open_door(auth={"keys": True}, remote_photos=INTRANET, tasks={"max_backlog": 1})
    member = credential(door, "acme")
    with slow_server() as (server, _):
        viewer = send(door, credential(door, "acme", Role.VIEWER), server.url("/quick"))
        assert (viewer.status_code, server.received) == (403, [])
        again = member | {"Idempotency-Key": "order-1"}
        task = send(door, again, server.url("/quick")).json()["task_id"]
        asked = len(server.received)
        wait_until(lambda: send(door, member, server.url("/quick")).json().get("code") == "overloaded", "it is full")
        full = len(server.received)
        assert send(door, member, server.url("/quick")).json()["context"]["limit"] == 1
        assert len(server.received) == full
        assert asked == 2
        assert send(door, again, server.url("/quick")).json()["task_id"] == task, "what is repeated needs no room"
