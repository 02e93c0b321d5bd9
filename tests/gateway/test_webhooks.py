"""Webhooks through the door: taken or refused, delivered, shown, replayed."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.gateway.conftest import Door, Open, picture
from tests.servers import PostgresServer, wait_until
from tests.tasks.fakes import LEASE
from tests.webhooks.receivers import Receiver, Reply
from tests.webhooks.test_sign import SECRET

from facefleet.storage.keys import result_key
from facefleet.tasks.task import Task

INTRANET = {"allow_http": True, "allow_private": True, "ports": (), "interval": 0.05}


@pytest.fixture
def intranet(open_door: Open) -> Door:
    """A gateway that may tell this machine."""
    return open_door(webhooks=INTRANET)


def submit(door: Door, **texts: str) -> httpx.Response:
    return door.submit(source=picture(seed=1), target=picture(seed=2), texts=texts)


def finished(door: Door, answer: httpx.Response) -> Task:
    task = door.records.claim(answer.json()["task_id"], LEASE, {})
    assert task is not None
    key = result_key(task.tenant, task.id, task.fence)
    door.parts.store.put(key, b"a picture")
    assert door.records.succeed(task, key, "image/png", {})
    return door.records.get(task.tenant, task.id)


def deliveries(door: Door, task_id: str) -> list[dict[str, Any]]:
    answer = door.client.get(f"/v1/tasks/{task_id}/webhooks")
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["deliveries"]
    return found


def test_the_receiver_is_told_of_the_end_and_sees_the_task_as_its_owner_does(intranet: Door) -> None:
    with Receiver() as receiver:
        answer = submit(intranet, webhook_url=receiver.url("/a?b=c"))
        assert answer.status_code == 202
        task = finished(intranet, answer)
        wait_until(lambda: bool(receiver.received), "it is told", 5)
        wait_until(lambda: deliveries(intranet, task.id)[0]["status"] == "delivered", "it is written down")
    message = receiver.received[0].message
    view = intranet.client.get(f"/v1/tasks/{task.id}").json()
    assert (message["type"], message["data"]) == ("task.succeeded", view)
    assert view["webhook"] == {
        "url": receiver.url("/a?b=c"), "events": ["succeeded", "failed", "canceled"],
        "deliveries": f"/v1/tasks/{task.id}/webhooks",
    }  # fmt: skip
    (delivery,) = deliveries(intranet, task.id)
    assert delivery["delivery_id"] == receiver.received[0].headers["webhook-id"]
    assert [(a["status"], a["error"]) for a in delivery["attempts"]] == [(204, None)]
    assert (delivery["event"], delivery["next_at"]) == ("succeeded", None)


@pytest.mark.parametrize(("path", "kind"), [("/v1/faces", "detect"), ("/v1/templates", "template")])
def test_whoever_has_a_photo_looked_at_is_told_of_the_end_too(intranet: Door, path: str, kind: str) -> None:
    with Receiver() as receiver:
        data = {"webhook_url": receiver.url()} | ({"consent": "true"} if kind == "template" else {})
        answer = intranet.client.post(path, files={"image": picture()}, data=data, headers={"Prefer": "wait=0"})
        assert answer.status_code == 202, answer.text
        intranet.client.post(f"/v1/tasks/{answer.json()['task_id']}/cancel")
        wait_until(lambda: bool(receiver.received), "it is told")
    message = receiver.received[0].message
    assert (message["type"], message["data"]["kind"]) == ("task.canceled", kind)
    assert message["data"]["task_id"] == answer.json()["task_id"]


def batch(door: Door, key: str = "b", **texts: str) -> httpx.Response:
    files = [("source", picture(seed=1)), ("target", picture(seed=2)), ("target", picture(seed=3))]
    return door.client.post(
        "/v1/batches", files=files, data={"consent": "true", **texts}, headers={"Idempotency-Key": key}
    )


def test_of_a_batch_the_end_of_each_item_is_told(intranet: Door) -> None:
    with Receiver() as receiver:
        made = batch(intranet, webhook_url=receiver.url(), webhook_events='["succeeded", "canceled"]').json()
        items = intranet.client.get(made["links"]["tasks"]).json()["tasks"]
        intranet.client.post(items[1]["links"]["cancel"])
        wait_until(lambda: len(receiver.received) == 1, "the first end is told while the other item waits")
        intranet.client.post(made["links"]["cancel"])
        wait_until(lambda: len(receiver.received) == 2, "the other end is told")
    told = [got.message["data"] for got in receiver.received]
    assert [(data["batch_id"], data["item"], data["status"]) for data in told] == [
        (made["batch_id"], 1, "canceled"), (made["batch_id"], 0, "canceled"),
    ]  # fmt: skip


def test_a_batch_with_a_webhook_that_may_not_be_told_keeps_nothing(door: Door) -> None:
    answer = batch(door, webhook_url="https://127.0.0.1/")
    assert (answer.status_code, answer.json()["code"]) == (422, "webhook_url_refused")
    assert door.kept() == []


def test_a_batch_sent_again_with_another_webhook_is_another_request(intranet: Door) -> None:
    first = batch(intranet, webhook_url="https://hooks.invalid/a").json()
    assert batch(intranet, webhook_url="https://hooks.invalid/a").json()["batch_id"] == first["batch_id"]
    assert batch(intranet).json()["code"] == "idempotency_conflict"


def test_it_is_told_what_it_asked_for(intranet: Door) -> None:
    with Receiver() as receiver:
        answer = submit(intranet, webhook_url=receiver.url(), webhook_events='["queued", "succeeded", "queued"]')
        wait_until(lambda: len(receiver.received) == 1, "it is told of the queue")
        finished(intranet, answer)
        wait_until(lambda: len(receiver.received) == 2, "it is told of the end")
    assert [got.message["type"] for got in receiver.received] == ["task.queued", "task.succeeded"]


def test_an_event_is_replayed_at_its_owners_word(intranet: Door) -> None:
    with Receiver(lambda number, _: Reply(410 if number == 0 else 204)) as receiver:
        task = finished(intranet, submit(intranet, webhook_url=receiver.url()))
        wait_until(lambda: [d["status"] for d in deliveries(intranet, task.id)] == ["failed"], "it is given up")
        (delivery,) = deliveries(intranet, task.id)
        again = intranet.client.post(f"/v1/tasks/{task.id}/webhooks/{delivery['delivery_id']}/replay")
        assert (again.status_code, again.json()["status"]) == (202, "pending")
        wait_until(lambda: deliveries(intranet, task.id)[0]["status"] == "delivered", "it is delivered")
    assert len({got.headers["webhook-id"] for got in receiver.received}) == 1


@pytest.mark.parametrize(
    "path", ["nothing/webhooks", "nothing/webhooks/nothing/replay", "{id}/webhooks/nothing/replay"]
)
def test_what_is_not_there_is_not_shown(door: Door, path: str) -> None:
    task_id = submit(door).json()["task_id"]
    url = f"/v1/tasks/{path.format(id=task_id)}"
    answer = door.client.post(url) if path.endswith("replay") else door.client.get(url)
    code = "delivery_not_found" if "{id}" in path else "task_not_found"
    assert (answer.status_code, answer.json()["code"]) == (404, code)


def test_a_task_without_a_webhook_has_no_deliveries(door: Door) -> None:
    task_id = submit(door).json()["task_id"]
    assert deliveries(door, task_id) == []
    assert door.client.get(f"/v1/tasks/{task_id}").json()["webhook"] is None


@pytest.mark.parametrize(
    "url",
    [
        " ", "http://example.com/", "https://127.0.0.1/", "https://localhost/", "https://169.254.169.254/",
        "https://[::ffff:7f00:1]/", "https://user:word@example.com/", "https://example.com:22/", "https://1.1/",
    ],
)  # fmt: skip
def test_an_address_that_may_not_be_told_is_refused_at_the_door(shared_door: Door, url: str) -> None:
    answer = submit(shared_door, webhook_url=url)
    assert (answer.status_code, answer.json()["code"]) == (422, "webhook_url_refused")
    assert answer.json()["context"]["field"] == "webhook_url"
    assert shared_door.kept() == [], "nothing is kept"


def test_a_name_that_resolves_to_this_machine_is_refused_at_the_door(open_door: Open) -> None:
    """``localhost`` is known; here the name of this machine's own hosts file says so."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, 443)
    except OSError:
        pytest.skip("this machine's name has no address")
    answer = submit(open_door(), webhook_url=f"https://{name}/")
    assert answer.json()["code"] == "webhook_url_refused"


