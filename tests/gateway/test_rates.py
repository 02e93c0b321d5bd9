"""Rate limits at a real gateway: who is told to wait, what it is told, and that nobody is where the broker is away."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.gateway.conftest import UNLIMITED, Door, Open
from tests.gateway.test_access import TOKENS, ask, key
from tests.servers import free_port

from facefleet.access.keys import new_key
from facefleet.access.roles import Role

LONG = 99_999  # s: no window ends in a test
pytestmark = pytest.mark.needs_server


def limited(open_door: Open, queue: dict[str, Any] | None = None, **rates: str) -> Door:
    return open_door(auth={"keys": True, **TOKENS}, rate_limits=UNLIMITED | rates, queue=queue or {})


def counted(door: Door, name: str, **labels: str) -> float:
    return door.parts.metrics.registry.get_sample_value(name, labels) or 0.0


def statuses(door: Door, credential: str | None, times: int, path: str = "/v1/tasks") -> list[int]:
    return [ask(door, credential, path).status_code for _ in range(times)]


def test_a_key_that_asks_too_often_is_told_when_to_go_on(open_door: Open) -> None:
    door = limited(open_door, key=f"2/{LONG}s")
    mine, other = key(door), key(door)
    assert statuses(door, mine, 2) == [200, 200]
    answer = ask(door, mine)
    assert answer.status_code == 429
    assert answer.json()["code"] == "rate_limited"
    assert answer.json()["context"]["limit"] == "key"
    wait = int(answer.headers["Retry-After"])
    assert 0 < wait <= 2 * LONG
    assert answer.headers["RateLimit-Policy"] == f'"key";q=2;w={LONG}'
    assert answer.headers["RateLimit"] == f'"key";r=0;t={wait}'
    assert ask(door, other).status_code == 200
    assert counted(door, "facefusion_rate_limited_total", limit="key") == 1


def test_every_answer_says_what_is_left(open_door: Open) -> None:
    door = limited(open_door, key=f"90/{LONG}s", tenant=f"100/{LONG}s", address=f"200/{LONG}s")
    mine = key(door, "acme", Role.VIEWER)
    for asked, (path, status) in enumerate(
        (("/v1/tasks", 200), ("/v1/tasks/nothing", 404), ("/nowhere", 404)), start=1
    ):
        answer = ask(door, mine, path)
        assert answer.status_code == status
        assert answer.headers["RateLimit-Policy"] == (
            f'"tenant";q=100;w={LONG}, "key";q=90;w={LONG}, "address";q=200;w={LONG}'
        )
        left = [part.partition(";t=")[0] for part in answer.headers["RateLimit"].split(", ")]
        assert left == [f'"tenant";r={100 - asked}', f'"key";r={90 - asked}', f'"address";r={200 - asked}']


def test_keys_of_one_tenant_share_its_rate_and_other_tenants_have_their_own(open_door: Open) -> None:
    door = limited(open_door, tenant=f"3/{LONG}s")
    assert statuses(door, key(door, "acme"), 2) == [200, 200]
    assert statuses(door, key(door, "acme"), 2) == [200, 429]
    assert statuses(door, key(door, "other"), 3) == [200, 200, 200]


def test_a_viewer_is_told_to_wait_before_a_member_of_the_same_tenant(open_door: Open, tmp_path: Path) -> None:
    file = tmp_path / "policies.toml"
    file.write_text(f'[tenants.studio.role_rates]\nviewer = "1/{LONG}s"\n')
    settings = UNLIMITED | {"key": f"3/{LONG}s", "roles": {"viewer": f"2/{LONG}s"}}
    door = open_door(auth={"keys": True, **TOKENS}, rate_limits=settings, policies={"file": str(file)})
    assert statuses(door, key(door, "acme", Role.VIEWER), 3) == [200, 200, 429]
    assert statuses(door, key(door, "acme", Role.MEMBER), 4) == [200, 200, 200, 429]
    assert statuses(door, key(door, "studio", Role.VIEWER), 2) == [200, 429]
    assert statuses(door, key(door, "studio", Role.VIEWER, Role.MEMBER), 4) == [200, 200, 200, 429]
    shown = ask(door, key(door, "studio", Role.MEMBER), "/v1/policy").json()["policy"]
    assert (shown["role_rates"], shown["key_rate"]) == ({"viewer": f"1/{LONG}s"}, None)


def test_the_policy_of_a_tenant_has_rates_of_its_own(open_door: Open, tmp_path: Path) -> None:
    file = tmp_path / "policies.toml"
    file.write_text(f'[tenants.small]\nkey_rate = "1/{LONG}s"\n')
    door = open_door(
        auth={"keys": True, **TOKENS}, rate_limits=UNLIMITED | {"key": f"2/{LONG}s"}, policies={"file": str(file)}
    )
    assert statuses(door, key(door, "small"), 2) == [200, 429]
    assert statuses(door, key(door, "usual"), 3) == [200, 200, 429]


def test_a_refusal_comes_before_the_body_is_read(open_door: Open) -> None:
    door = limited(open_door, key=f"1/{LONG}s")
    mine = key(door)
    assert ask(door, mine).status_code == 200
    with socket.create_connection((door.client.base_url.host, door.client.base_url.port or 80), 10) as connection:
        head = f"POST /v1/fuse HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {mine}\r\nContent-Length: 1000000\r\n\r\n"
        connection.sendall(head.encode())
        assert b" 429 " in connection.recv(1000)


def test_a_refusal_for_want_of_a_permission_counts_since_each_is_written_down(open_door: Open) -> None:
    door = limited(open_door, key=f"2/{LONG}s")
    assert statuses(door, key(door), 3, "/v1/operator/lanes") == [403, 403, 429]


def test_the_address_that_counts_is_the_one_before_a_trusted_proxy(open_door: Open) -> None:
    door = open_door(
        auth={"keys": True}, rate_limits=UNLIMITED | {"address": f"2/{LONG}s"},
        gateway={"trusted_proxies": ["127.0.0.0/8"]},
    )  # fmt: skip
    mine, other = key(door), key(door, "rival")

    def asked(who: str, address: str) -> int:
        return ask(door, who, headers={"X-Forwarded-For": address}).status_code

    assert [asked(who, "203.0.113.9") for who in (mine, other, mine)] == [200, 200, 429]
    assert asked(mine, "203.0.113.8") == 200
    assert asked(mine, "198.51.100.1, 203.0.113.9") == 429, "what a client writes itself is not believed"


def test_credentials_that_are_guessed_at_the_metrics_count(open_door: Open) -> None:
    door = limited(open_door, failures=f"2/{LONG}s")
    guesses = [ask(door, new_key(test=False).text, path).status_code for path in ("/metrics", "/metrics", "/v1/tasks")]
    assert guesses == [401, 401, 429]
    assert ask(door, None, "/readyz").status_code == 200


def test_probes_and_scrapers_are_not_limited(open_door: Open) -> None:
    door = limited(open_door, key=f"1/{LONG}s", address=f"1/{LONG}s")
    operator = key(door, "acme", Role.OPERATOR)
    assert statuses(door, operator, 5, "/metrics") == [200] * 5
    assert statuses(door, None, 5, "/healthz") == [200] * 5


def test_who_guesses_credentials_is_no_longer_looked_at(open_door: Open) -> None:
    door = limited(open_door, failures=f"3/{LONG}s")
    good = key(door)
    assert statuses(door, None, 5) == [401] * 5, "who shows nothing guesses nothing"
    assert statuses(door, "ff_live_nonsense", 5) == [401] * 3 + [429] * 2
    answer = ask(door, good)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert ask(door, None, "/healthz").status_code == 200
    assert counted(door, "facefusion_rate_limited_total", limit="failures") == 3


def test_gateways_of_one_service_count_together(open_door: Open) -> None:
    queue = {"prefix": "shared-by-two"}
    one, two = (limited(open_door, queue=queue, key=f"4/{LONG}s") for _ in range(2))
    mine = key(one)
    assert [ask(door, mine).status_code for door in (one, two) * 3] == [200] * 4 + [429] * 2


def test_without_a_broker_requests_pass_and_a_metric_says_so(open_door: Open) -> None:
    door = limited(open_door, queue={"url": f"redis://127.0.0.1:{free_port()}/0"}, key=f"1/{LONG}s")
    mine = key(door)
    assert statuses(door, mine, 4) == [200] * 4
    assert counted(door, "facefusion_rates_unchecked_total") == 4


def test_a_broker_that_hangs_costs_one_short_wait(open_door: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        door = limited(open_door, queue={"url": url}, key=f"1/{LONG}s")
        mine = key(door)
        began = time.monotonic()
        assert statuses(door, mine, 10) == [200] * 10
        assert time.monotonic() - began < 3.0
        assert counted(door, "facefusion_rates_unchecked_total") == 10


def test_on_one_machine_without_credentials_only_what_is_set_holds(open_door: Open) -> None:
    free = open_door(rate_limits={})
    assert "RateLimit" not in free.client.get("/v1/tasks").headers
    door = open_door(rate_limits={"tenant": f"1/{LONG}s"})
    answers: list[httpx.Response] = [door.client.get("/v1/tasks") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[0].headers["RateLimit"].startswith('"tenant";r=0')
