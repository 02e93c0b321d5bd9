"""What the cookie of a session does not do by itself: requests that other pages send, cookies that are forged."""

from __future__ import annotations

from uuid import uuid4

import pytest
from tests.gateway.conftest import Door, Open
from tests.gateway.session.conftest import AUTH, BY_TLS, HERE, SIGNED_OUT, Arrive, Browser, by_cookie
from tests.gateway.test_access import key, told

from facefleet.access.keys import new_key
from facefleet.access.session import SessionSecret
from facefleet.gateway.credentials import PLAIN


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
