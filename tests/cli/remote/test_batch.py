"""``batch``, ``batches``, ``templates`` and ``submit --template``, a real gateway, and a worker's handler beside it."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from threading import Event, Thread
from zipfile import ZipFile

import pytest
from tests.cli.conftest import SCRIPT, Ended, Run
from tests.client.conftest import admiral, client, door, engine, open_door, woman, work
from tests.client.scripted import Heard, Said, saying
from tests.gateway.conftest import Door, Work, picture
from tests.servers import wait_until

from facefleet.cli.remote.result_names import save_names
from facefleet.client import Client
from facefleet.media.sniff import ImageType, sniff

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


Begin = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def begin(environment: Mapping[str, str], tmp_path: Path) -> Begin:
    """Begins to wait for a batch at a server."""
    (tmp_path / "a.jpg").write_bytes(picture())

    def begun(url: str, *more: str) -> subprocess.Popen[str]:
        photos = more or ("a.jpg",)
        return subprocess.Popen(
            [SCRIPT, "batch", *photos, "--target", "a.jpg", "-o", "out", "--url", url],
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
    again = f"facefleet batches wait b-1 -o out --url {server.url}"
    assert (waiting.returncode, out, err) == (130, "", f"The batch goes on: {again}\n")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".facefleet-b-1.json"]


def test_whoever_was_stopped_goes_on_into_the_same_folder(
    begin: Begin, ask: Ask, door: Door, client: Client, work: Work, woman: bytes, admiral: bytes, tmp_path: Path
) -> None:
    (tmp_path / "anna.png").write_bytes(woman)
    (tmp_path / "ben.png").write_bytes(woman)
    (tmp_path / "a.jpg").write_bytes(admiral)
    url = str(door.client.base_url)
    waiting = begin(url, "anna.png", "ben.png", "--json")
    wait_until(lambda: any((tmp_path / "out").glob(".facefleet-*.json")), "it waits", 30)
    waiting.send_signal(signal.SIGINT)
    stopped = json.loads(waiting.communicate(timeout=30)[0])["error"]
    made = next(client.batches())
    assert (waiting.returncode, stopped["code"], stopped["detail"]["batch_id"]) == (130, "interrupted", made.id)
    command = shlex.split(stopped["detail"]["command"])
    assert command == ["facefleet", "batches", "wait", made.id, "-o", "out", "--url", url]
    assert work(door) == 2
    early = ask("batches", "show", made.id, "-o", "out", "--json").document
    assert [one["output"] for one in early["items"]] == ["out/anna.jpg", "out/ben.jpg"], "it has ended by now"
    (tmp_path / "out" / "ben.jpg").unlink()
    written = (tmp_path / "out" / "anna.jpg").stat().st_mtime_ns
    save_names(tmp_path / "out", made.id, ["anna.jpg", "ben.jpg"])
    done = ask(*command[1:])
    assert (done.status, done.err) == (0, "")
    assert done.out == f"out: 2 of 2 done (batch {made.id})\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["anna.jpg", "ben.jpg"]
    assert (tmp_path / "out" / "anna.jpg").stat().st_mtime_ns == written, "what is whole is not written again"
    (tmp_path / "out" / "anna.jpg").write_bytes(b"mine")
    save_names(tmp_path / "out", made.id, ["anna.jpg", "ben.jpg"])
    taken = ask(*command[1:], "--json")
    assert (taken.status, taken.document["items"][0]["error"]["code"]) == (1, "file_exists")
    assert (tmp_path / "out" / "anna.jpg").read_bytes() == b"mine"
    assert ask(*command[1:], "--force").status == 0
    assert sniff((tmp_path / "out" / "anna.jpg").read_bytes()).type is ImageType.JPEG


def test_a_batch_of_somebody_else_is_named_by_its_numbers(
    ask: Ask, door: Door, client: Client, work: Work, woman: bytes, admiral: bytes, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    made = client.batch(sources=[woman, picture()], target=admiral, consent=True)
    work(door)
    done = ask("batches", "wait", made.id, "-o", "out")
    assert (done.status, [path.name for path in (tmp_path / "out").iterdir()]) == (1, ["0000.jpg"])
    assert done.err.startswith("item 1: No face")


Answer = Callable[[Heard], Said]


@pytest.mark.parametrize(
    ("command", "kind", "go_on"),
    [
        (["templates", "add", "a.jpg"], "template", "templates wait p-1"),
        (["templates", "wait", "p-1"], "template", "templates wait p-1"),
        (["submit", "a.jpg", "a.jpg", "-o", "b.jpg", "--force"], "task", "wait t-1 -o b.jpg --force"),
        (["wait", "t-1"], "task", "wait t-1"),
        (["events", "t-1"], "task", "events t-1"),
        (["batches", "wait", "b-1", "-o", "b.zip"], "batch", "batches wait b-1 -o b.zip"),
    ],
    ids=lambda one: " ".join(one[:2]) if isinstance(one, list) else "",
)
@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["plain", "json"])
def test_ctrl_c_tells_what_goes_on_and_how(
    environment: Mapping[str, str], tmp_path: Path, command: list[str], kind: str, go_on: str, flags: list[str]
) -> None:
    (tmp_path / "a.jpg").write_bytes(picture())
    shown = {
        "task_id": "t-1", "batch_id": "b-1", "template_id": "p-1", "total": 1, "status": "preparing", "version": 1,
        "links": {},
    }  # fmt: skip
    looks = ("/v1/tasks/t-1", "/v1/batches/b-1")

    def answer(heard: Heard) -> Said:
        return Said(404, None) if heard.path.endswith("/events") else Said(200, shown)

    with saying(answer) as server:
        waiting = subprocess.Popen(
            [SCRIPT, *command, "--url", server.url, *flags],
            cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        wait_until(lambda: sum(heard.path in looks for heard in list(server.heard)) >= 2, "it waits", 30)
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=30)
    again = f"facefleet {go_on} --url {server.url}"
    assert waiting.returncode == 130
    if not flags:
        assert (out.replace("   1    0%  preparing\n", ""), err) == ("", f"The {kind} goes on: {again}\n")
        return
    error = json.loads(out)["error"]
    given_id = {"task": "t-1", "batch": "b-1", "template": "p-1"}[kind]
    assert err == ""
    assert (error["code"], error["detail"]) == ("interrupted", {f"{kind}_id": given_id, "command": again})


def test_a_wait_that_ends_too_soon_says_how_to_go_on(ask: Ask, client: Client, door: Door, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture())
    late = ask("templates", "add", "a.jpg", "--timeout", "0.3", "--json").error
    template = next(client.templates())
    assert late["code"] == "wait_timeout"
    assert late["detail"] == {"template_id": template.id, "command": f"facefleet templates wait {template.id}"}
    assert late["message"].endswith(f"To go on: facefleet templates wait {template.id}")


def test_a_template_that_fails_is_named(ask: Ask, client: Client, worker: None, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture())
    done = ask("templates", "add", "a.jpg")
    template = next(client.templates())
    assert done.status == 1
    assert done.err.startswith(f"error: The template {template.id} has failed: No face")
    assert ask("templates", "wait", template.id, "--json").error["detail"]["template_id"] == template.id


def test_what_is_attested_beside_the_yes_is_sent(ask: Ask, client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture())
    said = ("--consent-reference", "consent-2041", "--own-photo", "--guardian", "--json")
    task_id = ask("submit", "a.jpg", "a.jpg", *said).document["task_id"]
    batch_id = ask("batch", "a.jpg", "--source", "a.jpg", *said).document["batch_id"]
    views = [client.task(task_id).view, *(task.view for task in client.tasks(batch=batch_id))]
    assert len(views) == 2
    for view in views:
        assert view.consent is not None
        assert [view.consent[name] for name in ("reference", "own_photo", "guardian")] == ["consent-2041", True, True]
