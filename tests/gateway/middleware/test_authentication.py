"""Without authentication only this machine may ask."""

from __future__ import annotations

import pytest
from tests.gateway.conftest import Door

from facefleet.config import load
from facefleet.errors.input import ConfigInvalid
from facefleet.gateway.app import run
from facefleet.gateway.middleware.authentication import is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", ""])
def test_the_gateway_refuses_to_listen_beyond_loopback(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ConfigInvalid, match="loopback"):
        run(load(gateway={"host": host}))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_known_in_all_its_forms(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "rebound.example:8080"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
def test_a_page_from_elsewhere_may_not_ask(shared_door: Door, headers: dict[str, str]) -> None:
    answer = shared_door.client.get("/v1/tasks/0", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


@pytest.mark.parametrize("headers", [{"host": "localhost:9"}, {"host": "[::1]:9"}, {"origin": "http://127.0.0.1:8080"}])
def test_this_machine_may_ask_by_any_of_its_names(shared_door: Door, headers: dict[str, str]) -> None:
    assert shared_door.client.get("/healthz", headers=headers).status_code == 200