def test_a_name_that_does_not_resolve_is_taken_and_tried_later(door: Door) -> None:
    """The door does not stay shut because a name server is away."""
    assert submit(door, webhook_url="https://hooks.invalid/").status_code == 202


@pytest.mark.parametrize(
    "texts",
    [
        {"webhook_events": '["failed"]'},
        {"webhook_url": "https://example.com", "webhook_events": "[]"},
        {"webhook_url": "https://example.com", "webhook_events": "failed"},
        {"webhook_url": "https://example.com", "webhook_events": '"failed"'},
        {"webhook_url": "https://example.com", "webhook_events": '["started"]'},
        {"webhook_url": "https://example.com", "webhook_events": '[["failed"], {}, 1, null]'},
        {"webhook_url": "https://example.com", "webhook_events": "[" * 16_000},
    ],
)
def test_events_that_do_not_exist_are_refused(shared_door: Door, texts: Mapping[str, str]) -> None:
    answer = submit(shared_door, **texts)
    assert (answer.status_code, answer.json()["code"]) == (422, "option_invalid")
    assert answer.json()["context"]["field"] == "webhook_events"


def test_the_same_key_with_another_webhook_is_another_request(intranet: Door) -> None:
    def send(**texts: str) -> httpx.Response:
        files = {name: (name, picture(seed=seed)) for seed, name in enumerate(("source", "target"))}
        data = {"consent": "true", **texts}
        return intranet.client.post("/v1/fuse", files=files, data=data, headers={"Idempotency-Key": "k"})

    first = send(webhook_url="https://hooks.invalid/a")
    assert send(webhook_url="https://hooks.invalid/a").json()["task_id"] == first.json()["task_id"]
    for other in ({}, {"webhook_url": "https://hooks.invalid/b"}):
        assert send(**other).json()["code"] == "idempotency_conflict"


