"""The broker, a real one: its settings, its clock, and what it does not tell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr
from tests.servers import HOST, ValkeyServer, free_port

from facefleet.config import Queue, Settings
from facefleet.doctor import broker
from facefleet.doctor.contract import Demand
from facefleet.doctor.report import Finding, State
from facefleet.errors.outage import QueueUnavailable

pytestmark = pytest.mark.needs_server


@pytest.fixture
def own(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A broker whose settings the test may change."""
    with ValkeyServer(tmp_path / "valkey") as server:
        yield server


def settings(url: str) -> Settings:
    return Settings(queue=Queue(url=SecretStr(url)))


def states(found: list[Finding]) -> dict[str, State]:
    return {one.check: one.state for one in found}


def test_a_broker_that_keeps_everything_passes_the_strictest_contract(valkey: ValkeyServer) -> None:
    found = list(broker.look(settings(valkey.url), Demand.STRICT))
    assert [one.check for one in found] == ["broker", "broker.eviction", "broker.durability", "broker.clock"]
    assert set(states(found).values()) == {State.OK}
    assert found[0].found.startswith("Valkey 9.")
    assert {one.line for one in found} == {"servers.broker"}


def test_settings_that_lose_messages_are_warnings_which_only_the_strict_contract_refuses(own: ValkeyServer) -> None:
    with redis.Redis.from_url(own.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", "100mb")
        client.config_set("appendonly", "no")
    for wanted in (None, Demand.OPTIONAL, Demand.REQUIRED):
        found = states(list(broker.look(settings(own.url), wanted)))
        assert found["broker.eviction"] is found["broker.durability"] is State.WARNING
        assert found["broker"] is State.OK
    eviction = next(one for one in broker.look(settings(own.url), Demand.STRICT) if one.check == "broker.eviction")
    assert (eviction.state, eviction.line) == (State.BROKEN, "servers.broker")
    assert "maxmemory-policy allkeys-lru, maxmemory 104857600 bytes" in eviction.found
    assert "noeviction" in eviction.advice


def test_a_clock_that_is_apart_is_told(valkey: ValkeyServer) -> None:
    found = list(broker.look(settings(valkey.url), Demand.OPTIONAL, lambda: time.time() + 60))
    (clock,) = [one for one in found if one.check == "broker.clock"]
    assert (clock.state, clock.found) == (State.WARNING, "60 s behind ours")


def test_a_broker_that_hides_its_settings_is_a_warning(own: ValkeyServer) -> None:
    with redis.Redis.from_url(own.url) as client:
        client.execute_command("ACL", "SETUSER", "worker", "on", ">open-sesame", "~*", "+@all", "-info")
    url = own.url.replace("redis://", "redis://worker:open-sesame@")
    (found,) = broker.look(settings(url), Demand.REQUIRED)
    assert found.state is State.WARNING
    assert "INFO" in found.advice
    assert "open-sesame" not in str(found)
    (strict,) = broker.look(settings(url), Demand.STRICT)
    assert strict.state is State.BROKEN


def test_a_wrong_password_is_an_outage_that_names_its_cause(own: ValkeyServer) -> None:
    with redis.Redis.from_url(own.url) as client:
        client.config_set("requirepass", "open-sesame")
    with pytest.raises(QueueUnavailable) as caught:
        list(broker.look(settings(own.url.replace("redis://", "redis://:wrong@")), Demand.OPTIONAL))
    assert caught.value.detail["cause"] == "AuthenticationError"


def test_a_broker_that_nobody_has_set_is_skipped_unless_the_contract_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = f"redis://{HOST}:{free_port()}/0"
    unset = Settings(
        queue=Queue.model_construct(**{**Queue().model_dump(), "url": SecretStr(nowhere)}, _fields_set=set())
    )
    for wanted in (None, Demand.OPTIONAL):
        (found,) = broker.look(unset, wanted)
        assert found.state is State.SKIPPED
    with pytest.raises(QueueUnavailable):
        list(broker.look(unset, Demand.REQUIRED))
    with pytest.raises(QueueUnavailable):
        list(broker.look(settings(nowhere), Demand.OPTIONAL))
