"""Arguments that cannot be: told by a class of the tree in both forms of the client, and nothing is sent."""

from __future__ import annotations

import asyncio
import inspect
import io
import math
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from tests.client.scripted import Said, Scripted, in_turn, saying, task

from facefleet.client import AsyncClient, AsyncTask, Client, Task
from facefleet.errors.base import FacefleetError
from facefleet.errors.input import FileUnreadable, OptionInvalid, RequestError, UploadMissing

Call = Callable[[Any], Any]

BATCH = {"batch_id": "b-1", "total": 1, "status": "running"}


@pytest.fixture
def server() -> Iterator[Scripted]:
    """Shows a task whatever it is asked."""
    with saying(in_turn(Said(200, task("running", 1) | BATCH))) as found:
        yield found


def by_threads(url: str, call: Call) -> object:
    with httpx.Client(trust_env=False, verify=False) as http, Client(url, http=http) as client:
        found = call(client)
        return next(found) if inspect.isgenerator(found) else found


def by_asyncio(url: str, call: Call) -> object:
    async def calling() -> object:
        async with httpx.AsyncClient(trust_env=False, verify=False) as http, AsyncClient(url, http=http) as client:
            found = call(client)
            return await (anext(found) if inspect.isasyncgen(found) else found)

    return asyncio.run(calling())


both = pytest.mark.parametrize("form", [by_threads, by_asyncio])


@both
@pytest.mark.parametrize("key", ["Ödön", "", "two words", "line\n", "x" * 256, 17], ids=ascii)
def test_a_key_that_no_header_can_have_is_refused(server: Scripted, form: Any, key: Any) -> None:
    with pytest.raises(OptionInvalid, match="idempotency_key must be 1 to 255 visible ASCII"):
        form(server.url, lambda client: client.fuse(b"a", b"b", consent=True, idempotency_key=key))
    assert server.heard == []


