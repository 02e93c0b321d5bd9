"""The view of a real broker, alive, dead, hung, and emptied."""

from __future__ import annotations

import os
import signal
import socketserver
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import pytest
from tests.queue.conftest import Build, Rig
from tests.servers import HOST, ValkeyServer, free_port

from facefleet.errors.outage import QueueUnavailable
from facefleet.queue.broker import Broker, BrokerFacts
from facefleet.tasks.routes import Route, routes

CALLS: dict[str, Callable[[Broker], object]] = {
    "epoch": lambda broker: broker.epoch(),
    "ping": lambda broker: broker.ping(),
    "facts": lambda broker: broker.facts(),
    "depths": lambda broker: broker.depths("stable"),
    "waiting": lambda broker: broker.waiting(Route("stable", "bulk", 0)),
    "unacknowledged": lambda broker: broker.unacknowledged(0),
}


def test_the_epoch_stays_while_the_broker_remembers(rig: Rig) -> None:
    epoch = rig.broker.epoch()
    another = Broker(rig.url, prefix=rig.prefix)
    assert [rig.broker.epoch(), another.epoch()] == [epoch, epoch]
    another.close()


def test_two_services_on_one_broker_have_their_own_epochs(rig: Rig) -> None:
    another = Broker(rig.url, prefix=f"{rig.prefix}-2")
    assert another.epoch() != rig.broker.epoch()
    another.close()


def test_a_broker_killed_and_restarted_with_its_file_keeps_its_epoch(build: Build, mortal: ValkeyServer) -> None:
    broker = build(mortal).broker
    epoch = broker.epoch()
    mortal.kill()
    mortal.start()
    assert broker.epoch() == epoch


def test_an_emptied_broker_has_a_new_epoch(build: Build, mortal: ValkeyServer) -> None:
    broker = build(mortal).broker
    epochs = [broker.epoch()]
    mortal.wipe()
    epochs.append(broker.epoch())
    mortal.kill()
    mortal.wipe()
    mortal.start()
    epochs.append(broker.epoch())
    assert len(set(epochs)) == 3


def test_of_many_who_name_an_epoch_at_once_one_does(build: Build, mortal: ValkeyServer) -> None:
    rig = build(mortal)
    brokers = [Broker(mortal.url, prefix=rig.prefix) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        for _ in range(10):
            mortal.wipe()
            assert len(set(threads.map(lambda broker: broker.epoch(), brokers))) == 1
    for broker in brokers:
        broker.close()


def test_depths_count_what_waits_in_every_list(rig: Rig) -> None:
    for lane, tenant, count in [("interactive", "f", 1), ("bulk", "acme", 3)]:
        for _ in range(count):
            rig.accept(lane=lane, tenant=tenant)
    depths = rig.broker.depths("stable")
    assert list(depths) == routes("stable")
    assert {route: n for route, n in depths.items() if n} == {
        Route("stable", "interactive", 0): 1,
        Route("stable", "bulk", 5): 3,
    }
    assert rig.broker.waiting(Route("stable", "bulk", 5)) == 3
    assert rig.broker.waiting(Route("stable", "bulk", 4)) == 0


def test_in_hand_is_what_was_taken_since_and_not_acknowledged(rig: Rig) -> None:
    before = time.time() - 1
    assert rig.broker.unacknowledged(before) == set()
    task = rig.accept()
    assert rig.broker.unacknowledged(before) == set(), "it waits in its list"
    message = rig.hands().take()
    assert rig.broker.unacknowledged(before) == {task.id}
    assert rig.broker.unacknowledged(time.time() + 1) == set(), "it was taken longer ago than that"
    message.ack()
    assert rig.broker.unacknowledged(before) == set()


def test_a_message_goes_back_to_its_list_when_its_worker_lets_go(rig: Rig) -> None:
    task, hands = rig.accept(), rig.hands()
    hands.take()
    assert rig.waiting(task.route) == []
    hands.close()
    assert rig.waiting(task.route) == [task.id]
    assert rig.broker.unacknowledged(0) == set()


@pytest.mark.parametrize("name", CALLS)
def test_a_dead_broker_is_told_within_three_seconds(name: str) -> None:
    broker = Broker(f"redis://127.0.0.1:{free_port()}/0", prefix="t")
    began = time.monotonic()
    with pytest.raises(QueueUnavailable) as caught:
        CALLS[name](broker)
    assert time.monotonic() - began < 3
    assert caught.value.detail == {"cause": "ConnectionError"}
    broker.close()


@pytest.mark.parametrize("name", ["epoch", "depths"])
def test_a_hung_broker_is_told_within_three_seconds(build: Build, mortal: ValkeyServer, name: str) -> None:
    broker = build(mortal).broker
    broker.ping()
    assert mortal.pid is not None
    os.kill(mortal.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(QueueUnavailable):
            CALLS[name](broker)
        assert time.monotonic() - began < 3
    finally:
        os.kill(mortal.pid, signal.SIGCONT)
    CALLS[name](broker)


def test_a_broker_that_refuses_writes_is_an_outage(build: Build, mortal: ValkeyServer) -> None:
    rig = build(mortal)
    rig.client.config_set("maxmemory", "1")
    with pytest.raises(QueueUnavailable):
        rig.broker.epoch()
    with pytest.raises(QueueUnavailable):
        rig.accept()


class Sparse(socketserver.StreamRequestHandler):
    """Speaks the protocol, and tells of itself only its version."""

    def handle(self) -> None:
        while head := self.rfile.readline():
            words = [self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2] for _ in range(int(head[1:]))]
            answers = {
                b"HELLO": b"%1\r\n$5\r\nproto\r\n:3\r\n",
                b"INFO": b"$22\r\nredis_version:6.2.11\r\n\r\n",
                b"TIME": b"*2\r\n$2\r\n42\r\n$1\r\n0\r\n",
            }
            self.wfile.write(answers.get(words[0].upper(), b"+OK\r\n"))


def test_a_server_that_tells_little_of_itself_is_one_whose_settings_are_unknown() -> None:
    with socketserver.ThreadingTCPServer((HOST, 0), Sparse) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        broker = Broker(f"redis://{HOST}:{server.server_address[1]}/0", prefix="x")
        try:
            assert broker.facts() == BrokerFacts("Redis 6.2.11", "unknown", 0, append_only=False, clock=42.0)
        finally:
            broker.close()
            server.shutdown()


def test_a_broker_tells_its_settings(build: Build, mortal: ValkeyServer) -> None:
    facts = build(mortal).broker.facts()
    assert facts.product.startswith("Valkey ")
    assert (facts.policy, facts.max_memory, facts.append_only) == ("noeviction", 0, True)
    assert abs(facts.clock - time.time()) < 60
