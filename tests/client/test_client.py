"""The client and a real gateway."""

from __future__ import annotations

import asyncio
import inspect
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from tests.client.conftest import begin, fail, watchers
from tests.gateway.conftest import Door, picture
from tests.servers import wait_until

from facefleet import client as public
from facefleet.client import AsyncBatch, AsyncClient, AsyncTask, AsyncTemplate, Batch, Client, Event, Task, Template
from facefleet.errors.base import FacefleetError
from facefleet.errors.client import WaitTimeout
from facefleet.errors.conflict import IdempotencyConflict, ResultNotReady, TaskEnded
from facefleet.errors.input import FaceNotFound, ImageTypeUnsupported, OptionInvalid
from facefleet.errors.lookup import TaskNotFound
from facefleet.errors.task import TaskFailed

pytestmark = pytest.mark.needs_server


def submitted(client: Client, photo: bytes, **more: Any) -> Task:
    return client.fuse(photo, photo, consent=True, **more)


def test_a_task_is_told_as_the_gateway_tells_it(client: Client, door: Door, photo: bytes) -> None:
    made = submitted(client, photo, strength=0.0, target_face="all")
    assert made.status == "queued"
    view = made.refresh().view
    assert view.raw == door.client.get(f"/v1/tasks/{made.id}").json()
    assert (view.kind, view.lane, view.position, view.attempts) == ("fuse", "standard", 0, 0)
    assert view.options["strength"] == 0.0
    assert view.options["target_face"] == "all"
    assert view.created_at is not None
    assert abs(datetime.now(UTC) - view.created_at) < timedelta(minutes=1)
    assert client.task(made.id).view == view


def test_the_same_key_finds_the_same_task(client: Client, photo: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo)
    first = submitted(client, photo, idempotency_key="order-17")
    again = client.fuse(tmp_path / "photo.jpg", str(tmp_path / "photo.jpg"), consent=True, idempotency_key="order-17")
    assert again.id == first.id
    with pytest.raises(IdempotencyConflict):
        submitted(client, picture(seed=1), idempotency_key="order-17")


@pytest.mark.parametrize(
    ("photo_", "options", "error"),
    [(b"no photo", {}, ImageTypeUnsupported), (picture(), {"strength": 1.5}, OptionInvalid)],
    ids=["type", "option"],
)
def test_a_refusal_has_its_class_and_its_request(
    client: Client, photo_: bytes, options: dict[str, Any], error: type[FacefleetError]
) -> None:
    with pytest.raises(error) as caught:
        submitted(client, photo_, **options)
    assert caught.value.detail["http_status"] == error.status
    assert re.fullmatch("[0-9a-f]{32}", str(caught.value.detail["request_id"]))


def test_events_are_told_as_they_happen(client: Client, door: Door, photo: bytes) -> None:
    made, found = submitted(client, photo), list[Event]()
    reader = Thread(target=lambda: found.extend(made.events()))
    reader.start()
    wait_until(lambda: watchers(door, "events") == 1, "somebody listens")
    claimed = begin(door, made.id)
    wait_until(lambda: made.status == "running", "it is seen running")
    door.records.fail(claimed, FaceNotFound("No face in the source."))
    reader.join(10)
    assert [event.name for event in found] == ["queued", "running", "failed"]
    assert [event.id for event in found] == sorted({event.id for event in found})
    assert made.view.error is not None
    assert made.view.error.code == "face_not_found"
    assert [event.name for event in made.events()] == ["failed"], "of what has ended there is one thing to tell"


@pytest.mark.parametrize("timeout", [300.0, 15.0], ids=["by events", "by a long answer"])
def test_a_failure_ends_a_wait_at_once_and_is_raised(client: Client, door: Door, photo: bytes, timeout: float) -> None:
    made = submitted(client, photo)
    way = "events" if timeout > 20 else "wait"

    def worker() -> None:
        wait_until(lambda: watchers(door, way) == 1, "somebody waits")
        fail(door, made.id, FaceNotFound("No face in the source.", role="source"))

    thread = Thread(target=worker)
    thread.start()
    began = time.monotonic()
    with pytest.raises(FaceNotFound) as caught:
        made.wait(timeout)
    assert time.monotonic() - began < 10
    assert caught.value.detail == {"role": "source", "task_id": made.id}
    thread.join()


def test_a_wait_ends_in_time_and_the_task_goes_on(client: Client, photo: bytes) -> None:
    made = submitted(client, photo)
    began = time.monotonic()
    with pytest.raises(WaitTimeout):
        made.wait(1.5)
    assert 1.4 < time.monotonic() - began < 3.0
    assert made.refresh().status == "queued"


def test_a_submission_may_wait(client: Client, photo: bytes) -> None:
    began = time.monotonic()
    assert submitted(client, photo, wait=1).status == "queued"
    assert time.monotonic() - began >= 1.0


