"""One trace from the request through a real broker to each step of the engine; its id wherever one looks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from tests.gateway.conftest import Door, Open, picture
from tests.receiver import Received, Receiver
from tests.servers import wait_until

from facefleet.config import Settings

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@contextmanager
def working(settings: Settings, log: Path) -> Iterator[None]:
    """A worker process beside the gateway; it drains at the end."""
    environment = os.environ | {
        "FACEFLEET_DATA": str(settings.data),
        "FACEFLEET_QUEUE__URL": settings.queue.url.get_secret_value(),
        "FACEFLEET_QUEUE__PREFIX": settings.queue.prefix,
        "FACEFLEET_TRACING__ENDPOINT": settings.tracing.endpoint,
        "FACEFLEET_LOGS__FORMAT": "json",
    }
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "facefleet", "worker"], env=environment, stderr=out)
        try:
            yield
        finally:
            process.terminate()
            assert process.wait(60) == 0


def test_one_trace_from_the_request_to_each_step(
    open_door: Open, receiver: Receiver, samples: Mapping[str, Path], tmp_path: Path
) -> None:
    """The first message is lost, and the sweeper's takes its place in the same trace."""
    door = open_door(tracing={"endpoint": receiver.endpoint})
    people = {"source": "astronaut", "target": "grace_hopper"}
    photos = {role: (role, samples[name].read_bytes()) for role, name in people.items()}
    answer = door.client.post(
        "/v1/fuse?secret=1", files=photos, data={"consent": "true"}, headers={"traceparent": CALLER}
    ).json()
    lose_messages(door)
    with working(door.settings, tmp_path / "worker.log"):
        task = door.client.get(f"/v1/tasks/{answer['task_id']}").json()
        wait_until(lambda: status(door, answer["task_id"]) in ("succeeded", "failed"), "the task ends", 60)
    wait_until(lambda: bool(receiver.named("POST /v1/fuse")), "the gateway's spans arrive")
    assert task["trace_id"] == CALLER[3:35]
    spans = [one for one in receiver.spans if one.attributes.get("http.route") != "/v1/tasks/{task_id}"]
    assert {one.trace for one in spans} == {CALLER[3:35]}
    by_id = {one.id: one for one in spans}
    check_gateway(receiver, by_id)
    check_worker(receiver, by_id)
    assert receiver.named("task.handle")[0].attributes["task.id"] == answer["task_id"]
    assert b"secret" not in receiver.raw
    lines = [json.loads(line) for line in (tmp_path / "worker.log").read_text().splitlines() if line.startswith("{")]
    assert {line["trace_id"] for line in lines if "task_id" in line} == {CALLER[3:35]}


def lose_messages(door: Door) -> None:
    """The broker comes back empty; the sweeper sends again what the records know of."""
    queue = door.settings.queue
    with redis.Redis.from_url(queue.url.get_secret_value()) as broker:
        for key in broker.scan_iter(f"{queue.prefix}:*"):
            broker.delete(key)
    sample = door.parts.metrics.registry.get_sample_value
    wait_until(
        lambda: (sample("facefusion_sweeper_actions_total", {"action": "epoch"}) or 0) > 0, "the sweeper sends again"
    )


def status(door: Door, task_id: str) -> str:
    return door.records.get("local", task_id).state.value


def parents(receiver: Receiver, name: str, by_id: Mapping[str, Received]) -> set[str]:
    return {by_id[one.parent].name for one in receiver.named(name)}


def check_gateway(receiver: Receiver, by_id: Mapping[str, Received]) -> None:
    (root,) = receiver.named("POST /v1/fuse")
    assert (root.parent, root.attributes["http.response.status_code"]) == (CALLER[36:52], 202)
    assert parents(receiver, "accept", by_id) == {"POST /v1/fuse"}
    assert len(receiver.named("store.put")) == 2
    for name in ("store.put", "records.add", "queue.send"):
        assert parents(receiver, name, by_id) == {"accept"}


def check_worker(receiver: Receiver, by_id: Mapping[str, Received]) -> None:
    handled = receiver.named("task.handle")
    (run,) = (one for one in handled if "fence" in one.attributes)
    assert all(one.events == ["duplicate"] for one in handled if one is not run), "the sweeper may send it twice"
    assert (by_id[run.parent].name, run.service, run.failed) == ("POST /v1/fuse", "facefleet-worker", False)
    assert {run.attributes[name] for name in ("tenant", "kind", "lane", "outcome")} == {
        "local", "fuse", "standard", "succeeded"
    }  # fmt: skip
    assert run.attributes["fence"] == 1
    steps = ["decode", "detect", "landmarks", "align", "warp", "colour", "blend", "encode"]
    for name in ("claim", "load", *(f"engine.{step}" for step in steps), "mark", "store", "succeed"):
        assert parents(receiver, name, by_id) == {"task.handle"}, name


def test_a_message_that_is_sent_again_keeps_the_trace(open_door: Open, receiver: Receiver) -> None:
    door = open_door(tracing={"endpoint": receiver.endpoint})
    task_id = door.submit(source=picture(), target=picture()).json()["task_id"]
    task = door.records.get("local", task_id)
    wait_until(lambda: bool(receiver.named("POST /v1/fuse")), "the spans arrive")
    (root,) = receiver.named("POST /v1/fuse")
    assert task.traceparent == f"00-{root.trace}-{root.id}-01", "what the sweeper sends is this"


def test_without_spans_the_id_is_in_the_problem_and_the_task_all_the_same(door: Door) -> None:
    headers = {"traceparent": CALLER}
    assert door.client.get("/v1/tasks/nobody", headers=headers).json()["trace_id"] == CALLER[3:35]
    assert len(door.client.get("/v1/tasks/nobody").json()["trace_id"]) == 32
    task_id = door.submit(source=picture(), target=picture()).json()["task_id"]
    shown = door.client.get(f"/v1/tasks/{task_id}").json()["trace_id"]
    assert shown == (door.records.get("local", task_id).traceparent or "")[3:35]


def test_a_refusal_is_in_its_span_and_probes_have_none(open_door: Open, receiver: Receiver) -> None:
    door = open_door(tracing={"endpoint": receiver.endpoint})
    door.client.get("/healthz")
    door.client.get("/v1/tasks/nobody")
    wait_until(lambda: bool(receiver.spans), "the spans arrive")
    (found,) = receiver.spans
    assert (found.name, found.attributes["error.type"]) == ("GET /v1/tasks/{task_id}", "task_not_found")


@pytest.mark.parametrize(
    ("method", "path", "name", "status", "code"),
    [
        ("GET", "/nowhere", "GET", 404, "route_not_found"),
        ("PATCH", "/v1/fuse", "PATCH /v1/fuse", 405, "method_not_allowed"),
        ("GET", "/v1/tasks?limit=0", "GET /v1/tasks", 422, "option_invalid"),
    ],
)
def test_what_the_framework_refuses_is_in_its_span_by_its_code(
    open_door: Open, receiver: Receiver, method: str, path: str, name: str, status: int, code: str
) -> None:
    door = open_door(tracing={"endpoint": receiver.endpoint})
    answer = door.client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    wait_until(lambda: bool(receiver.spans), "the span arrives")
    (span,) = receiver.spans
    assert span.name == name
    assert (span.attributes["http.response.status_code"], span.attributes["error.type"]) == (status, code)
