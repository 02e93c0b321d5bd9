"""Messages on a real broker: where they land, what they carry, and in which order they leave."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from tests.queue.conftest import Build, Rig, body_of
from tests.servers import ValkeyServer, free_port, wait_until
from tests.tasks.fakes import a_task

from facefleet.errors.outage import QueueUnavailable
from facefleet.queue.app import HANDLE, build_app
from facefleet.queue.submit import Submitter
from facefleet.tasks.routes import routes
from facefleet.tasks.task import Consent, Webhook

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

# A worker with one thread that writes down the order in which it got its messages.
_WORKER = """
import sys
import redis
from facefleet.queue.app import HANDLE, build_app
url, prefix, every = sys.argv[1:4]
app = build_app(url, prefix=prefix, lower_lane_every=int(every), visibility_timeout=3600)
client = redis.Redis.from_url(url)
@app.task(name=HANDLE, ignore_result=True)
def handle(task_id):
    client.rpush(prefix + ":order", task_id)
app.Worker(
    pool="threads", concurrency=1, quiet=True, without_mingle=True, without_gossip=True, without_heartbeat=True
).start()
"""


def test_a_message_lands_in_the_list_of_its_route_and_nowhere_else(rig: Rig) -> None:
    tasks = [
        a_task(lane=lane, tenant=tenant) for lane in ("interactive", "standard", "bulk") for tenant in ("acme", "f")
    ]
    for task in tasks:
        rig.submitter.send(task)
    assert {task.route.shard for task in tasks} == {0, 5}
    for route in routes("stable"):
        assert rig.waiting(route) == [task.id for task in tasks if task.route == route]


def test_another_track_has_lists_of_its_own(rig: Rig) -> None:
    task = a_task(track="canary")
    rig.submitter.send(task)
    assert rig.waiting(task.route) == [task.id]
    assert sum(rig.broker.depths("stable").values()) == 0
    assert sum(rig.broker.depths("canary").values()) == 1


def test_every_key_has_the_prefix(rig: Rig) -> None:
    rig.accept()
    rig.hands().take()
    mine = [key for key in rig.client.keys("*") if rig.prefix in key]
    assert {key.split(":")[0] for key in mine} == {rig.prefix}
    assert f"{rig.prefix}:unacked" in mine


def test_a_message_carries_the_id_and_the_trace_context_and_nothing_else(rig: Rig) -> None:
    told = ["secret-tenant", "secret-subject", "secret-option", "secret-photo", "secret-hook", "secret-key"]
    task = replace(
        a_task(
            tenant=told[0], subject=told[1], options={"name": told[2]}, inputs={"source": told[3]},
            consent=Consent(told[1], rig.clock()), traceparent=TRACE,
        ),
        webhook=Webhook(f"https://{told[4]}/"), idempotency_key=told[5], request_digest="d" * 64,
    )  # fmt: skip
    rig.submitter.send(task)
    (message,) = rig.messages(task.route)
    args, kwargs, embedded = body_of(message)
    assert (args, kwargs) == ([task.id], {})
    assert set(embedded.values()) == {None}
    headers = message["headers"]
    assert (headers["task"], headers["id"], headers["traceparent"]) == (HANDLE, task.id, TRACE)
    assert (headers["argsrepr"], headers["kwargsrepr"]) == (f"['{task.id}']", "{}")
    everything = json.dumps([message, args, kwargs, embedded])
    assert [word for word in [*told, "d" * 64] if word in everything] == []


def test_a_task_without_trace_context_sends_none(rig: Rig) -> None:
    task = a_task()
    rig.submitter.send(task)
    (message,) = rig.messages(task.route)
    assert "traceparent" not in message["headers"]


def test_a_list_gives_its_messages_in_the_order_they_came(rig: Rig) -> None:
    sent = [rig.accept().id for _ in range(20)]
    hands = rig.hands()
    assert [hands.take_id() for _ in sent] == sent


def test_the_broker_client_takes_lanes_in_order_and_lower_ones_every_third_time(
    build: Build, valkey: ValkeyServer
) -> None:
    rig = build(valkey, every=3)
    lane_of = {rig.accept(lane=lane).id: lane[0] for lane in ("bulk", "standard", "interactive") for _ in range(6)}
    hands = rig.hands()
    assert "".join(lane_of[hands.take_id()] for _ in range(12)) == "iisiibiisssb"


@pytest.mark.needs_server
def test_a_worker_pops_lanes_in_order_and_shards_in_turn(build: Build, valkey: ValkeyServer) -> None:
    rig = build(valkey)
    wanted = [("bulk", "acme"), ("standard", "acme"), ("standard", "acme"), ("standard", "acme"),
              ("standard", "initech"), ("standard", "initech"), ("interactive", "acme")]  # fmt: skip
    name_of = {rig.accept(lane=lane, tenant=tenant).id: f"{lane} {tenant}" for lane, tenant in wanted}
    worker = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _WORKER, rig.url, rig.prefix, "1000"], stderr=subprocess.DEVNULL
    )
    try:
        order = f"{rig.prefix}:order"
        wait_until(lambda: rig.client.llen(order) == len(wanted), "the worker has taken every message", 30)
        assert [name_of[task_id] for task_id in rig.client.lrange(order, 0, -1)] == [
            "interactive acme",
            "standard initech", "standard acme", "standard initech", "standard acme", "standard acme",
            "bulk acme",
        ]  # fmt: skip
        wait_until(lambda: not rig.client.exists(f"{rig.prefix}:unacked"), "every message is acknowledged")
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()


def test_a_dead_broker_is_told_within_three_seconds() -> None:
    app = build_app(f"redis://127.0.0.1:{free_port()}/0", prefix="t", lower_lane_every=5, visibility_timeout=60)
    began = time.monotonic()
    with app, pytest.raises(QueueUnavailable) as caught:
        Submitter(app).send(a_task())
    assert time.monotonic() - began < 3
    assert "127.0.0.1" not in caught.value.message


def test_after_a_failure_nothing_is_tried_for_a_second_unless_the_broker_was_seen() -> None:
    seconds = [0.0]
    app = build_app(f"redis://127.0.0.1:{free_port()}/0", prefix="t", lower_lane_every=5, visibility_timeout=60)
    with app:
        submitter = Submitter(app, lambda: seconds[-1])
        causes = [_cause(submitter)]
        for second in (0.99, 1.0, 1.5):
            seconds.append(second)
            causes.append(_cause(submitter))
        submitter.seen("an epoch")
        causes.append(_cause(submitter))
    assert [cause == "recently" for cause in causes] == [False, True, False, True, False]


def _cause(submitter: Submitter) -> object:
    with pytest.raises(QueueUnavailable) as caught:
        submitter.send(a_task())
    return caught.value.detail["cause"]


def test_a_broker_that_dies_between_two_messages_is_told_within_three_seconds(
    build: Build, mortal: ValkeyServer
) -> None:
    rig = build(mortal)
    rig.submitter.send(a_task())
    mortal.kill()
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(QueueUnavailable):
            rig.submitter.send(a_task())
        assert time.monotonic() - began < 3


def test_a_broker_that_came_back_is_used_again(build: Build, mortal: ValkeyServer) -> None:
    rig = build(mortal)
    first, second = a_task(), a_task()
    rig.submitter.send(first)
    mortal.kill()
    with pytest.raises(QueueUnavailable):
        rig.submitter.send(second)
    mortal.start()

    def taken() -> bool:
        try:
            rig.submitter.send(second)
        except QueueUnavailable:
            return False
        return True

    wait_until(taken, "the broker takes messages again", 5)
    # The first may be gone: while its disk is busy, a broker answers up to 2 s before it writes. The records know it.
    assert rig.waiting(first.route) in ([first.id, second.id], [second.id])
