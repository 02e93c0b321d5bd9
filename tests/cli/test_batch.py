"""``batch``, ``batches``, ``templates`` and ``submit --template``, a real gateway, and a worker's handler beside it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from threading import Event, Thread
from zipfile import ZipFile

import pytest
from tests.client.conftest import admiral, client, door, engine, open_door, woman, work
from tests.client.scripted import Said, saying
from tests.gateway.conftest import Door, Work, picture
from tests.servers import wait_until

from facefleet.client import Client
from facefleet.media.sniff import ImageType, sniff

from .conftest import SCRIPT, Ended, Run

__all__ = ["admiral", "client", "door", "engine", "open_door", "woman", "work"]

pytestmark = pytest.mark.needs_server

Ask = Callable[..., Ended]


@pytest.fixture
def worker(door: Door, work: Work) -> Iterator[None]:
    """Does what is queued, as it comes."""
    over = Event()

    def working() -> None:
        while not over.wait(0.05):
            work(door)

    thread = Thread(target=working)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.fixture
def ask(run: Run, door: Door) -> Ask:
    """Runs a command against the gateway."""
    return partial(run, FACEFLEET_CLIENT__URL=str(door.client.base_url))


def test_a_campaign_from_its_template_to_its_pictures(
    ask: Ask, client: Client, worker: None, woman: bytes, admiral: bytes, tmp_path: Path
) -> None:
    (tmp_path / "selfies").mkdir()
    (tmp_path / "selfies" / "anna.png").write_bytes(woman)
    (tmp_path / "selfies" / "nobody.jpg").write_bytes(picture())
    (tmp_path / "poster.jpg").write_bytes(admiral)
    template_id = ask("templates", "add", "poster.jpg", "--name", "poster").out.strip()
    assert client.template(template_id).status == "ready"
    lone = ask("submit", "selfies/anna.png", "--template", template_id, "-o", "one.jpg", "--json")
    assert lone.document["status"] == "succeeded"
    wrong = ask("submit", "selfies/anna.png", "--template", template_id, "-o", "one.png", "--json")
    assert (wrong.status, wrong.error["code"]) == (2, "option_invalid")
    command = ("batch", "selfies", "--template", template_id, "-o", "out")
    done = ask(*command, "--json")
    assert done.status == 1, "one of them has no face"
    assert [(one["input"], one["output"], one["status"]) for one in done.document["items"]] == [
        ("selfies/anna.png", "out/anna.jpg", "succeeded"), ("selfies/nobody.jpg", None, "failed"),
    ]  # fmt: skip
    assert done.document["items"][1]["error"]["code"] == "face_not_found"
    assert (done.document["status"], done.document["counts"]["succeeded"]) == ("ended", 1)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["anna.jpg"]
    assert sniff((tmp_path / "out" / "anna.jpg").read_bytes()).type is ImageType.JPEG
    again = ask(*command, "--json")
    assert (again.status, again.error["code"]) == (1, "file_exists")
    assert len(list(client.batches())) == 1, "it is told before anything is sent"
    plain = ask(*command, "--force")
    assert plain.status == 1
    assert plain.out.startswith("out: 1 of 2 done in ")
    assert plain.err.startswith("selfies/nobody.jpg: No face")
    shown = ask("templates", "show", template_id, "-o", "copy.jpg", "--json").document
    assert (shown["name"], len(shown["faces"])) == ("poster", 1)
    assert (tmp_path / "copy.jpg").read_bytes() == admiral
    assert "poster" in ask("templates", "list").out
    both = ask("templates", "delete", template_id, "nope", "--json")
    assert [one["status"] for one in both.document["templates"]] == ["deleted"]
    assert [one["detail"]["template_id"] for one in both.document["errors"]] == ["nope"]


def test_a_batch_is_submitted_looked_at_canceled_and_erased(
    ask: Ask, client: Client, door: Door, work: Work, woman: bytes, admiral: bytes, tmp_path: Path
) -> None:
    (tmp_path / "anna.png").write_bytes(woman)
    (tmp_path / "poster.jpg").write_bytes(admiral)
    made = ask("batch", "poster.jpg", "poster.jpg", "--source", "anna.png", "--strength", "0.9").out.strip()
    late = ask("batches", "wait", made, "--timeout", "0.3", "--json")
    assert (late.status, late.error["code"]) == (1, "wait_timeout")
    assert work(door) == 2
    assert "2 succeeded" in ask("batches", "wait", made, "-o", "all.zip").out
    with ZipFile(tmp_path / "all.zip") as file:
        assert file.namelist() == ["0000.jpg", "0001.jpg", "results.json"]
    there = ask("batches", "show", made, "-o", "all.zip", "--json")
    assert (there.status, there.error["code"]) == (1, "file_exists")
    other = client.batch(source=woman, target=admiral, consent=True)
    assert ask("batches", "cancel", other.id).out == f"{other.id} is canceled\n"
    assert ask("batches", "erase", made).out == f"{made} is erased\n"
    assert [one["status"] for one in ask("batches", "list", "--json").document["batches"]] == ["canceled", "canceled"]


def test_what_cannot_be_makes_no_batch(ask: Ask, client: Client, tmp_path: Path) -> None:
    (tmp_path / "anna.jpg").write_bytes(picture())
    (tmp_path / "text.jpg").write_bytes(b"text")
    wrong = ask("batch", "anna.jpg", "text.jpg", "--source", "anna.jpg", "--json")
    assert (wrong.status, wrong.error["code"]) == (1, "image_type_unsupported")
    assert wrong.error["message"].startswith("text.jpg: ")
    unknown = ask("batch", "anna.jpg", "--template", "01a20000-0000-7000-8000-000000000000", "-o", "out", "--json")
    assert (unknown.status, unknown.error["code"]) == (1, "template_not_found")
    both = ask("submit", "anna.jpg", "anna.jpg", "--template", "t", "--json")
    assert (both.status, both.error["code"]) == (2, "request_invalid")
    assert list(client.batches()) == []


def test_a_photo_that_only_the_server_refuses_is_named(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "small.jpg").write_bytes(picture(60, 60))
    (tmp_path / "large.jpg").write_bytes(picture())
    done = ask(
        "batch", "large.jpg", "small.jpg", "--target", "large.jpg", "--json", FACEFLEET_IMAGES__MIN_SIDE="16"
    )  # fmt: skip
    assert (done.error["code"], done.error["detail"]["number"]) == ("image_too_small", 1)
    assert done.error["message"].startswith("small.jpg: ")


def test_nobody_at_the_address_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture())
    done = run("batch", "a.jpg", "--target", "a.jpg", "-o", "out", "--url", "http://127.0.0.1:1", "--json")
    assert (done.status, done.error["code"]) == (1, "server_unreachable")


Begin = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def begin(environment: Mapping[str, str], tmp_path: Path) -> Begin:
    """Begins to wait for a batch at a server."""
    (tmp_path / "a.jpg").write_bytes(picture())

    def begun(url: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [SCRIPT, "batch", "a.jpg", "--target", "a.jpg", "-o", "out", "--url", url],
            cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return begun


def test_a_batch_may_be_canceled_while_it_is_waited_for(
    begin: Begin, door: Door, client: Client, tmp_path: Path
) -> None:
    waiting = begin(str(door.client.base_url))
    wait_until(lambda: any(True for _ in client.batches()), "it is there", 30)
    next(client.batches()).cancel()
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, err) == (1, "a.jpg: It is canceled. [task_failed]\n")
    assert out.startswith("out: 0 of 1 done")
    assert list((tmp_path / "out").iterdir()) == []


def test_whoever_stops_waiting_is_told_how_to_go_on(begin: Begin, tmp_path: Path) -> None:
    shown = Said(200, {"batch_id": "b-1", "total": 1, "status": "running"})
    with saying(lambda _: shown) as server:
        waiting = begin(server.url)
        wait_until(lambda: any(heard.method == "GET" for heard in server.heard), "it waits", 30)
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=30)
    again = f"facefleet batches wait b-1 -o b-1.zip --url {server.url}"
    assert (waiting.returncode, out, err) == (130, "", f"The batch goes on: {again}\n")
    assert list((tmp_path / "out").iterdir()) == []
