"""What goes wrong on the way: bad files, a worker or gateway that dies, a network that is away, two tabs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Route, expect
from tests.page.conftest import FUSED_MS, Visit, Visitor
from tests.servers import wait_until
from tests.system.conftest import Running, data, photos, service

from facefleet.tasks.transitions import State

__all__ = ["data", "photos", "service"]  # fixtures
pytestmark = [pytest.mark.needs_server, pytest.mark.page]


@contextmanager
def standing_still(service: Running) -> Iterator[None]:
    """A worker that does not move."""
    worker = service.pids()["worker"]
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def small(path: Path) -> None:
    cv2.imwrite(str(path), np.full((20, 20, 3), 128, np.uint8))


def text(path: Path) -> None:
    path.write_text("not a photo")


def bitmap(path: Path) -> None:
    done, data = cv2.imencode(".bmp", np.full((200, 200, 3), 128, np.uint8))
    assert done
    path.write_bytes(data.tobytes())


def torn(path: Path) -> None:
    done, data = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8))
    assert done
    path.write_bytes(data.tobytes()[: len(data) // 3])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (small, "too small"), (text, "cannot be opened"),
        (bitmap, "not a JPEG, PNG, WebP or AVIF"), (torn, "damaged|opened"),
    ],
)  # fmt: skip
def test_a_bad_file_is_told_in_words(visitor: Visit, tmp_path: Path, make: object, words: str) -> None:
    assert callable(make)
    path = tmp_path / "photo.jpg"
    make(path)
    visitor.put("target", "grace_hopper")
    visitor.put("source", path)
    problems = visitor.page.locator(".problem:not([hidden])")
    if problems.count() == 0:  # the browser could show it, and a gateway that finds no faces has not looked
        visitor.fuse()
    expect(problems.first).to_be_visible(timeout=30_000)
    assert any(word in problems.first.inner_text() for word in words.split("|"))


def test_a_worker_that_is_killed_at_work_costs_only_time(
    visitors: Visitor, service: Running, photos: tuple[bytes, bytes], tmp_path: Path
) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(photos[1])
    visit = visitors(service).open().choose(target=large).fuse()
    wait_until(lambda: service.task(visit.task_id).state is State.RUNNING, "it runs", 30)
    service.kill("worker")
    visit.finished()
    assert service.task(visit.task_id).fence > 1


def test_a_gateway_that_is_killed_while_the_page_follows_costs_only_time(visitors: Visitor, service: Running) -> None:
    visit = visitors(service).open().choose()
    with standing_still(service):
        assert visit.fuse().task_id
        service.kill("gateway")
        expect(visit.page.locator("#outcome")).to_contain_text("cannot be reached")
    visit.finished()
    assert len(visit.tasks()) == 1


def test_offline_is_told_and_the_upload_goes_on_when_it_is_over(visitor: Visit) -> None:
    before = len(visitor.tasks())
    visitor.choose()
    visitor.page.context.set_offline(True)
    expect(visitor.page.locator("#connection")).to_contain_text("offline")
    visitor.fuse()
    expect(visitor.page.locator("#outcome")).to_contain_text("Trying again")
    visitor.page.context.set_offline(False)
    visitor.finished()
    expect(visitor.page.locator("#connection")).to_be_hidden()
    assert len(visitor.tasks()) == before + 1


def test_an_answer_lost_on_its_way_makes_no_second_task(visitor: Visit) -> None:
    before = len(visitor.tasks())
    sent: list[str] = []

    def lose_the_first(route: Route) -> None:
        sent.append(route.request.headers["idempotency-key"])
        if len(sent) > 1:
            route.continue_()
            return
        route.fetch()
        route.abort("connectionreset")

    visitor.page.route("**/v1/fuse", lose_the_first)
    visitor.choose().fuse().finished()
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert len(visitor.tasks()) == before + 1


def test_events_that_a_proxy_blocks_are_replaced_by_asking(visitor: Visit) -> None:
    visitor.page.route("**/events", lambda route: route.abort())
    visitor.choose().fuse().finished()


def test_events_that_a_proxy_holds_back_are_replaced_by_asking(visitor: Visit) -> None:
    visitor.page.route("**/events", lambda route: None)
    visitor.choose().fuse().finished()


def test_a_reload_goes_on_with_the_task(visitors: Visitor, shared_service: Running) -> None:
    visit = visitors(shared_service).open().choose()
    with standing_still(shared_service):
        task_id = visit.fuse().task_id
        visit.page.reload()
        expect(visit.page.locator("#outcome h2")).to_have_text("Waiting")
    visit.finished()
    assert visit.task_id == task_id


def test_photos_are_sent_without_waiting_for_their_faces(visitors: Visitor, shared_service: Running) -> None:
    visit = visitors(shared_service).open()
    with standing_still(shared_service):
        for part, sample in (("source", "astronaut"), ("target", "grace_hopper")):
            visit.page.set_input_files(f"#{part} input[type=file]", visit.samples[sample])
            expect(visit.page.locator(f"#{part} .frame.looking")).to_be_visible()
        assert visit.fuse().task_id
    visit.finished()


def test_a_task_can_be_canceled_while_it_waits(visitors: Visitor, shared_service: Running) -> None:
    visit = visitors(shared_service).open().choose()
    with standing_still(shared_service):
        visit.fuse()
        expect(visit.page.locator("#outcome h2")).to_have_text("Waiting")
        task_id = visit.task_id
        visit.page.get_by_role("button", name="Cancel").click()
        expect(visit.page.locator("#outcome")).to_contain_text("Nothing was made")
    assert shared_service.task(task_id).state is State.CANCELED
    visit.page.get_by_role("button", name="Back to the photos").click()
    expect(visit.page.locator("#source img")).to_be_visible()


def test_two_tabs_fuse_side_by_side_and_share_their_recent_results(visitors: Visitor, shared_service: Running) -> None:
    first = visitors(shared_service).open().choose()
    second = visitors(shared_service, first.page.context).open().choose(source="portrait_man")
    first.fuse()
    second.fuse()
    first.finished()
    second.finished()
    assert first.task_id != second.task_id
    expect(first.page.locator("#recent a")).to_have_count(2)
    first.page.get_by_role("button", name="Erase").click()
    first.page.get_by_role("button", name="Erase now").click()
    expect(second.page.locator("#recent a")).to_have_count(1)
    expect(second.page.locator(".comparison")).to_be_visible()


def test_a_link_that_was_copied_opens_the_result(visitors: Visitor, shared_service: Running) -> None:
    visit = visitors(shared_service).open().choose().fuse()
    visit.finished()
    other = visitors(shared_service).open(f"/#task={visit.task_id}")
    other.finished()
    assert other.page.locator(".divider").count() == 0  # the original is not there any more
    gone = visitors(shared_service).open("/#task=01900000-0000-7000-8000-000000000000")
    expect(gone.page.locator("#outcome .problem")).to_contain_text("not here any more")


def test_a_code_of_a_newer_server_is_told_in_the_servers_words(visitor: Visit) -> None:
    problem = {
        "code": "moon_in_the_way",
        "detail": "The moon is in the way; wait until it has set.",
        "retryable": False,
    }
    headers = {"x-request-id": "0123456789abcdef"}
    visitor.page.route("**/v1/fuse", lambda route: route.fulfill(status=409, json=problem, headers=headers))
    visitor.choose().fuse()
    found = visitor.page.locator("#outcome .problem")
    expect(found).to_contain_text("The moon is in the way")
    expect(found).to_contain_text("0123456789abcdef")


def test_a_photo_is_taken_with_the_camera(visitor: Visit) -> None:
    visitor.page.locator("#source").get_by_role("button", name="Take a photo").click()
    visitor.page.wait_for_function("() => document.querySelector('video')?.videoWidth > 0")
    visitor.page.get_by_role("button", name="Take it").click()
    expect(visitor.page.locator("#source .frame img")).to_be_visible()
    expect(visitor.page.locator("dialog")).to_have_count(0)


@pytest.mark.parametrize(("event", "carrier"), [("drop", "dataTransfer"), ("paste", "clipboardData")])
def test_a_photo_is_dropped_or_pasted(visitor: Visit, event: str, carrier: str) -> None:
    photo = list(visitor.samples["astronaut"].read_bytes())
    visitor.page.evaluate(
        """([photo, kind, carrier]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(photo)], "photo.png", { type: "image/png" }));
            const event = kind === "drop" ? new DragEvent(kind, { bubbles: true, dataTransfer: data })
                : new ClipboardEvent(kind, { bubbles: true, clipboardData: data });
            document.querySelector("#source .empty").dispatchEvent(event);
        }""",
        [photo, event, carrier],
    )
    expect(visitor.page.locator("#source .frame img")).to_be_visible(timeout=FUSED_MS)