@both
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda c: c.fuse(None, b"b", consent=True), OptionInvalid, "source must be a photo"),
        (lambda c: c.fuse(b"a", 5, consent=True), OptionInvalid, "target must be a photo"),
        (lambda c: c.fuse(b"a", b"b", consent=True, more_sources=None), OptionInvalid, "more_sources must be a list"),
        (lambda c: c.fuse(b"a", b"b", consent=True, faces=[(0, 1)]), OptionInvalid, "FaceAssignment"),
        (lambda c: c.fuse(b"a", b"b", consent=True, strength=1j), OptionInvalid, "1j"),
        (lambda c: c.fuse(b"a", b"b", consent=True, wait=math.nan), OptionInvalid, "wait must be a number"),
        (lambda c: c.fuse(b"a", b"b", consent=True, wait=-1), OptionInvalid, "wait must be a number"),
        (lambda c: c.fuse(b"a", template=7, consent=True), OptionInvalid, "template must be a text"),
        (lambda c: c.fuse(b"a", b"b", consent=True, webhook_events=3), OptionInvalid, "webhook_events must be a list"),
        (lambda c: c.fuse(b"a", b"b", consent=True, webhook_url="\udc80"), OptionInvalid, "webhook_url must be a text"),
        (lambda c: c.fuse("a\0b", b"b", consent=True), FileUnreadable, "no path"),
        (lambda c: c.fuse(_closed(), b"b", consent=True), FileUnreadable, "closed"),
        (lambda c: c.faces(None), OptionInvalid, "image must be a photo"),
        (lambda c: c.faces(b"a", timeout=-1), OptionInvalid, "timeout must be a number"),
        (lambda c: c.register(None, consent=True), OptionInvalid, "image must be a photo"),
        (lambda c: c.register(b"a", consent=True, name=7), OptionInvalid, "name must be a text"),
        (lambda c: c.batch(consent=True, sources=None, target=b"b"), OptionInvalid, "sources must be a list"),
        (lambda c: c.batch(consent=True, sources=[None], target=b"b"), OptionInvalid, "source must be a photo"),
        (lambda c: c.batch(consent=True, source=b"a", templates=[None]), OptionInvalid, "template must be a text"),
        (lambda c: c.batch(consent=True, source=b"a"), UploadMissing, "nothing to fuse into"),
        (lambda c: c.task(None), OptionInvalid, "task_id must be a text"),
        (lambda c: c.task(""), OptionInvalid, "task_id is empty"),
        (lambda c: c.template("\udc80"), OptionInvalid, "template_id must be a text"),
        (lambda c: c.get_batch(7), OptionInvalid, "batch_id must be a text"),
        (lambda c: c.tasks(state=7), OptionInvalid, "state must be a text"),
        (lambda c: c.usage("yesterday"), OptionInvalid, "from must be a date"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused_and_nothing_is_sent(
    server: Scripted, form: Any, call: Call, error: type[FacefleetError], words: str
) -> None:
    with pytest.raises(error, match=words):
        form(server.url, call)
    assert server.heard == []


def _closed() -> io.BytesIO:
    found = io.BytesIO(b"a")
    found.close()
    return found


@pytest.mark.parametrize("cls", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("given", "option"),
    [
        ({"timeout": -1}, "timeout"), ({"timeout": math.nan}, "timeout"), ({"timeout": math.inf}, "timeout"),
        ({"timeout": "30"}, "timeout"),
        ({"url": "notaurl"}, "url"), ({"url": ""}, "url"), ({"url": "ftp://x"}, "url"), ({"url": "http://"}, "url"),
        ({"url": "http://a:99999"}, "url"), ({"url": "http://[::1"}, "url"), ({"url": "http://a/?b=c"}, "url"),
        ({"url": None}, "url"),
        ({"api_key": "schlüssel"}, "api_key"), ({"api_key": "key\n"}, "api_key"),
        ({"http": "not a client"}, "http"),
    ],
    ids=str,
)  # fmt: skip
def test_a_client_that_could_not_work_is_not_made(cls: Any, given: dict[str, Any], option: str) -> None:
    with pytest.raises(OptionInvalid) as caught:
        cls(**given)
    assert caught.value.detail == {"option": option}
    assert "schlüssel" not in caught.value.message


def test_a_client_of_the_other_form_is_refused() -> None:
    with httpx.Client() as http, pytest.raises(OptionInvalid, match=r"httpx\.AsyncClient"):
        AsyncClient(http=http)  # type: ignore[arg-type]


def test_a_password_in_an_address_is_not_told() -> None:
    with pytest.raises(OptionInvalid) as caught:
        Client("ftp://anna:secret@host")
    assert "secret" not in caught.value.message
    assert "host" in caught.value.message


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "https://anna:secret@host/under/", "http://[::1]:8080"])
def test_an_address_is_taken(url: str) -> None:
    with Client(url) as client:
        assert isinstance(client, Client)


def test_a_closed_client_says_so(server: Scripted) -> None:
    client = Client(server.url)
    made = client.task("t-1")
    client.close()
    for call in (lambda: client.fuse(b"a", b"b", consent=True), lambda: made.wait(1.0), lambda: list(client.tasks())):
        with pytest.raises(RequestError, match="client is closed"):
            call()
    assert len(server.heard) == 1


def test_a_closed_client_for_asyncio_says_so(server: Scripted) -> None:
    async def calling() -> None:
        client = AsyncClient(server.url)
        made = await client.task("t-1")
        await client.aclose()
        for waited in (client.fuse(b"a", b"b", consent=True), made.wait(1.0), made.image()):
            with pytest.raises(RequestError, match="client is closed"):
                await waited

    asyncio.run(calling())
    assert len(server.heard) == 1


@both
@pytest.mark.parametrize("timeout", [-1, math.nan, None])
def test_a_wait_that_no_clock_could_end_is_refused(server: Scripted, form: Any, timeout: Any) -> None:
    def waits(client: Client | AsyncClient) -> Any:
        return _async_wait(client, timeout) if isinstance(client, AsyncClient) else client.task("t-1").wait(timeout)

    with pytest.raises(OptionInvalid, match="timeout must be a number"):
        form(server.url, waits)
    assert len(server.heard) == 1


async def _async_wait(client: AsyncClient, timeout: Any) -> AsyncTask:
    return await (await client.task("t-1")).wait(timeout)


def test_events_outlive_a_server_without_streams() -> None:
    answers = in_turn(Said(200, task("running", 1)), Said(404, None), Said(200, task("succeeded", 2)))
    with saying(answers) as server, httpx.Client(trust_env=False, verify=False) as http:
        found: Task = Client(server.url, http=http).task("t-1")
        assert [event.name for event in found.events()] == ["running", "succeeded"]