def test_an_erased_task_is_told_to_nobody(intranet: Door) -> None:
    with Receiver(lambda *_: Reply(500)) as receiver:
        answer = submit(intranet, webhook_url=receiver.url())
        task = finished(intranet, answer)
        wait_until(lambda: bool(receiver.received), "it was tried once")
        assert intranet.client.delete(f"/v1/tasks/{task.id}").status_code == 200
    assert deliveries(intranet, task.id) == []
    assert intranet.client.get(f"/v1/tasks/{task.id}").json()["webhook"] is None


def test_an_event_that_happened_while_no_gateway_ran_is_told_by_the_next(open_door: Open) -> None:
    with Receiver() as receiver:
        silent = open_door(webhooks=INTRANET | {"interval": 3600.0})
        task = finished(silent, submit(silent, webhook_url=receiver.url()))
        assert deliveries(silent, task.id) == []
        next_one = open_door(webhooks=INTRANET)
        wait_until(lambda: bool(receiver.received), "the next gateway tells it")
        assert next_one.records.get("local", task.id) == task


def test_pending_deliveries_are_measured(intranet: Door) -> None:
    with Receiver(lambda *_: Reply(500)) as receiver:
        task = finished(intranet, submit(intranet, webhook_url=receiver.url()))
        wait_until(lambda: [len(d["attempts"]) for d in deliveries(intranet, task.id)] == [1], "it was tried once")
    text = intranet.client.get("/metrics").text
    assert "facefusion_webhooks_pending 1.0" in text
    assert "facefusion_webhooks_late_seconds 0.0" in text
    assert 'facefusion_webhook_attempts_total{outcome="5xx"} 1.0' in text


@pytest.mark.needs_server
def test_gateways_on_a_shared_database_need_a_secret_that_they_share(open_door: Open, postgres: PostgresServer) -> None:
    records = {"url": postgres.new_database()}
    without = submit(open_door(records=records), webhook_url="https://hooks.invalid/")
    assert (without.status_code, without.json()["context"]["reason"]) == (422, "no secret")
    shared = open_door(records=records, webhooks={"secrets": SECRET})
    assert submit(shared, webhook_url="https://hooks.invalid/").status_code == 202


def test_the_api_describes_the_fields(door: Door) -> None:
    schema = door.client.get("/openapi.json").json()
    for path in ("/v1/fuse", "/v1/faces", "/v1/templates", "/v1/batches"):
        asked = schema["paths"][path]["post"]
        form = asked["requestBody"]["content"]["multipart/form-data"]
        assert {"webhook_url", "webhook_events"} <= set(form["schema"]["properties"])
        assert form["encoding"]["webhook_events"] == {"contentType": "application/json"}
        assert "webhook_url_refused" in asked["responses"]["422"]["description"]
    assert "/v1/tasks/{task_id}/webhooks/{delivery_id}/replay" in schema["paths"]


def test_the_secret_is_beside_the_records(door: Door, tmp_path: Path) -> None:
    assert (tmp_path / "webhook.secret").read_text().startswith("whsec_")
