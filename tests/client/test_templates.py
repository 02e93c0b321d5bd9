"""Faces and templates by the client, a real gateway, and a real worker's handler on its records."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import httpx
import pytest
from tests.client.conftest import begin, fail, watchers
from tests.gateway.conftest import Door, Work
from tests.servers import wait_until

from facefleet.client import AsyncClient, Client, Face, Template
from facefleet.errors.client import WaitTimeout
from facefleet.errors.conflict import TemplateFailed, TemplateNotReady
from facefleet.errors.input import ConsentRequired, FaceNotFound, ImageTypeUnsupported, OptionInvalid, RequestError
from facefleet.errors.lookup import TemplateNotFound

pytestmark = pytest.mark.needs_server


@contextmanager
def beside(act: Callable[[], object], door: Door, how: str = "wait") -> Iterator[None]:
    """Something happens as soon as somebody waits at the gateway."""

    def acting() -> None:
        wait_until(lambda: watchers(door, how) == 1, "somebody waits")
        act()

    thread = Thread(target=acting)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_the_faces_of_a_photo_are_values(client: Client, door: Door, work: Work, woman: bytes) -> None:
    with beside(lambda: work(door), door):
        found = client.faces(woman)
    (face,) = found
    assert isinstance(face, Face)
    assert (face.index, face.usable_as_source, face.usable_as_target, face.reasons) == (0, True, True, ())
    assert face.box.x < face.landmarks5[0][0] < face.box.x + face.box.width
    assert abs(face.pose.yaw) < 35
    assert 0.5 < face.score <= 1.0
    assert face.raw["box"]["height"] == face.box.height
    (task,) = client.tasks(kind="detect")
    assert "tiles" not in task.view.options or task.view.options["tiles"] is False


def test_a_photo_without_a_face_has_an_empty_list_and_no_photo_is_refused(
    client: Client, door: Door, work: Work, photo: bytes
) -> None:
    with beside(lambda: work(door), door):
        assert client.faces(photo, tiles=True) == []
    with pytest.raises(ImageTypeUnsupported) as caught:
        client.faces(b"no photo")
    assert caught.value.detail["field"] == "image"
    with pytest.raises(WaitTimeout):
        client.faces(photo, timeout=0.3)


def test_a_template_is_registered_used_listed_and_deleted(
    client: Client, door: Door, work: Work, woman: bytes, admiral: bytes
) -> None:
    made = client.register(admiral, consent=True, name="poster", idempotency_key="poster-1")
    assert (made.status, made.faces, made.error) == ("preparing", (), None)
    with pytest.raises(WaitTimeout):
        made.wait(0.2)
    with pytest.raises(TemplateNotReady):
        client.fuse(woman, template=made, consent=True)
    with beside(lambda: work(door), door, "events"):
        assert made.wait() is made
    assert (made.status, [face.index for face in made.faces], made.view.name) == ("ready", [0], "poster")
    assert (made.view.media_type, made.view.bytes) == ("image/jpeg", len(admiral))
    assert made.image() == admiral
    assert client.register(admiral, consent=True, name="poster", idempotency_key="poster-1").id == made.id
    assert client.template(made.id).view == made.view
    fused = [client.fuse(woman, template=one, consent=True) for one in (made, made.id)]
    assert {task.refresh().view.template_id for task in fused} == {made.id}
    assert work(door) == 2
    assert [task.wait().status for task in fused] == ["succeeded", "succeeded"]
    with pytest.raises(OptionInvalid):
        client.fuse(woman, template=made, tiles=True, consent=True)
    other = client.register(admiral, consent=True)
    assert [one.id for one in client.templates()] == [other.id, made.id]
    assert other.delete().status == "deleted"
    receipt = made.delete()
    assert (receipt.template_id, receipt.status, made.delete().status) == (made.id, "deleted", "deleted")
    assert receipt.deleted_at is not None
    assert list(client.templates()) == []
    for gone in (made.refresh, made.image, lambda: client.template(made.id)):
        with pytest.raises(TemplateNotFound):
            gone()


def test_a_template_that_fails_is_an_error_of_its_class(client: Client, door: Door, photo: bytes) -> None:
    made = client.register(photo, consent=True)
    no_face = FaceNotFound("No face was found in the photo.", image="image")
    with beside(lambda: fail(door, made.view.task_id, no_face), door, "events"), pytest.raises(FaceNotFound) as caught:
        made.wait()
    assert caught.value.detail == {"image": "image", "template_id": made.id}
    assert made.error is not None
    assert (made.status, made.error.code) == ("failed", "face_not_found")
    with pytest.raises(TemplateFailed):
        client.fuse(photo, template=made, consent=True)


def test_a_template_that_is_deleted_ends_a_wait(client: Client, door: Door, photo: bytes) -> None:
    made = client.register(photo, consent=True)
    begin(door, made.view.task_id)
    with beside(made.delete, door, "events"), pytest.raises(TemplateNotFound):
        Template(made._transport, made.view).wait()


def test_what_cannot_be_is_told_before_anything_is_sent(client: Client, door: Door, photo: bytes) -> None:
    consent: Any = None
    with pytest.raises(ConsentRequired):
        client.register(photo, consent=consent)
    with pytest.raises(RequestError, match="not both"):
        client.fuse(photo, photo, template="t", consent=True)
    assert door.kept() == []


def test_the_client_for_asyncio_registers_and_finds_faces_too(
    door: Door, work: Work, admiral: bytes, photo: bytes
) -> None:
    async def journey() -> None:
        async with (
            httpx.AsyncClient(trust_env=False, verify=False) as http,
            AsyncClient(str(door.client.base_url), http=http) as client,
        ):
            made = await client.register(admiral, consent=True)
            looking = asyncio.create_task(client.faces(photo))
            waiting = asyncio.create_task(made.wait())
            await asyncio.to_thread(wait_until, lambda: watchers(door, "events") + watchers(door, "wait") == 2, "both")
            assert await asyncio.to_thread(work, door) == 2
            assert await looking == []
            await waiting
            batch = await client.batch(source=photo, templates=[made, made.id], consent=True)
            assert [task.view.item async for task in batch.tasks()] == [0, 1]
            assert [one.id async for one in client.batches()] == [batch.id]
            assert (await (await batch.cancel()).wait()).counts["canceled"] == 2
            assert (await batch.erase()).status == "erased"
            assert [one.id async for one in client.templates()] == [made.id]
            assert (await made.delete()).status == "deleted"

    asyncio.run(journey())
