"""The deliverer: real records, real receivers, a clock that the test moves."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from tests.schemas import bring_to_schema
from tests.servers import wait_until
from tests.tasks.fakes import ORIGIN, AllRecords, FakeClock, a_task
from tests.webhooks.receivers import Received, Receiver, Reply
from tests.webhooks.test_sign import SECRET

from facefleet.errors.outage import RecordsUnavailable
from facefleet.observability.metrics import Metrics
from facefleet.outbound.address import Policy
from facefleet.outbound.connect import Connector
from facefleet.outbound.resolve import Resolver
from facefleet.tasks.deliveries import Deliveries, Delivery, DeliveryState
from facefleet.tasks.records.retention_records import RetentionRecords
from facefleet.tasks.tables.database import Database
from facefleet.tasks.task import Task, Webhook
from facefleet.webhooks.deliver import LEASE, PER_HOST, Deliverer
from facefleet.webhooks.post import Poster
from facefleet.webhooks.schedule import AFTER_END
from facefleet.webhooks.sign import Signer

ENDS = ("succeeded", "failed", "canceled")


class Post:
    """An office with one set of records, and as many deliverers as a test wants."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.database = Database(f"sqlite:///{folder / 'records.db'}")
        bring_to_schema(self.database)
        self.records = AllRecords(self.database, self.clock)
        self.deliveries = Deliveries(self.database, self.clock)
        self.metrics = Metrics(CollectorRegistry())
        self.resolver = Resolver(Policy(http=True, private=True))
        self.own_secrets: dict[str, Path] = {}

    def signer_of(self, tenant: str) -> Signer:
        return Signer.of_file(own) if (own := self.own_secrets.get(tenant)) else Signer.of(SECRET)

    def deliverer(self, clock: Callable[[], Any] | None = None, slots: int = 16) -> Deliverer:
        connector = Connector(self.resolver, ssl.create_default_context())
        poster = Poster(connector, self.clock)
        return Deliverer(
            deliveries=self.deliveries, poster=poster, signer_of=self.signer_of,
            render=lambda task: {"task_id": task.id, "status": task.state.value}, metrics=self.metrics,
            clock=clock or self.clock, random=lambda: 0.0, user_agent="facefleet/test", slots=slots, interval=0.05,
        )  # fmt: skip

    def ended(self, url: str) -> Task:
        task = self.records.add(a_task(self.clock(), webhook=Webhook(url, ENDS)))
        return self.records.cancel(task.tenant, task.id)

    def look(self) -> None:
        """One look of one deliverer, with everything that it sends."""

        async def whole() -> None:
            deliverer = self.deliverer()
            while await deliverer.round():
                await deliverer.settle(30)
            await deliverer.settle(30)

        asyncio.run(whole())

    def of(self, task: Task) -> Delivery:
        (found,) = self.deliveries.of_task(task)
        return found

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def close(self) -> None:
        self.resolver.close()
        self.database.close()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Post]:
    opened = Post(tmp_path)
    yield opened
    opened.close()


def failing(times: int) -> Callable[[int, Received], Reply]:
    return lambda number, _: Reply(500 if number < times else 204)


def ids(received: Sequence[Received]) -> set[str]:
    return {got.headers["webhook-id"] for got in received}


def test_the_end_of_a_task_is_told_and_signed(office: Post) -> None:
    with Receiver() as receiver:
        task = office.ended(receiver.url("/a?key=b"))
        office.look()
    (got,) = receiver.received
    assert got.message == {
        "type": "task.canceled",
        "timestamp": office.clock().isoformat(),
        "data": {"task_id": task.id, "status": "canceled"},
    }
    headers = got.headers
    assert (headers["Content-Type"], headers["User-Agent"]) == ("application/json", "facefleet/test")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + got.body
    mac = hmac.digest(base64.b64decode(SECRET.removeprefix("whsec_")), signed, hashlib.sha256)
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
    assert int(headers["webhook-timestamp"]) == int(office.clock().timestamp())
    delivery = office.of(task)
    assert (delivery.id, delivery.state, delivery.next_at) == (headers["webhook-id"], DeliveryState.DELIVERED, None)
    assert [(a.status, a.error) for a in delivery.log] == [(204, None)]
    assert office.counted("facefusion_webhook_deliveries_total", event="canceled", outcome="delivered") == 1


def test_the_secrets_of_a_tenant_sign_alone_and_may_change_while_it_runs(office: Post, tmp_path: Path) -> None:
    own, tenant = tmp_path / "own", a_task(office.clock()).tenant
    office.own_secrets[tenant] = own
    with Receiver() as receiver:
        for key in (b"a" * 32, b"b" * 32):
            own.write_text(f"whsec_{base64.b64encode(key).decode()}\n")
            office.ended(receiver.url())
            office.look()
            headers, body = receiver.received[-1].headers, receiver.received[-1].body
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            mac = hmac.digest(key, signed, hashlib.sha256)
            assert headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"


