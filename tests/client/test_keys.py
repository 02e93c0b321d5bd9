"""API keys by the client, at a real gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from tests.gateway.conftest import Door, Open
from tests.gateway.test_policies import key

from facefleet.access.roles import Role
from facefleet.client import AsyncClient, Client
from facefleet.errors.access import NotPermitted
from facefleet.errors.base import FacefleetError
from facefleet.errors.client import ServerUnreachable
from facefleet.errors.conflict import KeyEnded
from facefleet.errors.input import OptionInvalid
from facefleet.errors.lookup import KeyNotFound

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def door(open_door: Open) -> Door:
    return open_door(auth={"keys": True})


@pytest.fixture
def admin(door: Door) -> Iterator[Client]:
    with httpx.Client(trust_env=False) as http:
        yield Client(str(door.client.base_url), key(door, "acme", Role.TENANT_ADMIN), http=http)


def test_a_key_is_made_used_rotated_and_revoked(door: Door, admin: Client) -> None:
    made = admin.keys.create("shop", ["member"], expires_at=LATER)
    assert made.key not in repr(made) + str(made.view.raw), "neither is to show the key"
    assert (made.view.name, made.view.status, made.view.expires_at) == ("shop", "active", LATER)
    with Client(str(door.client.base_url), made.key) as shop:
        assert list(shop.tasks()) == []
        with pytest.raises(NotPermitted):
            shop.keys.create("more", ["member"])
    rotated = admin.keys.rotate(made.view.key_id, overlap=60)
    assert rotated.replaces is not None
    assert rotated.replaces.replaced_by == rotated.view.key_id
    with pytest.raises(KeyEnded):
        admin.keys.rotate(made.view.key_id)
    assert admin.keys.revoke(rotated.view.key_id).status == "revoked"
    assert admin.keys.get(rotated.view.key_id).revoked_at is not None
    assert [one.key_id for one in admin.keys.all()][:2] == [rotated.view.key_id, made.view.key_id]


def test_what_cannot_be_is_the_servers_error_or_told_before(admin: Client) -> None:
    with pytest.raises(KeyNotFound):
        admin.keys.get("nosuchkey")
    with pytest.raises(OptionInvalid):
        admin.keys.get("")
    with pytest.raises(FacefleetError):
        admin.keys.create("shop", ["emperor"])


@pytest.mark.parametrize("expiry", ["2100-01-01T00:00:00Z", date(2100, 1, 1), 4_102_444_800])
def test_an_expiry_that_is_no_datetime_is_told_before_anything_is_sent(expiry: Any) -> None:
    async def run() -> None:
        async with AsyncClient("http://127.0.0.1:1") as client:
            await client.keys.create("shop", ["member"], expires_at=expiry)

    with Client("http://127.0.0.1:1") as client, pytest.raises(OptionInvalid) as blocking:
        client.keys.create("shop", ["member"], expires_at=expiry)
    with pytest.raises(OptionInvalid) as awaited:
        asyncio.run(run())
    assert blocking.value.detail == awaited.value.detail == {"option": "expires_at"}


def test_a_key_is_asked_for_once() -> None:
    asked = []

    def away(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        raise httpx.ReadError("lost", request=request)

    with httpx.Client(transport=httpx.MockTransport(away)) as http, pytest.raises(ServerUnreachable):
        Client("http://127.0.0.1:1", http=http).keys.create("shop", ["member"])
    assert asked == ["/v1/keys"]


def test_an_answer_without_a_key_is_no_new_key() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(201, json={"key_id": "1", "status": "active"})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http, pytest.raises(ServerUnreachable):
        Client("http://127.0.0.1:1", http=http).keys.create("shop", ["member"])


def test_asyncio_has_the_same(door: Door) -> None:
    async def run() -> str:
        async with AsyncClient(str(door.client.base_url), key(door, "acme", Role.TENANT_ADMIN)) as client:
            made = await client.keys.create("shop", ["viewer"], test=True)
            return (await client.keys.revoke(made.view.key_id)).status

    assert asyncio.run(run()) == "revoked"
