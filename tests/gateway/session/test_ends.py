"""A session ends at the sign-out, with its key or token, at its time: in every gateway."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, text, update
from tests.access.issuer import claims, shared, sign
from tests.gateway.conftest import Door, Open, picture
from tests.gateway.session.conftest import AUTH, HERE, SIGNED_OUT, Arrive, Browser, by_cookie, mine
from tests.gateway.test_access import ORIGIN, TOKENS, key, made, told
from tests.servers import wait_until

from facefleet.access import verified
from facefleet.access.permissions import Permission
from facefleet.access.session import MOST
from facefleet.clock import now
from facefleet.gateway.credentials import PLAIN
from facefleet.gateway.routes import events
from facefleet.tasks.tables.table import api_keys, sessions


def test_signing_out_ends_the_session_at_once_and_takes_the_cookie_away(shop: Door, browser: Browser) -> None:
    cookie = browser.cookie
    assert browser.get().status_code == 200
    answer = browser.send("DELETE", HERE)
    assert (answer.status_code, answer.content, answer.headers["cache-control"]) == (204, b"", "no-store")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert dict(browser.client.cookies) == {}
    assert told(browser.get(HERE)) == SIGNED_OUT
    assert told(by_cookie(shop, f"{PLAIN}={cookie}")) == (401, "credential_expired", "session_over")


def test_signing_out_ends_it_in_every_gateway(open_door: Open, monkeypatch: pytest.MonkeyPatch, arrive: Arrive) -> None:
    monkeypatch.setattr(verified, "FRESH_SECONDS", 0.3)
    here, there = open_door(auth=AUTH), open_door(auth=AUTH)
    browser = arrive(here)
    browser.sign_in(key(here))
    cookie = f"{PLAIN}={browser.cookie}"
    assert by_cookie(there, cookie).status_code == 200, "every gateway knows it"
    assert browser.send("DELETE", HERE).status_code == 204
    wait_until(lambda: by_cookie(there, cookie).status_code == 401, "it has heard of it")


def test_signing_out_leaves_the_other_sessions(shop: Door, arrive: Arrive) -> None:
    credential, one, other = key(shop), arrive(shop), arrive(shop)
    one.sign_in(credential)
    other.sign_in(credential)
    one.send("DELETE", HERE)
    assert other.get().status_code == 200
    assert told(one.send("DELETE", HERE)) == SIGNED_OUT


def test_signing_in_anew_ends_the_session_before(shop: Door, browser: Browser) -> None:
    before = browser.cookie
    assert browser.get().status_code == 200
    assert browser.sign_in(key(shop, "rival")).json()["tenant"] == "rival"
    assert browser.cookie != before
    assert told(by_cookie(shop, f"{PLAIN}={before}")) == (401, "credential_expired", "session_over")
    broken = shop.client.post(HERE, headers={"Authorization": f"Bearer {key(shop)}", "Cookie": f"{PLAIN}=garbage"})
    assert broken.status_code == 201, "a cookie that is none of ours keeps nobody out"


@pytest.mark.parametrize("end", ["revoked", "expired", "gone"])
def test_a_session_ends_with_its_key(shop: Door, monkeypatch: pytest.MonkeyPatch, end: str, arrive: Arrive) -> None:
    monkeypatch.setattr(verified, "FRESH_SECONDS", 0.0)
    one, browser, desk = made(shop), arrive(shop), shop.parts.access.keys
    assert desk is not None
    browser.sign_in(one.text.text)
    assert browser.get().status_code == 200
    if end == "revoked":
        desk.records.revoke("acme", one.key.id, ORIGIN)
    with shop.parts.database.write() as connection:
        if end == "gone":
            connection.execute(delete(api_keys).where(api_keys.c.id == one.key.id))
        if end == "expired":
            connection.execute(update(api_keys).where(api_keys.c.id == one.key.id).values(expires_at=now()))
    assert told(browser.get()) == (401, "credential_revoked", "key_revoked")
    assert told(browser.get(HERE)) == (401, "credential_revoked", "key_revoked")


def test_a_session_is_over_no_later_than_its_key(shop: Door, arrive: Arrive) -> None:
    browser = arrive(shop)
    view = browser.sign_in(key(shop, expires_at=now() + timedelta(minutes=3))).json()
    assert datetime.fromisoformat(view["expires_at"]) <= now() + timedelta(minutes=3)
    (cookie,) = browser.client.cookies.jar
    assert cookie.expires is not None
    assert cookie.expires <= (now() + timedelta(minutes=3)).timestamp()


def test_a_session_is_over_at_its_time(shop: Door, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verified, "FRESH_SECONDS", 0.0)
    with shop.parts.database.write() as connection:
        connection.execute(update(sessions).where(mine(browser)).values(expires_at=now() - timedelta(seconds=1)))
    assert told(browser.get()) == (401, "credential_expired", "session_over")
    assert told(browser.send("DELETE", HERE)) == (401, "credential_expired", "session_over")


def test_what_a_key_may_is_read_anew(shop: Door, monkeypatch: pytest.MonkeyPatch, arrive: Arrive) -> None:
    monkeypatch.setattr(verified, "FRESH_SECONDS", 0.0)
    browser, narrow = arrive(shop), frozenset({Permission.DOCUMENTS_READ, Permission.TASKS_READ})
    one = made(shop, scope=narrow)
    assert set(browser.sign_in(one.text.text).json()["permissions"]) == narrow
    assert told(browser.get("/v1/usage"))[:2] == (403, "not_permitted")
    with shop.parts.database.write() as connection:
        connection.execute(update(api_keys).where(api_keys.c.id == one.key.id).values(scope=["documents.read"]))
    assert told(browser.get())[:2] == (403, "not_permitted")
    assert browser.get(HERE).json()["permissions"] == ["documents.read"]


def test_a_session_of_a_kind_that_is_taken_no_more_has_ended(open_door: Open, arrive: Arrive) -> None:
    both = open_door(auth=AUTH)
    by_key, by_token = arrive(both), arrive(both)
    by_key.sign_in(key(both))
    by_token.sign_in(sign(claims(now()), shared(), "HS256"))
    keys, tokens = open_door(auth={"keys": True}), open_door(auth=TOKENS)
    answers = [by_cookie(door, f"{PLAIN}={one.cookie}") for door in (keys, tokens) for one in (by_key, by_token)]
    assert [answer.status_code for answer in answers] == [200, 401, 401, 200]
    assert [told(answer)[1] for answer in answers[1:3]] == ["credential_revoked"] * 2


def test_the_oldest_of_too_many_sessions_ends(shop: Door, arrive: Arrive) -> None:
    credential, browsers = key(shop), [arrive(shop) for _ in range(MOST + 1)]
    for one in browsers:
        assert one.sign_in(credential).status_code == 201
    assert [one.get(HERE).status_code for one in browsers] == [401] + [200] * MOST


def test_while_the_records_are_away_nobody_is_let_in(open_door: Open, arrive: Arrive) -> None:
    shop = open_door(auth=AUTH)
    browser = arrive(shop)
    browser.sign_in(key(shop))
    with shop.parts.database.write() as connection:
        connection.execute(text("ALTER TABLE sessions RENAME TO hidden"))
    assert told(browser.get())[:2] == (503, "records_unavailable")
    assert told(browser.sign_in(key(shop)))[:2] == (503, "records_unavailable")
    with shop.parts.database.write() as connection:
        connection.execute(text("ALTER TABLE hidden RENAME TO sessions"))
    assert browser.get().status_code == 200


def test_an_event_stream_goes_on_by_the_cookie_and_ends_with_the_session(
    shop: Door, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified, "FRESH_SECONDS", 0.05)
    monkeypatch.setattr(events, "PLACE_SECONDS", 0.05)
    photo = picture()
    files, csrf = {"source": photo, "target": photo}, {"X-CSRF-Token": browser.csrf}
    task = browser.client.post("/v1/fuse", files=files, data={"consent": "true"}, headers=csrf).json()["task_id"]
    with browser.client.stream("GET", f"/v1/tasks/{task}/events", headers={"Accept": "text/event-stream"}) as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("event")) == "event: queued"
        assert browser.send("DELETE", HERE).status_code == 204
        assert not [line for line in lines if line.startswith("event")], "it ends, though the task has not"
