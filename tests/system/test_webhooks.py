"""A gateway dies with an event in hand, and another happens before the next one is up: both are told."""

from __future__ import annotations

from threading import Event

import pytest
from tests.servers import wait_until
from tests.system.conftest import Running
from tests.webhooks.receivers import Received, Receiver, Reply

from facefleet.webhooks.deliver import LEASE

pytestmark = [pytest.mark.system, pytest.mark.needs_server]

Photos = tuple[bytes, bytes]


@pytest.fixture(autouse=True)
def _intranet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ALLOW_HTTP", "true"), ("ALLOW_PRIVATE", "true"), ("PORTS", "[]")):
        monkeypatch.setenv(f"FACEFLEET_WEBHOOKS__{name}", value)


def submit(service: Running, photos: Photos, url: str) -> str:
    files = {name: (name, photo) for name, photo in zip(("source", "target"), photos, strict=True)}
    data = {"consent": "true", "webhook_url": url}
    answer = service.client.post("/v1/fuse", files=files, data=data)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def test_a_killed_gateway_loses_no_event(service: Running, photos: Photos) -> None:
    go = Event()

    def answer(number: int, _: Received) -> Reply:
        if number == 0:
            go.wait(30)
        return Reply()

    with Receiver(answer) as receiver:
        in_hand = submit(service, photos, receiver.url())
        wait_until(lambda: len(receiver.received) == 1, "the gateway has an event in hand", 30)
        meanwhile = submit(service, photos, receiver.url())
        service.kill("gateway")
        go.set()
        told = LEASE.total_seconds() + 60
        wait_until(lambda: tasks_of(receiver.received) == {in_hand, meanwhile}, "the other is told", told)
        wait_until(lambda: len(receiver.received) >= 3, "the one in hand is told again", told)
    again = [got for got in receiver.received if got.message["data"]["task_id"] == in_hand]
    assert len({got.headers["webhook-id"] for got in again}) == 1, "a receiver knows it for the same"


def tasks_of(received: list[Received]) -> set[str]:
    return {got.message["data"]["task_id"] for got in received}
