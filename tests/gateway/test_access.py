"""Credentials at a real gateway: who is let in, as whom, and that nobody is where something is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter
from sqlalchemy import text
from structlog.testing import capture_logs
from tests.access.issuer import AUDIENCE, ISSUER, SECRET, KeyServer, claims, key_of, public, shared, sign
from tests.gateway.conftest import Door, Open
from tests.servers import free_port, wait_until

from facefleet.access import verified
from facefleet.access.key_maker import KeyRequest, NewKey
from facefleet.access.keys import new_key
from facefleet.access.permissions import Permission
from facefleet.access.roles import Role
from facefleet.client import Client
from facefleet.clock import now
from facefleet.config import load
from facefleet.errors.access import CredentialInvalid, NotPermitted, Unauthenticated
from facefleet.errors.input import ConfigInvalid
from facefleet.gateway import app
from facefleet.gateway.routes import events
from facefleet.gateway.server import Listeners, metrics_served
from facefleet.gateway_settings import Gateway
from facefleet.tasks.audit import Origin
from facefleet.tasks.transitions import State

TOKENS: dict[str, Any] = {"token_issuer": ISSUER, "token_audience": AUDIENCE, "token_secret": SECRET}
HERE = "/v1/keys"
ORIGIN = Origin("test")


@pytest.fixture
def shop(open_door: Open) -> Door:
    """A gateway that takes keys and tokens."""
    return open_door(auth={"keys": True, **TOKENS})


def made(door: Door, tenant: str = "acme", *roles: Role, **changes: Any) -> NewKey:
    desk = door.parts.access.keys
    assert desk is not None
    request = KeyRequest(tenant=tenant, name="one", roles=frozenset(roles or (Role.MEMBER,)), **changes)
    return desk.maker.create(request, ORIGIN, frozenset(Permission))


def key(door: Door, tenant: str = "acme", *roles: Role, **changes: Any) -> str:
    return made(door, tenant, *roles, **changes).text.text


def ask(
    door: Door, credential: str | None, path: str = "/v1/tasks", method: str = "GET", **more: Any
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {credential}"} if credential is not None else {}
    return door.client.request(method, path, headers=headers | more.pop("headers", {}), **more)


def told(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["code"], body["context"].get("reason", "")


def failures(door: Door) -> dict[str, float]:
    """Reason → how often it was counted."""
    families = door.parts.metrics.registry.collect()
    family = next(one for one in families if one.name == "facefusion_authentication_failures")
    return {one.labels["reason"]: one.value for one in family.samples if one.name.endswith("_total")}


def submit(door: Door, credential: str, photo: bytes) -> Any:
    files: Any = {"source": photo, "target": photo}
    answer = ask(door, credential, "/v1/fuse", "POST", files=files, data={"consent": "true"})
    assert answer.status_code == 202
    return answer.json()


def test_a_key_and_a_token_of_one_tenant_see_the_same_and_another_tenant_nothing(shop: Door, photo: bytes) -> None:
    acme, token = key(shop), sign(claims(now()), shared(), "HS256")
    task = submit(shop, acme, photo)["task_id"]
    assert ask(shop, token, f"/v1/tasks/{task}").json()["task_id"] == task
    other = key(shop, "rival", Role.TENANT_ADMIN)
    assert told(ask(shop, other, f"/v1/tasks/{task}"))[:2] == (404, "task_not_found")
    assert ask(shop, other).json()["tasks"] == []
    assert all(name.startswith("tenants/acme/") for name in shop.parts.store.list("tenants/"))
    submitted = shop.records.get("acme", task)
    assert submitted.subject.startswith("key:")


@pytest.mark.parametrize(
    ("headers", "told_is"),
    [
        ([], (401, "unauthenticated", "missing")),
        ([("Authorization", "Basic YWxpY2U6c2VjcmV0")], (401, "credential_invalid", "form")),
        ([("Authorization", "Bearer")], (401, "credential_invalid", "form")),
        ([("Authorization", "Bearer a b")], (401, "credential_invalid", "form")),
        ([("Authorization", "Bearer a"), ("Authorization", "Bearer a")], (401, "credential_invalid", "form")),
        ([("Authorization", "Bearer garbage")], (401, "credential_invalid", "form")),
        ([("Authorization", "Bearer " + "x" * 30_000)], (401, "credential_invalid", "form")),
        ([("Authorization", "Bearer ff_live_typo")], (401, "credential_invalid", "key_mistyped")),
        ([("Authorization", f"Bearer {new_key(test=False).text}")], (401, "credential_invalid", "key_unknown")),
        ([("Cookie", "token=x"), ("X-Api-Key", "x")], (401, "unauthenticated", "missing")),
    ],
)
def test_whoever_shows_nothing_that_is_good_is_refused_with_the_reason(
    shop: Door, headers: list[tuple[str, str]], told_is: tuple[int, str, str]
) -> None:
    for path in ("/v1/tasks", "/nowhere"):
        answer = shop.client.get(path, headers=headers)
        assert told(answer) == told_is
        assert answer.headers["www-authenticate"].startswith('Bearer realm="facefleet"')
        assert ('error="invalid_token"' in answer.headers["www-authenticate"]) is (told_is[1] != "unauthenticated")
    assert failures(shop) == {told_is[2]: 2}


def test_the_scheme_may_be_written_in_any_case(shop: Door) -> None:
    assert shop.client.get("/v1/tasks", headers={"Authorization": f"bEARER  {key(shop)}"}).status_code == 200


def test_a_key_in_the_address_is_not_looked_at(shop: Door) -> None:
    answer = shop.client.get("/v1/tasks", params={"access_token": key(shop), "api_key": key(shop)})
    assert told(answer) == (401, "unauthenticated", "missing")


def test_a_body_is_not_read_before_it_is_known_who_sends_it(shop: Door) -> None:
    answer = shop.client.post("/v1/fuse", content=b"x" * 1_000_000, headers={"Authorization": "Bearer ff_live_typo"})
    assert told(answer) == (401, "credential_invalid", "key_mistyped")


def test_a_refusal_is_logged_with_its_source_and_without_the_credential(open_door: Open) -> None:
    door = open_door(auth={"keys": True, **TOKENS}, gateway={"trusted_proxies": ["127.0.0.0/8"]})
    forged = new_key(test=False).text
    with capture_logs() as lines:
        ask(door, forged, headers={"X-Forwarded-For": "192.0.2.1, 203.0.113.9"})
        ask(door, sign(claims(now()), shared(), "HS256", crit=["x"]))
    refused = [line for line in lines if line["event"] == "authentication.refused"]
    assert [(line["reason"], line["source"]) for line in refused] == [
        ("key_unknown", "203.0.113.9"), ("token_header", "127.0.0.1"),
    ]  # fmt: skip
    assert forged not in str(lines)
    assert forged[20:52] not in str(lines)


def test_an_expired_key_has_its_own_code(shop: Door) -> None:
    ends = key(shop, expires_at=now() + timedelta(seconds=2))
    assert ask(shop, ends).status_code == 200
    wait_until(lambda: ask(shop, ends).status_code == 401, "it has expired")
    assert told(ask(shop, ends)) == (401, "credential_expired", "key_expired")


def test_a_revoked_key_ends_in_every_gateway(open_door: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verified, "FRESH_SECONDS", 0.3)
    here, there = open_door(auth={"keys": True}), open_door(auth={"keys": True})
    one, admin = made(here), key(here, "acme", Role.TENANT_ADMIN)
    assert ask(there, one.text.text).status_code == 200
    assert ask(here, admin, f"{HERE}/{one.key.id}", "DELETE").json()["status"] == "revoked"
    wait_until(lambda: ask(there, one.text.text).status_code == 401, "the other gateway knows")
    assert told(ask(there, one.text.text)) == (401, "credential_revoked", "key_revoked")


def test_a_stream_of_events_ends_with_its_key(shop: Door, photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verified, "FRESH_SECONDS", 0.1)
    monkeypatch.setattr(events, "PLACE_SECONDS", 0.05)
    one = made(shop)
    task, headers = submit(shop, one.text.text, photo)["task_id"], {"Authorization": f"Bearer {one.text.text}"}
    with shop.client.stream("GET", f"/v1/tasks/{task}/events", headers=headers) as stream:
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("event")) == "event: queued"
        desk = shop.parts.access.keys
        assert desk is not None
        desk.records.revoke("acme", one.key.id, ORIGIN)
        assert not [line for line in lines if line.startswith("event")], "it ends, though the task has not"
    assert shop.records.get("acme", task).state is State.QUEUED


def test_a_known_key_is_not_read_from_the_records_each_time(shop: Door) -> None:
    credential = key(shop)
    assert ask(shop, credential, "/openapi.json").status_code == 200
    with shop.parts.database.write() as connection:
        connection.execute(text("DELETE FROM api_keys"))
    assert ask(shop, credential, "/openapi.json").status_code == 200


def test_while_the_records_are_away_nobody_is_let_in(shop: Door) -> None:
    credential = key(shop)
    with shop.parts.database.write() as connection:
        connection.execute(text("ALTER TABLE api_keys RENAME TO hidden"))
    answer = ask(shop, credential, "/openapi.json")
    assert told(answer)[:2] == (503, "records_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert failures(shop) == {"records_away": 1}
    with shop.parts.database.write() as connection:
        connection.execute(text("ALTER TABLE hidden RENAME TO api_keys"))
    assert ask(shop, credential, "/openapi.json").status_code == 200


def test_tokens_by_the_keys_of_an_issuer(open_door: Open) -> None:
    with KeyServer().running() as issuer:
        issuer.publish(public(key_of("ES256"), "k1"))
        door = open_door(auth={**TOKENS, "token_secret": "", "jwks_url": issuer.url, "roles_claim": "realm.roles"})
        token = sign(claims(now(), realm={"roles": ["viewer"]}), key_of("ES256"), "ES256", "k1")
        assert ask(door, token).status_code == 200
        assert told(ask(door, token, "/v1/templates/0", "DELETE"))[:2] == (403, "not_permitted")
        assert told(ask(door, sign(claims(now()), shared(), "HS256"))) == (401, "credential_invalid", "token_algorithm")
        assert told(ask(door, new_key(test=False).text)) == (401, "credential_invalid", "form")
        late = sign(claims(now() - timedelta(hours=1)), key_of("ES256"), "ES256", "k1")
        assert told(ask(door, late)) == (401, "credential_expired", "token_expired")
        assert issuer.asked == 1


def test_while_the_issuer_is_away_nobody_is_let_in(open_door: Open) -> None:
    away = f"http://127.0.0.1:{free_port()}/keys"
    door = open_door(auth={**TOKENS, "token_secret": "", "jwks_url": away})
    answer = ask(door, sign(claims(now()), key_of("ES256"), "ES256", "k1"))
    assert told(answer)[:2] == (503, "issuer_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert failures(door) == {"issuer_away": 1}


def test_with_credentials_any_name_is_answered_but_only_one(shop: Door) -> None:
    credential = key(shop)
    assert ask(shop, credential, headers={"host": "faces.example", "origin": "https://shop.example"}).status_code == 200
    with closing(HTTPConnection(shop.client.base_url.host, shop.client.base_url.port)) as connection:
        connection.putrequest("GET", "/v1/tasks", skip_host=True)
        two = [("host", "a.example"), ("host", "b.example"), ("Authorization", f"Bearer {credential}")]
        for name, value in two:
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == 400


def test_probes_need_no_credential(shop: Door) -> None:
    assert [shop.client.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]


def test_metrics_are_for_operators_or_at_an_address_of_their_own(shop: Door) -> None:
    assert told(shop.client.get("/metrics"))[:2] == (401, "unauthenticated")
    assert told(ask(shop, key(shop, "acme", Role.TENANT_ADMIN), "/metrics"))[:2] == (403, "not_permitted")
    assert "facefusion_authentication_failures_total" in ask(shop, key(shop, "ops", Role.OPERATOR), "/metrics").text
    registry, port = CollectorRegistry(), free_port()
    Counter("seen", "Seen.", registry=registry)
    settings = Gateway(port=0, metrics_port=port)
    with closing(Listeners.open(settings)) as listeners, metrics_served(registry, listeners.metrics):
        assert "seen_total 0.0" in httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        with pytest.raises(ConfigInvalid) as caught:
            Listeners.open(settings)
        assert caught.value.detail["setting"] == "gateway.metrics_port"
    with metrics_served(registry, None):
        pass


def test_beyond_loopback_a_gateway_needs_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """With them it goes on to listen; nobody listens on all addresses in a test."""
    with pytest.raises(ConfigInvalid) as caught:
        app.run(load(gateway={"host": "0.0.0.0"}))
    assert caught.value.detail["setting"] == "gateway.host"
    assert "FACEFLEET_AUTH__KEYS" in caught.value.message

    def listening(settings: Gateway) -> None:
        raise ConfigInvalid(f"listens on {settings.host}")

    monkeypatch.setattr(Listeners, "open", listening)
    with pytest.raises(ConfigInvalid, match=r"listens on 0\.0\.0\.0"):
        app.run(load(data=tmp_path, gateway={"host": "0.0.0.0"}, auth={"keys": True}))


def test_the_client_sends_its_key_and_knows_the_refusals(shop: Door, photo: bytes) -> None:
    address = str(shop.client.base_url)
    with Client(address, key(shop)) as client:
        assert client.fuse(photo, photo, consent=True).view.status == "queued"
    with Client(address, key(shop, "acme", Role.VIEWER)) as client, pytest.raises(NotPermitted):
        client.fuse(photo, photo, consent=True)
    for credential, error in ((None, Unauthenticated), ("ff_live_x", CredentialInvalid)):
        with Client(address, credential) as client, pytest.raises(Unauthenticated) as caught:
            client.usage()
        assert type(caught.value) is error


# /v1/keys


@pytest.fixture
def admin(shop: Door) -> Iterator[httpx.Client]:
    with _admin_of(shop) as client:
        yield client


@pytest.fixture(scope="module")
def shared_admin(open_shared_door: Open) -> Iterator[httpx.Client]:
    """For the tests that are refused."""
    with _admin_of(open_shared_door(auth={"keys": True, **TOKENS})) as client:
        yield client


@contextmanager
def _admin_of(shop: Door) -> Iterator[httpx.Client]:
    credential = key(shop, "acme", Role.TENANT_ADMIN)
    headers = {"Authorization": f"Bearer {credential}"}
    with closing(httpx.Client(base_url=shop.client.base_url, trust_env=False, verify=False, headers=headers)) as client:
        yield client


def create(client: httpx.Client, **changes: Any) -> httpx.Response:
    return client.post(HERE, json={"name": "shop", "roles": ["member"]} | changes)


def test_a_key_is_made_shown_once_used_and_revoked(shop: Door, admin: httpx.Client) -> None:
    answer = create(admin, permissions=["tasks.read"], test=True)
    new = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert new["key"].startswith(new["prefix"])
    assert (new["status"], new["test"], new["permissions"], new["roles"]) == (
        "active",
        True,
        ["tasks.read"],
        ["member"],
    )
    assert ask(shop, new["key"]).status_code == 200
    assert told(ask(shop, new["key"], "/v1/usage"))[:2] == (403, "not_permitted")
    assert new["key"] not in admin.get(HERE).text
    desk = shop.parts.access.keys
    assert desk is not None
    desk.uses.write()
    shown = admin.get(f"{HERE}/{new['key_id']}").json()
    assert datetime.fromisoformat(shown["last_used_at"]) <= datetime.now(UTC)
    assert shown == {name: value for name, value in new.items() if name not in ("key", "replaces")} | {
        "last_used_at": shown["last_used_at"]
    }
    assert admin.delete(f"{HERE}/{new['key_id']}").json()["revoked_at"] is not None
    assert admin.delete(f"{HERE}/{new['key_id']}").status_code == 200


def test_a_key_is_rotated_and_both_work_meanwhile(shop: Door, admin: httpx.Client) -> None:
    old = create(admin).json()
    answer = admin.post(f"{HERE}/{old['key_id']}/rotate", json={"overlap_seconds": 60})
    new = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert new["replaces"]["replaced_by"] == new["key_id"]
    assert new["replaces"]["expires_at"] is not None
    assert [ask(shop, one["key"]).status_code for one in (old, new)] == [200, 200]
    again = admin.post(f"{HERE}/{old['key_id']}/rotate")
    assert (again.status_code, again.json()["code"]) == (409, "key_ended")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"roles": ["operator"]}, 403, "not_permitted"),
        ({"roles": ["tenant-admin", "operator"]}, 403, "not_permitted"),
        ({"roles": []}, 422, "option_invalid"),
        ({"roles": ["root"]}, 422, "option_invalid"),
        ({"name": ""}, 422, "option_invalid"),
        ({"name": "\0"}, 422, "option_invalid"),
        ({"tenant": "rival"}, 422, "option_invalid"),
        ({"permissions": ["everything"]}, 422, "option_invalid"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422, "option_invalid"),
        ({"expires_at": "tomorrow"}, 422, "option_invalid"),
        ({"expires_at": 4_000_000_000}, 422, "option_invalid"),
        ({"test": "yes"}, 422, "option_invalid"),
    ],
)
def test_what_a_tenant_admin_cannot_have_made(
    shared_admin: httpx.Client, changes: dict[str, Any], status: int, code: str
) -> None:
    before = shared_admin.get(HERE).json()
    answer = create(shared_admin, **changes)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert shared_admin.get(HERE).json() == before


def test_without_keys_there_is_nothing_to_manage(open_door: Open) -> None:
    answer = open_door().client.get(HERE)
    assert (answer.status_code, answer.json()["code"]) == (404, "route_not_found")
