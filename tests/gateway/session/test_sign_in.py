"""What a browser gets that signs in, and what it may by its cookie."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, text
from structlog.testing import capture_logs
from tests.access.issuer import claims, shared, sign
from tests.gateway.conftest import UNLIMITED, Door, Open
from tests.gateway.session.conftest import AUTH, BY_TLS, HERE, SIGNED_OUT, Arrive, Browser, by_cookie, mine
from tests.gateway.test_access import ask, failures, key, made, told

from facefleet.access.keys import new_key
from facefleet.access.session import LONGEST, SessionSecret
from facefleet.clock import now
from facefleet.gateway.credentials import OVER_TLS, PLAIN
from facefleet.tasks.records.audit_log import AuditFilter, AuditLog
from facefleet.tasks.tables.table import sessions


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