def test_a_task_is_canceled_and_erased(client: Client, photo: bytes) -> None:
    made = submitted(client, photo)
    with pytest.raises(ResultNotReady):
        made.image()
    assert made.cancel().status == "canceled"
    assert made.cancel().status == "canceled"
    with pytest.raises(TaskFailed):
        made.wait()
    receipt = made.erase()
    assert (receipt.task_id, receipt.status) == (made.id, "erased")
    assert receipt.erased_at is not None
    with pytest.raises(TaskNotFound):
        client.task("01a20000-0000-7000-8000-000000000000")


def test_what_has_ended_is_not_canceled(client: Client, door: Door, photo: bytes) -> None:
    made = submitted(client, photo)
    fail(door, made.id, FaceNotFound("No face."))
    with pytest.raises(TaskEnded):
        made.cancel()


def test_tasks_and_usage_are_found(client: Client, photo: bytes) -> None:
    made = [submitted(client, photo) for _ in range(3)]
    made[0].cancel()
    assert [task.id for task in client.tasks()] == [task.id for task in reversed(made)]
    assert [task.id for task in client.tasks(state="canceled", kind="fuse")] == [made[0].id]
    created = made[1].refresh().view.created_at
    assert [task.id for task in client.tasks(created_before=created)] == [made[0].id]
    today = datetime.now(UTC).date()
    found = client.usage(today - timedelta(days=1), today)
    assert (found.first, found.last) == (today - timedelta(days=1), today)
    assert sum(day.tasks for day in found.days) == 3
    assert sum(day.canceled for day in found.days) == 1
    assert sum(day.bytes_in for day in found.days) == 6 * len(photo)
    (everybodys,) = client.usage(every_tenant=True, by_credential=True).days
    assert (everybodys.tenant, everybodys.credential, everybodys.tasks) == ("local", None, 3)
    assert client.usage(tenant="initech").days == ()


def test_the_audit_log_is_read_and_filtered(client: Client, photo: bytes) -> None:
    made = [submitted(client, photo) for _ in range(2)]
    made[0].cancel()
    assert {(entry.action, entry.object) for entry in client.audit()} == {
        ("task.create", made[0].id), ("task.create", made[1].id), ("task.cancel", made[0].id),
    }  # fmt: skip
    (entry,) = client.audit(object=made[1].id)
    assert (entry.actor, entry.tenant, entry.outcome, entry.consent) == ("local", "local", "ok", "local")
    assert entry.at.tzinfo is not None
    assert list(client.audit(after=datetime.now(UTC) + timedelta(hours=1))) == []
    assert len(list(client.audit(every_tenant=True, action="task.create"))) == 2
    assert list(client.audit(tenant="initech")) == []


def test_the_client_for_asyncio_does_the_same(door: Door, photo: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo)

    async def journey() -> None:
        async with (
            httpx.AsyncClient(trust_env=False, verify=False) as http,
            AsyncClient(str(door.client.base_url), http=http) as client,
        ):
            made = await client.fuse(tmp_path / "photo.jpg", photo, consent=True)
            other = await client.fuse(photo, photo, consent=True)
            waiting = asyncio.create_task(made.wait(60))
            names = asyncio.create_task(listened(other))
            await asyncio.to_thread(wait_until, lambda: watchers(door, "events") == 2, "both listen")
            await asyncio.to_thread(fail, door, made.id, FaceNotFound("No face."))
            with pytest.raises(FaceNotFound):
                await waiting
            await other.cancel()
            assert await names == ["queued", "canceled"]
            assert [task.id async for task in client.tasks()] == [other.id, made.id]
            assert (await other.erase()).status == "erased"
            assert (await client.usage()).days[0].tasks == 2

    async def listened(task: AsyncTask) -> list[str]:
        return [event.name async for event in task.events()]

    asyncio.run(journey())


def test_both_clients_have_the_same_methods_with_the_same_words() -> None:
    def shape(cls: type) -> dict[str, tuple[str, str | None]]:
        def plain(text: str) -> str:
            text = re.sub(r"AsyncGenerator\[(\w+), None\]", r"Generator[\1, None, None]", text)
            return re.sub(r"\bAsync(?=[A-Z])", "", text)

        names = [name for name in vars(cls) if not name.startswith("_")]
        found = {name.removeprefix("a") if name == "aclose" else name: getattr(cls, name) for name in names}
        return {
            name: (plain(str(inspect.signature(one))) if callable(one) else "", inspect.getdoc(one))
            for name, one in found.items()
        }

    pairs = ((Client, AsyncClient), (Task, AsyncTask), (Template, AsyncTemplate), (Batch, AsyncBatch))
    for blocking, other in pairs:
        assert shape(blocking) == shape(other)
        assert all(words for _, words in shape(blocking).values())
    assert all(hasattr(public, name) for name in public.__all__)
