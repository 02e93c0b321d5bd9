"""Every answer has the headers that protect browsers, whichever layer answers; pages keep their own."""

from __future__ import annotations

import httpx
import pytest
from tests.gateway.conftest import Door

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


def test_a_page_keeps_its_own_policy_and_has_one_only(shared_door: Door) -> None:
    (policy,) = shared_door.client.get("/").headers.get_list("content-security-policy")
    assert "script-src 'self'" in policy


def test_a_refusal_before_authentication_has_them_too(shared_door: Door) -> None:
    answer = shared_door.client.get("/v1/tasks", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 400
    assert protection(answer) == {name: [value] for name, value in PROTECTION.items()}
