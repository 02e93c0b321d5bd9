"""Every answer has the headers that protect browsers, whichever layer answers; pages keep their own."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.gateway.conftest import Door, Open
from tests.servers import Certificates

PROTECTION = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
}


def protection(answer: httpx.Response) -> dict[str, list[str]]:
    return {name: answer.headers.get_list(name) for name in PROTECTION}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/v1/tasks", 200),
        ("GET", "/metrics", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/v1/tasks/0", 404),
        ("GET", "/nowhere", 404),
        ("PATCH", "/v1/tasks", 405),
        ("POST", "/v1/fuse", 400),
    ],
)
def test_an_answer_protects_the_browser_that_shows_it(shared_door: Door, method: str, path: str, status: int) -> None:
    answer = shared_door.client.request(method, path)
    assert answer.status_code == status
    assert protection(answer) == {name: [value] for name, value in PROTECTION.items()}
    assert not {"server", "x-powered-by", "via"} & set(answer.headers), "what it is made of is not told"


def test_a_page_keeps_its_own_policy_and_has_one_only(shared_door: Door) -> None:
    (policy,) = shared_door.client.get("/").headers.get_list("content-security-policy")
    assert "script-src 'self'" in policy


def test_a_refusal_before_authentication_has_them_too(shared_door: Door) -> None:
    answer = shared_door.client.get("/v1/tasks", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 400
    assert protection(answer) == {name: [value] for name, value in PROTECTION.items()}


HSTS = "strict-transport-security"
PROXIED = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}


def test_who_came_by_tls_is_told_to_keep_to_it_whatever_the_answer(open_door: Open, tmp_path: Path) -> None:
    mine = Certificates.make(tmp_path / "tls")
    pair = {"tls_cert_file": mine.certificate, "tls_key_file": mine.key}
    client = open_door(gateway=pair).client
    for path, status in (("/healthz", 200), ("/nowhere", 404), ("/v1/tasks/0", 404)):
        answer = client.get(path)
        assert (answer.status_code, answer.headers.get_list(HSTS)) == (status, ["max-age=31536000"])
    assert HSTS not in open_door(gateway={**pair, "hsts_seconds": 0}).client.get("/healthz").headers


def test_who_did_not_is_not_told_and_what_a_client_says_of_itself_is_not_believed(shared_door: Door) -> None:
    for headers in ({}, PROXIED):
        assert HSTS not in shared_door.client.get("/healthz", headers=headers).headers


def test_a_trusted_proxy_says_that_its_client_came_by_tls(open_door: Open) -> None:
    client = open_door(gateway={"trusted_proxies": ["127.0.0.0/8"], "hsts_seconds": 60}).client
    assert client.get("/healthz", headers=PROXIED).headers[HSTS] == "max-age=60"
    assert HSTS not in client.get("/healthz", headers=PROXIED | {"X-Forwarded-Proto": "http"}).headers
