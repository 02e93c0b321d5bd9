"""A browser signs in at a real gateway, goes on by its cookie and signs out; and what that cookie cannot do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import ColumnElement, delete, select, text, update
from structlog.testing import capture_logs
from tests.access.issuer import claims, shared, sign
from tests.gateway.conftest import UNLIMITED, Door, Open, picture
from tests.gateway.test_access import ORIGIN, TOKENS, ask, failures, key, made, told
from tests.servers import wait_until

from facefleet.access import verified
from facefleet.access.keys import new_key
from facefleet.access.permissions import Permission
from facefleet.access.session import LONGEST, MOST, SessionSecret
from facefleet.clock import now
from facefleet.gateway.credentials import OVER_TLS, PLAIN
from facefleet.gateway.routes import events
from facefleet.tasks.records.audit_log import AuditFilter, AuditLog
from facefleet.tasks.tables.table import api_keys, sessions

HERE = "/v1/session"
BY_TLS = {"X-Forwarded-Proto": "https"}
AUTH: dict[str, Any] = {"keys": True, **TOKENS}
SIGNED_OUT = (401, "unauthenticated", "missing")


@pytest.fixture(scope="module")
def shop(open_shared_door: Open) -> Door:
    """A gateway that takes keys and tokens, behind a proxy; shared, and each test has keys of its own."""
    return open_shared_door(auth=AUTH, gateway={"trusted_proxies": ["127.0.0.0/8"]}, rate_limits=UNLIMITED)


class Browser:
    """Keeps the cookie of a gateway, as a browser does, and says which page sends its requests."""

    def __init__(self, door: Door) -> None:
        self.client = httpx.Client(base_url=door.client.base_url, trust_env=False, timeout=30.0)
        self.csrf = ""

    def sign_in(self, credential: str, **headers: str) -> httpx.Response:
        answer = self.client.post(HERE, headers={"Authorization": f"Bearer {credential}"} | headers)
        if answer.status_code == 201:
            self.csrf = answer.json()["csrf_token"]
        return answer

    def send(self, method: str, path: str, **headers: str) -> httpx.Response:
        """With the token, if the method needs one."""
        csrf = {} if method == "GET" else {"X-CSRF-Token": self.csrf}
        return self.client.request(method, path, headers=csrf | headers)

    def get(self, path: str = "/v1/tasks", **headers: str) -> httpx.Response:
        return self.client.get(path, headers=headers)

    @property
    def cookie(self) -> str:
        (value,) = self.client.cookies.values()
        return value


Arrive = Callable[[Door], Browser]


@pytest.fixture
def arrive() -> Iterator[Arrive]:
    """Opens browsers."""
    with ExitStack() as stack:

        def arriving(door: Door) -> Browser:
            browser = Browser(door)
            stack.callback(browser.client.close)
            return browser

        yield arriving


@pytest.fixture
def browser(shop: Door, arrive: Arrive) -> Browser:
    """One that has signed in by a key of a member, over plain HTTP."""
    opened = arrive(shop)
    assert opened.sign_in(key(shop)).status_code == 201
    return opened


def mine(browser: Browser) -> ColumnElement[bool]:
    """Its row."""
    return sessions.c.digest == SessionSecret(browser.cookie).digest


def by_cookie(door: Door, *lines: str, method: str = "GET", path: str = "/v1/tasks", **headers: str) -> httpx.Response:
    sent = [("Cookie", line) for line in lines] + list(headers.items())
    return door.client.request(method, path, headers=sent)


# What signing in gives


def test_who_signs_in_by_a_key_goes_on_by_a_cookie(shop: Door, arrive: Arrive) -> None:
    one, browser = made(shop), arrive(shop)
    answer = browser.sign_in(one.text.text)
    view = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert {name: view[name] for name in ("tenant", "subject", "roles", "credential")} == {
        "tenant": "acme", "subject": f"key:{one.key.id}", "roles": ["member"], "credential": "key",
    }  # fmt: skip
    assert view["permissions"] == sorted(one.key.permissions)
    assert abs(datetime.fromisoformat(view["expires_at"]) - now() - LONGEST) < timedelta(minutes=1)
    assert (len(browser.cookie), len(view["csrf_token"])) == (43, 64)
    assert browser.get().status_code == 200
    shown = browser.get(HERE)
    assert (shown.json(), shown.headers["cache-control"]) == (view, "no-store")


def test_who_signs_in_by_a_token_is_signed_out_with_it(shop: Door, arrive: Arrive) -> None:
    browser, token = arrive(shop), sign(claims(now(), roles=["viewer"], plan="gold"), shared(), "HS256")
    view = browser.sign_in(token).json()
    assert (view["subject"], view["roles"], view["credential"]) == ("alice", ["viewer"], "token")
    assert datetime.fromisoformat(view["expires_at"]) <= now() + timedelta(minutes=12), "that of the token"
    assert browser.get().status_code == 200
    assert told(browser.send("DELETE", "/v1/templates/0"))[:2] == (403, "not_permitted")


def test_over_plain_http_the_cookie_is_for_scripts_and_other_sites_out_of_reach(shop: Door, arrive: Arrive) -> None:
    given = arrive(shop).sign_in(key(shop)).headers["set-cookie"]
    name, *attributes = given.split("; ")
    assert name.startswith(f"{PLAIN}=")
    assert sorted(attributes) == [
        "HttpOnly",
        f"Max-Age={int(LONGEST.total_seconds())}",
        "Path=/",
        "SameSite=strict",
    ]


def test_over_tls_the_cookie_is_also_bound_to_this_host(shop: Door, arrive: Arrive) -> None:
    credential = key(shop)
    given = arrive(shop).sign_in(credential, **BY_TLS).headers["set-cookie"]
    name, *attributes = given.split("; ")
    cookie = name.removeprefix(f"{OVER_TLS}=")
    assert sorted(attributes) == [
        "HttpOnly", f"Max-Age={int(LONGEST.total_seconds())}", "Path=/", "SameSite=strict", "Secure",
    ]  # fmt: skip
    assert by_cookie(shop, f"{OVER_TLS}={cookie}", **BY_TLS).status_code == 200
    for wrong in (
        by_cookie(shop, f"{PLAIN}={cookie}", **BY_TLS),
        by_cookie(shop, f"{OVER_TLS}={cookie}"),
        by_cookie(shop, f"{OVER_TLS.lower()}={cookie}", **BY_TLS),
    ):
        assert told(wrong) == SIGNED_OUT


def test_a_client_that_is_no_proxy_of_ours_cannot_say_that_it_came_by_tls(open_door: Open, arrive: Arrive) -> None:
    door = open_door(auth=AUTH)
    assert arrive(door).sign_in(key(door), **BY_TLS).headers["set-cookie"].startswith(f"{PLAIN}=")


def test_the_cookie_itself_is_stored_nowhere(shop: Door, browser: Browser) -> None:
    with shop.parts.database.read() as connection:
        row = str(connection.execute(select(sessions).where(mine(browser))).one())
        logged = str(connection.execute(text("SELECT * FROM audit")).all())
    for secret in (browser.cookie, browser.csrf):
        assert secret not in row
        assert secret not in logged
    assert SessionSecret(browser.cookie).digest in row
    assert browser.cookie not in repr(SessionSecret(browser.cookie))


def test_neither_cookie_nor_token_nor_key_reach_the_logs(open_door: Open, arrive: Arrive) -> None:
    shop = open_door(auth=AUTH)
    credential, browser = key(shop), arrive(shop)
    with capture_logs() as lines:
        browser.sign_in(credential)
        old, browser.csrf = browser.csrf, "0" * 64
        browser.send("POST", "/v1/fuse")
        browser.csrf = old
        cookie = browser.cookie
        browser.send("DELETE", HERE)
        by_cookie(shop, f"{PLAIN}={cookie}")
        by_cookie(shop, f"{PLAIN}={cookie}", f"{PLAIN}=x")
    reasons = [line["reason"] for line in lines if line["event"] == "authentication.refused"]
    assert reasons == ["csrf", "session_over", "form"]
    assert [line["event"] for line in lines if line["event"].startswith("session.")] == [
        "session.created",
        "session.ended",
    ]
    for secret in (cookie, old, "0" * 64, credential):
        assert secret not in str(lines)
    assert failures(shop) == {"csrf": 1, "session_over": 1, "form": 1}


def test_signing_in_and_out_is_audited(shop: Door, browser: Browser) -> None:
    subject = browser.get(HERE).json()["subject"]
    browser.send("DELETE", HERE)
    entries = list(AuditLog(shop.parts.database, now).entries(AuditFilter(tenant="acme", actor=subject)))
    assert sorted(one.action for one in entries) == ["session.create", "session.end"]
    assert len({one.object for one in entries}) == 1
    assert {(one.credential, one.address) for one in entries} == {(subject.removeprefix("key:"), "127.0.0.1")}


# How a session ends


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


# What the cookie does not do by itself


def test_a_change_needs_the_token_of_the_session(shop: Door, browser: Browser, arrive: Arrive) -> None:
    other = arrive(shop)
    other.sign_in(key(shop))
    cookie = f"{PLAIN}={browser.cookie}"
    for method, path in (("POST", "/v1/fuse"), ("DELETE", HERE), ("PUT", f"/v1/uploads/{uuid4()}/content")):
        for wrong in ("", "0" * 64, other.csrf, browser.csrf.upper(), browser.cookie, "é"):
            answer = shop.client.request(
                method, path, headers=[(b"Cookie", cookie.encode()), (b"X-CSRF-Token", wrong.encode("latin-1"))]
            )
            assert told(answer) == (403, "csrf_token_invalid", "csrf"), (method, wrong)
        twice = [("Cookie", cookie), ("X-CSRF-Token", browser.csrf), ("X-CSRF-Token", browser.csrf)]
        assert told(shop.client.request(method, path, headers=twice)) == (403, "csrf_token_invalid", "csrf")
        assert told(by_cookie(shop, cookie, method=method, path=path)) == (403, "csrf_token_invalid", "csrf")
    assert browser.get().status_code == 200, "nothing was ended"
    assert browser.send("POST", "/v1/fuse").json()["code"] != "csrf_token_invalid"


def test_what_changes_nothing_needs_no_token(shop: Door, browser: Browser) -> None:
    cookie = f"{PLAIN}={browser.cookie}"
    found = [by_cookie(shop, cookie, method=method, path="/openapi.json").status_code for method in ("GET", "HEAD")]
    assert found == [200, 200]
    for method in ("HEAD", "OPTIONS"):
        answer = by_cookie(shop, cookie, method=method, path=HERE)
        assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, POST")


def test_a_page_that_is_loaded_anew_learns_the_token(shop: Door, browser: Browser, arrive: Arrive) -> None:
    reloaded = arrive(shop)
    reloaded.client.cookies = browser.client.cookies
    reloaded.csrf = reloaded.get(HERE).json()["csrf_token"]
    assert reloaded.csrf == browser.csrf
    assert reloaded.send("DELETE", HERE).status_code == 204


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
        {"Sec-Fetch-Site": ""},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://faces.example"},  # by TLS, and we were asked without
        {"Origin": "http://faces.example:8080"},
        {"Origin": "http://other.faces.example"},
        {"Origin": "http://faces.example.evil.example"},
    ],
)
def test_a_page_of_another_origin_has_no_session(shop: Door, browser: Browser, headers: dict[str, str]) -> None:
    at = {"Host": "faces.example"} | headers
    cookie = f"{PLAIN}={browser.cookie}"
    assert told(by_cookie(shop, cookie, **at)) == SIGNED_OUT
    assert told(by_cookie(shop, cookie, path=HERE, **at)) == SIGNED_OUT
    sent = at | {"X-CSRF-Token": browser.csrf}
    assert told(by_cookie(shop, cookie, method="POST", path="/v1/fuse", **sent)) == SIGNED_OUT
    assert told(by_cookie(shop, cookie, method="DELETE", path=HERE, **sent)) == SIGNED_OUT
    bearer = at | {"Authorization": f"Bearer {key(shop)}"}
    signed_in = shop.client.post(HERE, headers=bearer)
    assert told(signed_in) == (403, "csrf_token_invalid", "csrf")
    assert "set-cookie" not in signed_in.headers
    assert shop.client.get("/v1/tasks", headers=bearer).status_code == 200, "a credential of its own is good"


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://faces.example"}, "faces.example"),
        ({"Sec-Fetch-Site": "same-origin"}, "10.0.0.7:8080"),  # a proxy wrote another name
        ({"Sec-Fetch-Site": "none"}, "faces.example"),
        ({"Origin": "http://faces.example"}, "faces.example"),
        ({"Origin": "http://faces.example:8080"}, "faces.example:8080"),
        ({"Origin": "https://faces.example"} | BY_TLS, "faces.example"),
        ({}, "faces.example"),
    ],
)
def test_a_page_of_ours_has_one(shop: Door, headers: dict[str, str], host: str) -> None:
    at = {"Host": host} | headers
    answer = shop.client.post(HERE, headers=at | {"Authorization": f"Bearer {key(shop)}"})
    assert answer.status_code == 201
    shop.client.cookies.clear()
    cookie, sent = answer.headers["set-cookie"].split(";")[0], at | {"X-CSRF-Token": answer.json()["csrf_token"]}
    assert by_cookie(shop, cookie, **at).status_code == 200
    assert by_cookie(shop, cookie, method="DELETE", path=HERE, **sent).status_code == 204


def test_a_listed_origin_gets_nothing_by_the_cookie(open_door: Open, arrive: Arrive) -> None:
    door = open_door(auth=AUTH, gateway={"cors_origins": ["https://app.example"]})
    browser = arrive(door)
    browser.sign_in(key(door))
    cookie = f"{PLAIN}={browser.cookie}"
    for fetched in ({"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "cross-site"}, {}):
        at = {"Origin": "https://app.example"} | fetched
        answer = by_cookie(door, cookie, **at)
        assert told(answer) == SIGNED_OUT
        assert answer.headers["access-control-allow-origin"] == "https://app.example", "it may read the refusal"
        assert "access-control-allow-credentials" not in answer.headers
        bearer = {"Authorization": f"Bearer {key(door)}"}
        assert told(door.client.post(HERE, headers=at | bearer)) == (403, "csrf_token_invalid", "csrf")
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    preflight = door.client.request("OPTIONS", HERE, headers=asked)
    assert "access-control-allow-credentials" not in preflight.headers
    assert "csrf" not in preflight.headers["access-control-allow-headers"].lower()


def test_a_form_cannot_sign_anybody_in(shop: Door) -> None:
    credential = key(shop)
    for body in ({"authorization": credential}, {"key": credential, "Authorization": f"Bearer {credential}"}):
        answer = shop.client.post(HERE, data=body)
        assert told(answer) == SIGNED_OUT
        assert "set-cookie" not in answer.headers
    address = shop.client.post(HERE, params={"access_token": credential})
    assert told(address) == SIGNED_OUT
    basic = shop.client.post(HERE, auth=("key", credential))
    assert told(basic) == (401, "credential_invalid", "form")


def test_a_cookie_does_not_make_another_session(shop: Door, browser: Browser) -> None:
    assert told(browser.send("POST", HERE)) == SIGNED_OUT
    assert told(browser.client.post(HERE)) == (403, "csrf_token_invalid", "csrf")


def test_an_authorization_header_wins_over_the_cookie(shop: Door, browser: Browser) -> None:
    rival = {"Authorization": f"Bearer {key(shop, 'rival')}"}
    view = browser.get(HERE, **rival).json()
    assert (view["tenant"], view["expires_at"], view["csrf_token"]) == ("rival", None, None)
    assert told(browser.get(Authorization=f"Bearer {new_key(test=False).text}"))[:2] == (401, "credential_invalid")
    gone = browser.client.delete(HERE, headers=rival)
    assert (gone.status_code, "set-cookie" in gone.headers) == (204, False)
    assert browser.get().status_code == 200, "it was not the session that was asked to end"


@pytest.mark.parametrize("wrong", ["", "x", "x" * 43 + "=", "x" * 44, "é" * 43, '"' + "x" * 41 + '"', "x" * 30_000])
def test_what_is_no_cookie_of_ours_is_refused(shop: Door, wrong: str) -> None:
    answer = shop.client.get("/v1/tasks", headers=[(b"Cookie", f"{PLAIN}={wrong}".encode("latin-1"))])
    assert told(answer) == (401, "credential_invalid", "form")


def test_a_cookie_that_nobody_was_given_is_refused(shop: Door) -> None:
    answer = by_cookie(shop, f"{PLAIN}={SessionSecret.new().text}")
    assert told(answer) == (401, "credential_expired", "session_over")


def test_of_two_cookies_of_the_name_none_is_taken(shop: Door, browser: Browser) -> None:
    mine, planted = f"{PLAIN}={browser.cookie}", f"{PLAIN}={SessionSecret.new().text}"
    for lines in ([f"{mine}; {planted}"], [f"{planted}; {mine}"], [mine, planted], [f"{mine}; {mine}"]):
        assert told(by_cookie(shop, *lines)) == (401, "credential_invalid", "form")
    assert by_cookie(shop, f"other=1; {mine}; x{PLAIN}={browser.cookie}; last").status_code == 200


# Beside everything else


def test_refused_sign_ins_and_forged_tokens_are_limited_by_address(open_door: Open, arrive: Arrive) -> None:
    door = open_door(auth=AUTH, rate_limits=UNLIMITED | {"failures": "2/99999s"})
    browser = arrive(door)
    browser.sign_in(key(door))
    for _ in range(3):
        assert told(by_cookie(door, f"{PLAIN}={browser.cookie}", **{"Sec-Fetch-Site": "cross-site"})) == SIGNED_OUT
    assert told(door.client.post("/v1/fuse", headers={"Cookie": f"{PLAIN}={browser.cookie}"}))[0] == 403
    assert ask(door, new_key(test=False).text, HERE, "POST").status_code == 401
    assert ask(door, key(door), HERE, "POST").status_code == 429
    assert told(browser.get())[:2] == (429, "rate_limited")


def test_requests_by_cookie_count_for_the_key(open_door: Open, arrive: Arrive) -> None:
    door = open_door(auth=AUTH, rate_limits=UNLIMITED | {"key": "3/99999s"})
    credential, browser = key(door), arrive(door)
    browser.sign_in(credential)
    assert browser.get().status_code == 200
    assert ask(door, credential).status_code == 200
    assert [browser.get().status_code, ask(door, credential).status_code] == [429, 429]


def test_answers_have_the_headers_that_protect_browsers(shop: Door, browser: Browser) -> None:
    for answer in (browser.get(HERE), browser.sign_in(key(shop)), browser.send("DELETE", HERE), browser.get(HERE)):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_where_no_credentials_are_asked_for_there_is_nothing_to_sign_in_to(shared_door: Door) -> None:
    view = shared_door.client.get(HERE).json()
    assert (view["credential"], view["subject"], view["expires_at"], view["csrf_token"]) == (
        "local",
        "local",
        None,
        None,
    )
    assert told(shared_door.client.post(HERE, headers={"Authorization": "Bearer x"}))[:2] == (404, "route_not_found")
    assert shared_door.client.delete(HERE).status_code == 204
