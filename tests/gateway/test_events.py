"""Following a task: what happened is sent once, as it happens, to whoever asks at whichever gateway."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import httpx
import pytest
import redis
from tests.gateway.conftest import Door, Open, picture, served
from tests.servers import ValkeyServer, wait_until
from tests.tasks.fakes import AllRecords

from facefleet.clock import now
from facefleet.errors.input import FaceNotFound
from facefleet.errors.outage import RecordsUnavailable
from facefleet.gateway.app import create
from facefleet.gateway.follow import changes as waiting
from facefleet.gateway.routes import events
from facefleet.queue.wakes import channel
from facefleet.tasks.records.repository import TaskRepository
from facefleet.tasks.task import Task

LEASE = timedelta(minutes=1)


@dataclass
class Reader:
    """Reads one stream in a thread of its own."""

    status: int = 0
    type: str = ""
    events: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    comments: int = 0
    ended: bool = False

    def read(self, base: str, path: str, headers: dict[str, str]) -> None:
        with (
            httpx.Client(base_url=base, trust_env=False, verify=False, timeout=30.0) as client,
            client.stream("GET", path, headers=headers) as answer,
        ):
            self.status, self.type = answer.status_code, answer.headers.get("content-type", "")
            found: dict[str, str] = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                self.comments += line.startswith(":")
                if not line and "data" in found:
                    self.events.append((int(found["id"]), found["event"], json.loads(found["data"])))
                    found = {}
                elif name:
                    found[name] = value
        self.ended = True

    @property
    def names(self) -> list[str]:
        return [name for _, name, _ in self.events]


@contextmanager
def following(door: Door, task_id: str, query: str = "", **headers: str) -> Iterator[Reader]:
    reader = Reader()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    arguments = (str(door.client.base_url), f"/v1/tasks/{task_id}/events{query}", named)
    thread = Thread(target=reader.read, args=arguments, daemon=True)
    thread.start()
    wait_until(lambda: reader.status != 0, "the stream is open")
    yield reader
    thread.join(10)
    assert reader.ended, "the stream ends by itself"


def submitted(door: Door) -> str:
    photo = picture()
    task_id: str = door.submit(source=photo, target=photo).json()["task_id"]
    return task_id


def claim(door: Door, task_id: str) -> Task:
    task = door.records.claim(task_id, LEASE, {})
    assert task is not None
    return task


def watchers(door: Door, how: str = "events") -> float:
    return door.parts.metrics.registry.get_sample_value("facefusion_watchers", {"how": how}) or 0.0


def test_a_reader_hears_of_each_change_as_it_happens_and_the_stream_ends_with_the_task(door: Door) -> None:
    task_id = submitted(door)
    with following(door, task_id) as reader:
        wait_until(lambda: reader.names == ["queued"], "what is now comes at once")
        task = claim(door, task_id)
        wait_until(lambda: len(reader.events) == 2, "the claim is told", 1.5)
        door.records.advance(task, "warp", 0.5)
        wait_until(lambda: len(reader.events) == 3, "the step is told", 1.5)
        assert door.records.succeed(task, "tenants/local/results/x/1", "image/jpeg", {})
    assert reader.names == ["queued", "running", "running", "succeeded"]
    assert reader.type.startswith("text/event-stream")
    assert [seen for seen, _, _ in reader.events] == [1, 2, 3, 4]
    assert (reader.events[2][2]["step"], reader.events[2][2]["progress"]) == ("warp", 0.5)
    assert reader.events[-1][2] == door.client.get(f"/v1/tasks/{task_id}").json()


def test_a_gateway_listens_while_somebody_waits_and_no_longer(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LINGER_SECONDS", 0.0)

    def listeners() -> int:
        with redis.Redis.from_url(door.settings.queue.url.get_secret_value()) as broker:
            ((_, count),) = broker.pubsub_numsub(channel(door.settings.queue.prefix))
        return int(count)

    task = claim(door, submitted(door))
    assert listeners() == 0
    with following(door, task.id) as reader:
        wait_until(lambda: listeners() == 1, "it listens")
        assert door.records.advance(task, "warp", 0.5)
        wait_until(lambda: len(reader.events) == 2, "the step is told", 1.5)
        assert door.records.succeed(task, "tenants/local/results/x/1", "image/jpeg", {})
    claim(door, submitted(door))
    wait_until(lambda: listeners() == 0, "the next wake finds that nobody waits")


def test_a_queued_task_says_how_many_come_before_it_and_when_it_may_start(door: Door) -> None:
    first, second, third = (submitted(door) for _ in range(3))
    claim(door, first)

    def view() -> dict[str, Any]:
        found: dict[str, Any] = door.client.get(f"/v1/tasks/{third}").json()
        return found

    wait_until(lambda: view()["position"] == 1 and view()["estimated_start"], "a place holds a second")
    assert view()["estimated_start"] > view()["created_at"]
    running = door.client.get(f"/v1/tasks/{first}").json()
    assert (running["position"], running["estimated_start"]) == (None, None)
    with following(door, third) as reader:
        door.client.post(f"/v1/tasks/{second}/cancel")
        wait_until(lambda: len(reader.events) == 2, "the place is told when it has changed", 8.0)
        door.client.post(f"/v1/tasks/{third}/cancel")
    assert [(name, data["position"]) for _, name, data in reader.events] == [
        ("queued", 1), ("queued", 0), ("canceled", None)
    ]  # fmt: skip


def test_who_comes_back_is_sent_only_what_it_has_not_seen(door: Door) -> None:
    task_id = submitted(door)
    task = claim(door, task_id)
    with following(door, task_id, Last_Event_ID="2") as reader:
        door.records.fail(task, FaceNotFound("No face was found."))
    assert [(seen, name) for seen, name, _ in reader.events] == [(3, "failed")]
    with following(door, task_id, "?last_event_id=2") as reader:
        pass
    assert reader.names == ["failed"]
    with following(door, task_id) as reader:
        pass
    assert reader.names == ["failed"], "an ended task has one event"
    with following(door, task_id, Last_Event_ID="3") as reader:
        pass
    assert (reader.status, reader.events) == (204, []), "which a browser takes as the end"


def test_the_events_of_a_task_come_from_any_gateway(open_door: Open) -> None:
    queue = {"prefix": uuid4().hex}
    one, other = open_door(queue=queue), open_door(queue=queue)
    task_id = submitted(one)
    with following(other, task_id) as reader, following(one, task_id) as same:
        wait_until(lambda: bool(reader.events and same.events), "both are told what is")
        began = time.monotonic()
        one.client.post(f"/v1/tasks/{task_id}/cancel")
    assert time.monotonic() - began < 1.5, "by a wake, not by a look"
    assert reader.names == same.names == ["queued", "canceled"]


def test_while_the_broker_is_away_readers_are_told_all_the_same(open_door: Open, tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "mortal") as broker:
        door = open_door(queue={"url": broker.url})
        task_id = submitted(door)
        with following(door, task_id) as reader:
            wait_until(lambda: reader.names == ["queued"], "what is")
            broker.kill()
            task = claim(door, task_id)
            wait_until(lambda: reader.names == ["queued", "running"], "the look finds it", 6.0)
            broker.start()
            door.records.fail(task, FaceNotFound("No face was found."))
        assert reader.names == ["queued", "running", "failed"]


def test_a_change_that_nobody_told_of_is_found_by_a_look(door: Door) -> None:
    task_id = submitted(door)
    untold = AllRecords(door.parts.database, now)
    with following(door, task_id) as reader:
        wait_until(lambda: reader.names == ["queued"], "what is")
        untold.cancel("local", task_id)
    assert reader.names == ["queued", "canceled"]


def test_while_nothing_happens_a_reader_hears_that_the_gateway_is_there(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PLACE_SECONDS", 0.05)
    monkeypatch.setattr(events, "BEAT_SECONDS", 0.1)
    task_id = submitted(door)
    claim(door, task_id)
    with following(door, task_id) as reader:
        wait_until(lambda: reader.comments >= 3, "comments come")
        assert reader.names == ["running"]
        door.client.post(f"/v1/tasks/{task_id}/cancel")


def test_a_stream_outlives_an_outage_of_the_records(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id, met = submitted(door), []

    def away(*_: object) -> list[Task]:
        met.append(1)
        raise RecordsUnavailable("The database did not answer; try again.")

    with following(door, task_id) as reader:
        wait_until(lambda: reader.names == ["queued"], "what is")
        with monkeypatch.context() as patch:
            patch.setattr(TaskRepository, "of_ids", away)
            claim(door, task_id)
            wait_until(lambda: bool(met), "the reader met the outage")
        door.client.post(f"/v1/tasks/{task_id}/cancel")
    assert [name for name in reader.names if name != "running"] == ["queued", "canceled"]  # the look may find it before


def test_a_reader_that_hangs_up_is_forgotten_at_once(door: Door) -> None:
    task_id = submitted(door)
    url = door.client.base_url
    with socket.create_connection((url.host, url.port or 80)) as client:
        client.sendall(f"GET /v1/tasks/{task_id}/events HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode())
        wait_until(lambda: watchers(door) == 1, "it is counted")
    wait_until(lambda: watchers(door) == 0, "it is gone", 1.0)


def test_one_reader_too_many_is_told_to_come_later(open_door: Open) -> None:
    door = open_door(gateway={"watchers": 1})
    task_id = submitted(door)
    with following(door, task_id) as reader:
        answer = door.client.get(f"/v1/tasks/{task_id}/events")
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert answer.headers["retry-after"] == "5"
        began = time.monotonic()
        waited = door.client.get(f"/v1/tasks/{task_id}", headers={"Prefer": "wait=5"})
        assert (waited.json()["status"], time.monotonic() - began < 3) == ("queued", True), "and a wait is not begun"
        door.client.post(f"/v1/tasks/{task_id}/cancel")
    assert reader.names == ["queued", "canceled"]


def test_a_gateway_that_leaves_ends_its_streams_and_waits_at_once(door: Door) -> None:
    task_id, reader = submitted(door), Reader()
    answers: list[httpx.Response] = []

    def wait(address: str) -> None:
        headers = {"Prefer": "wait=30"}
        answers.append(httpx.get(f"{address}/v1/tasks/{task_id}", headers=headers, trust_env=False, timeout=40))

    with served(create(door.settings, door.parts)) as address:
        threads = [
            Thread(target=reader.read, args=(address, f"/v1/tasks/{task_id}/events", {}), daemon=True),
            Thread(target=wait, args=(address,), daemon=True),
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: reader.names == ["queued"] and watchers(door, "wait") == 1, "both wait")
        began = time.monotonic()
    assert time.monotonic() - began < 5
    for thread in threads:
        thread.join(5)
    assert (reader.ended, reader.names) == (True, ["queued"])
    assert [answer.json()["status"] for answer in answers] == ["queued"]


@pytest.mark.parametrize("given", ["-1", "x", "1.5"])
def test_an_event_id_that_is_none_is_refused(door: Door, given: str) -> None:
    task_id = submitted(door)
    for answer in (
        door.client.get(f"/v1/tasks/{task_id}/events", headers={"Last-Event-ID": given}),
        door.client.get(f"/v1/tasks/{task_id}/events", params={"last_event_id": given}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "option_invalid")


def test_a_task_that_is_not_there_has_no_events(door: Door) -> None:
    assert door.client.get("/v1/tasks/0/events").json()["code"] == "task_not_found"