@pytest.mark.parametrize("content", [None, "", "whsec_short", "wh\u00e4t"])
def test_nothing_is_sent_while_the_secrets_of_a_tenant_cannot_be_used(
    office: Post, tmp_path: Path, content: str | None
) -> None:
    own = tmp_path / "own"
    if content is not None:
        own.write_text(content, encoding="utf-8")
    with Receiver() as receiver:
        task = office.ended(receiver.url())
        office.own_secrets[task.tenant] = own
        with capture_logs() as lines:
            office.look()
        assert receiver.received == []
        assert [a.error for a in office.of(task).log] == ["the secrets of the tenant cannot be used"]
        (line,) = (line for line in lines if line["event"] == "webhook.not_signed")
        assert str(own) in line["reason"]
        assert "short" not in line["reason"]
        own.write_text(SECRET)
        office.clock.advance(AFTER_END[0])
        office.look()
    assert (len(receiver.received), office.of(task).state) == (1, DeliveryState.DELIVERED)


def test_a_receiver_that_comes_back_within_a_day_gets_it(office: Post) -> None:
    """It fails ten times; each wait is as long as it should be, to the second."""
    with Receiver(failing(10)) as receiver:
        task = office.ended(receiver.url())
        for number, wait in enumerate(AFTER_END, 1):
            office.look()
            assert len(receiver.received) == number
            office.clock.advance(wait - 1)
            office.look()
            assert len(receiver.received) == number, "not a second too soon"
            office.clock.advance(1)
        office.look()
    delivery = office.of(task)
    assert (delivery.state, delivery.attempts, len(delivery.log)) == (DeliveryState.DELIVERED, 11, 11)
    assert len(ids(receiver.received)) == 1, "the same id in every attempt"
    assert len({got.headers["webhook-timestamp"] for got in receiver.received}) == 11, "and a fresh time"
    assert office.counted("facefusion_webhook_attempts_total", outcome="5xx") == 10


def test_after_a_day_it_is_given_up_and_can_be_replayed(office: Post) -> None:
    with Receiver(failing(12)) as receiver:
        task = office.ended(receiver.url())
        for wait in (*AFTER_END, 1):
            office.look()
            office.clock.advance(wait)
        given_up = office.of(task)
        assert (given_up.state, given_up.next_at) == (DeliveryState.FAILED, None)
        office.clock.advance(90_000)
        office.look()
        assert len(receiver.received) == 11
        for state in (DeliveryState.FAILED, DeliveryState.DELIVERED):  # a replay is one attempt by then
            office.deliveries.replay(task, given_up.id, ORIGIN)
            office.look()
            assert office.of(task).state is state
    assert office.counted("facefusion_webhook_deliveries_total", event="canceled", outcome="failed") == 2


def test_a_receiver_that_is_gone_is_left_alone_at_once(office: Post) -> None:
    with Receiver(lambda *_: Reply(410)) as receiver:
        task = office.ended(receiver.url())
        office.look()
        office.clock.advance(90_000)
        office.look()
    assert (len(receiver.received), office.of(task).state) == (1, DeliveryState.FAILED)


def test_a_receiver_that_asks_for_time_gets_it(office: Post) -> None:
    with Receiver(lambda *_: Reply(429, {"Retry-After": "600"})) as receiver:
        task = office.ended(receiver.url())
        office.look()
    assert office.of(task).next_at == office.clock() + timedelta(seconds=600)


def test_an_address_that_was_public_when_it_was_taken_is_judged_again(office: Post) -> None:
    office.resolver = Resolver(Policy(http=True), lambda *_: ["127.0.0.1"])
    with Receiver() as receiver:
        task = office.ended(receiver.url(host="was-public.example"))
        office.look()
    assert receiver.received == []
    assert office.of(task).log[0].error == "address refused: loopback"


def test_what_an_erased_task_was_is_told_to_nobody(office: Post) -> None:
    with Receiver() as receiver:
        task = office.ended(receiver.url())
        office.deliveries.announce()
        RetentionRecords(office.database, office.clock).erase(task, ORIGIN)
        office.look()
    assert receiver.received == []


def test_erased_between_claim_and_sending_it_is_told_to_nobody_either(office: Post) -> None:
    with Receiver() as receiver:
        task = office.ended(receiver.url())
        office.deliveries.announce()
        (claimed,) = office.deliveries.claim(office.deliveries.due(1, []), LEASE)
        RetentionRecords(office.database, office.clock).erase(task, ORIGIN)
        asyncio.run(office.deliverer()._attempt(claimed))
    assert receiver.received == []


