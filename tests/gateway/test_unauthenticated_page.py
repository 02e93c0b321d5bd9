"""What a person sees who opens an address of a gateway without a credential."""

from __future__ import annotations

import base64
import hashlib
import re

import httpx
import pytest
from tests.gateway.conftest import Door, Open

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.fixture(scope="module")
def shop(open_shared_door: Open) -> Door:
    """A gateway that takes keys."""
    return open_shared_door(auth={"keys": True})


def visit(door: Door, path: str = "/v1/tasks", language: str = "en-GB,en;q=0.8", **headers: str) -> httpx.Response:
    return door.client.get(path, headers={"Accept": BROWSER, "Accept-Language": language} | headers)


@pytest.mark.parametrize("path", ["/openapi.json", "/v1/tasks", "/nowhere", "/v1/tasks/<script>"])
def test_a_browser_gets_a_page_and_not_json(shop: Door, path: str) -> None:
    answer = visit(shop, path)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "You are not signed in" in answer.text
    assert "<code>unauthenticated</code>" in answer.text
    assert '<a href="/">' in answer.text
    assert answer.headers["www-authenticate"] == 'Bearer realm="facefleet"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["vary"] == "Accept, Accept-Language"


@pytest.mark.parametrize("path", ["/", "/docs/errors"])
def test_where_to_sign_in_and_what_errors_mean_is_for_everybody(shop: Door, path: str) -> None:
    assert visit(shop, path).status_code == 200
    assert visit(shop, path, Authorization="Bearer ff_live_typo").status_code == 200


def test_it_comes_under_a_policy_that_lets_its_style_in_and_nothing_else(shop: Door) -> None:
    answer = visit(shop)
    found = re.search("<style>(.*)</style>", answer.text)
    assert found is not None
    digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
    assert answer.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<script|<form|\son\w+=|https?:|\ssrc=", answer.text)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("zh-TW", "zh-CN"),
        ("en;q=0.5,zh;q=0.9", "zh-CN"),
        ("zh;q=0,en;q=0.1", "en"),
        ("fr-FR,zh;q=0.3,en;q=0.2", "zh-CN"),
        ("fr", "en"),
        ("*", "en"),
        ("", "en"),
        ("zh;q=9, ;;,=,zhx", "en"),
        ("en,zh", "en"),
    ],
)
def test_it_speaks_the_language_that_the_visitor_prefers(shop: Door, asked: str, given: str) -> None:
    answer = visit(shop, language=asked)
    assert f'<html lang="{given}">' in answer.text
    assert ("您尚未登录" in answer.text) is (given == "zh-CN")


def test_a_credential_that_is_not_good_is_named_by_its_code_only(shop: Door) -> None:
    answer = visit(shop, Authorization="Bearer ff_live_typo")
    assert answer.status_code == 401
    assert "<code>credential_invalid</code>" in answer.text
    assert "ff_live_typo" not in answer.text
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("accept", ["*/*", "application/json", "image/*", "text/html;q=0", "text/htmlx", ""])
def test_programs_get_a_problem_document(shop: Door, accept: str) -> None:
    answer = shop.client.get("/v1/tasks", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


def test_what_is_no_visit_gets_a_problem_document(shop: Door) -> None:
    answer = shop.client.post("/v1/fuse", headers={"Accept": BROWSER})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_a_head_has_the_headers_of_the_page(shop: Door) -> None:
    answer = shop.client.head("/openapi.json", headers={"Accept": BROWSER})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert answer.content == b""
