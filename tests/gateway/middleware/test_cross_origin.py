"""Pages of listed origins may use the gateway from a browser; those of others cannot, and cookies never come along."""

from __future__ import annotations

import httpx
import pytest
from tests.access.issuer import AUDIENCE, ISSUER, SECRET
from tests.gateway.conftest import Door, Open

from facefleet.config import load
from facefleet.errors.input import ConfigInvalid

OURS = "https://app.example"
NEAR = "http://localhost:5173"
TOKENS = {"token_issuer": ISSUER, "token_audience": AUDIENCE, "token_secret": SECRET}
STRANGERS = ("https://evil.example", "https://app.example.evil.example", "http://app.example", OURS + ":8443", "null")


@pytest.fixture(scope="module")
def shop(open_shared_door: Open) -> Door:
    """A gateway that asks for credentials, and lets two origins in."""
    return open_shared_door(auth={"keys": True, **TOKENS}, gateway={"cors_origins": [OURS, NEAR]})


def preflight(door: Door, origin: str, **more: str) -> httpx.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return door.client.options("/v1/fuse", headers=asked | more)


def vary(answer: httpx.Response) -> set[str]:
    return {name.strip().lower() for name in answer.headers.get("vary", "").split(",")}


def cors(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


@pytest.mark.parametrize("origin", [OURS, NEAR])
def test_a_preflight_of_a_listed_origin_needs_no_credential(shop: Door, origin: str) -> None:
    answer = preflight(shop, origin)
    assert (answer.status_code, answer.content) == (204, b"")
    assert cors(answer) == {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": "GET, POST, PUT, DELETE",
        "access-control-allow-headers": (
            "Authorization, Content-Type, Idempotency-Key, Prefer, Last-Event-ID, traceparent"
        ),
        "access-control-max-age": "600",
    }
    assert "origin" in vary(answer)


def test_preflights_count_in_no_limit(open_door: Open) -> None:
    door = open_door(
        auth={"keys": True}, gateway={"cors_origins": [OURS]}, rate_limits={"address": "1/60s", "failures": "1/60s"}
    )
    assert {preflight(door, OURS).status_code for _ in range(5)} == {204}


@pytest.mark.parametrize("origin", STRANGERS)
def test_another_origin_is_let_in_nowhere(shop: Door, origin: str) -> None:
    for answer in (preflight(shop, origin), shop.client.get("/healthz", headers={"Origin": origin})):
        assert cors(answer) == {}
        assert answer.headers.get_list("cross-origin-resource-policy") == ["same-origin"]
        assert "origin" in vary(answer)
    assert preflight(shop, origin).status_code == 401


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/v1/tasks", 401)])
def test_a_listed_origin_can_read_answers_and_refusals(shop: Door, path: str, status: int) -> None:
    answer = shop.client.get(path, headers={"Origin": OURS})
    assert answer.status_code == status
    assert cors(answer) == {
        "access-control-allow-origin": OURS,
        "access-control-expose-headers": "Location, Retry-After, RateLimit, RateLimit-Policy, X-Request-ID",
    }
    assert answer.headers.get_list("cross-origin-resource-policy") == ["cross-origin"]
    assert "origin" in vary(answer)


def test_two_origins_in_one_request_are_none(shop: Door) -> None:
    assert cors(shop.client.get("/healthz", headers=[("Origin", OURS), ("Origin", OURS)])) == {}


def test_an_answer_to_no_origin_is_not_cached_for_one(shop: Door) -> None:
    answer = shop.client.get("/healthz")
    assert cors(answer) == {}
    assert "origin" in vary(answer)


def test_options_that_ask_for_no_method_are_no_preflight(shop: Door) -> None:
    assert shop.client.options("/v1/fuse", headers={"Origin": OURS}).status_code == 401


def test_no_origin_is_let_in_by_default(open_door: Open) -> None:
    door = open_door(auth={"keys": True})
    assert preflight(door, OURS).status_code == 401
    assert cors(door.client.get("/healthz", headers={"Origin": OURS})) == {}


@pytest.mark.parametrize(
    "origin",
    [
        "*", "null", "https://*.example", "http://app.example", OURS + "/", OURS + "/page", "https://App.example",
        "https://me@app.example", OURS + "\n", "",
    ],
)  # fmt: skip
def test_what_is_no_exact_origin_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(ConfigInvalid, match="cors_origins"):
        load(gateway={"cors_origins": [origin]})


@pytest.mark.parametrize("origin", [OURS, NEAR])
def test_without_credentials_a_listed_origin_is_answered_as_its_preflight_promised(
    open_door: Open, origin: str
) -> None:
    door = open_door(gateway={"cors_origins": [OURS, NEAR]})
    assert preflight(door, origin).status_code == 204
    answer = door.client.get("/v1/tasks", headers={"Origin": origin})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize("origin", STRANGERS)
def test_without_credentials_another_origin_is_refused(open_door: Open, origin: str) -> None:
    door = open_door(gateway={"cors_origins": [OURS]})
    assert preflight(door, origin).status_code == 400
    assert door.client.get("/v1/tasks", headers={"Origin": origin}).status_code == 400
    two = [("Origin", OURS), ("Origin", origin)]
    assert door.client.get("/v1/tasks", headers=two).status_code == 400


def test_without_credentials_a_listed_origin_reaches_no_other_name(open_door: Open) -> None:
    door = open_door(gateway={"cors_origins": [OURS]})
    assert door.client.get("/v1/tasks", headers={"Origin": OURS, "Host": "rebound.example"}).status_code == 400