def test_a_gateway_that_died_before_it_looked_loses_nothing(office: Post) -> None:
    """Nothing about an event is in the memory of the process in which it happened."""
    with Receiver() as receiver:
        tasks = [office.ended(receiver.url()) for _ in range(3)]
        office.clock.advance(86_400)
        office.look()
    assert {got.message["data"]["task_id"] for got in receiver.received} == {task.id for task in tasks}


def test_a_gateway_that_died_while_it_sent_is_replaced(office: Post) -> None:
    with Receiver() as receiver:
        task = office.ended(receiver.url())
        office.deliveries.announce()
        assert office.deliveries.claim(office.deliveries.due(1, []), LEASE)  # and that was its last deed
        office.look()
        assert receiver.received == []
        office.clock.advance(LEASE.total_seconds())
        office.look()
    assert (len(receiver.received), office.of(task).attempts) == (1, 2)


def running(deliverers: Sequence[Deliverer], stop: Event) -> list[Thread]:
    threads = [Thread(target=deliverer.run, args=(stop,)) for deliverer in deliverers]
    for thread in threads:
        thread.start()
    return threads


def test_two_gateways_at_once_send_each_event_once(office: Post) -> None:
    stop = Event()
    with Receiver() as receiver:
        threads = running([office.deliverer(), office.deliverer()], stop)
        tasks = [office.ended(receiver.url()) for _ in range(40)]
        wait_until(lambda: office.deliveries.pending().count == 0 and len(receiver.received) >= 40, "all is told", 30)
        stop.set()
        for thread in threads:
            thread.join()
    told = [got.message["data"]["task_id"] for got in receiver.received]
    assert sorted(told) == sorted(task.id for task in tasks)


def test_a_slow_receiver_holds_up_nobody_else(office: Post) -> None:
    """Its backlog is older and longer than all places; the other's one event passes it."""
    stop, go = Event(), Event()

    def slow(*_: object) -> Reply:
        go.wait(10)
        return Reply()

    with Receiver(slow) as tarpit, Receiver() as quick:
        held = [office.ended(tarpit.url(host="localhost")) for _ in range(40)]
        threads = running([office.deliverer(slots=16)], stop)
        wait_until(lambda: len(tarpit.received) == PER_HOST, "the slow one has all it gets")
        office.clock.advance(1)
        office.ended(quick.url())
        began = time.monotonic()
        wait_until(lambda: len(quick.received) == 1, "the other is told", 5)
        assert time.monotonic() - began < 3
        assert len(tarpit.received) == PER_HOST
        go.set()
        wait_until(lambda: office.deliveries.pending().count == 0, "the rest follows", 30)
        stop.set()
        threads[0].join()
    assert len(tarpit.received) == len(held)


def test_an_outage_of_the_records_ends_a_look_and_not_the_loop(office: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, met = Event(), []
    whole = office.deliveries.announce

    def away() -> int:
        met.append(1)
        if len(met) < 3:
            raise (RecordsUnavailable("away") if len(met) == 1 else ValueError("a bug"))
        return whole()

    monkeypatch.setattr(office.deliveries, "announce", away)
    with Receiver() as receiver:
        office.ended(receiver.url())
        (thread,) = running([office.deliverer()], stop)
        wait_until(lambda: len(receiver.received) == 1, "it is told after all")
        stop.set()
        thread.join()


def test_a_bug_of_ours_is_not_met_for_ever(office: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise ValueError("a bug")

    monkeypatch.setattr(Deliverer, "_body", broken)
    with Receiver() as receiver:
        task = office.ended(receiver.url())
        office.look()
    delivery = office.of(task)
    assert [attempt.error for attempt in delivery.log] == ["a fault of the service"]
    assert delivery.next_at == office.clock() + timedelta(seconds=AFTER_END[0])


def test_no_log_line_has_more_of_a_url_than_its_host(office: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with capture_logs() as lines, Receiver(lambda number, _: Reply([500, 410][number])) as receiver:
        office.ended(receiver.url("/secret-path?token=secret-query"))
        office.look()
        office.clock.advance(5)
        office.look()
        office.ended("http://127.0.0.1:1/secret-path?token=secret-query")
        office.look()
    assert [line["event"] for line in lines] == ["webhook.retry", "webhook.given_up", "webhook.retry"]
    assert {line["host"] for line in lines} == {"127.0.0.1"}
    assert "secret-" not in str(lines) + caplog.text
    assert SECRET not in str(lines) + caplog.text
