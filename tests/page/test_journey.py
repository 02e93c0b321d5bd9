"""A visitor without code fuses two photos, and erases them; short enough for every run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.page.conftest import Visit, Visitor
from tests.system.conftest import Running

from facefleet.media.sniff import sniff
from facefleet.tasks.transitions import State

pytestmark = pytest.mark.needs_server

BEYOND_ENGINE_SECONDS = 5.0
_WIDTH = "image => image.naturalWidth"


def test_a_visitor_fuses_two_photos_looks_downloads_and_erases(
    visitors: Visitor, shared_service: Running, tmp_path: Path
) -> None:
    before = engine_seconds(shared_service)
    visit = visitors(shared_service)
    began = time.monotonic()
    visit.open().choose().fuse()
    found = visit.finished()
    took = time.monotonic() - began
    task = shared_service.task(visit.task_id)
    engine = engine_seconds(shared_service) - before
    print(f"\nfirst picture from a cold page: {took:.2f} s, of which the engine {engine:.2f} s")
    assert took - engine <= BEYOND_ENGINE_SECONDS

    target = sniff(visit.samples["grace_hopper"].read_bytes())
    assert found.locator(".after img").evaluate(_WIDTH) == target.width
    assert found.locator(".before img").evaluate(_WIDTH) == target.width
    with visit.page.expect_download() as download:
        visit.page.get_by_role("link", name="Download").click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    assert sniff(saved.read_bytes()).width == target.width
    assert b"AIGC" in saved.read_bytes()

    erase(visit)
    assert shared_service.task(task.id).erased_at is not None
    assert shared_service.http.get(f"/v1/tasks/{task.id}/result").json()["code"] == "result_unavailable"


def engine_seconds(service: Running) -> float:
    """Of the fusion, and of the looks for faces before it: all that the service has done so far."""
    tasks = service.http.get("/v1/tasks?limit=100").json()["tasks"]
    spent: list[float] = [ms for task in tasks for step, ms in task["timings_ms"].items() if step != "queued"]
    return sum(spent) / 1000


def erase(visit: Visit) -> None:
    """Nothing of it stays in the browser either."""
    expect(visit.page.locator("#recent a")).to_have_count(1)
    visit.page.get_by_role("button", name="Erase").click()
    visit.page.get_by_role("button", name="Erase now").click()
    expect(visit.page.locator("#outcome")).to_contain_text("Photos and result are gone")
    expect(visit.page.locator("#recent")).to_be_hidden()
    assert visit.page.evaluate("Object.keys(localStorage)") == []


def test_without_consent_nothing_is_sent(visitor: Visit) -> None:
    before = len(visitor.tasks())
    visitor.choose()
    expect(visitor.page.locator("#consent")).not_to_be_checked()
    visitor.page.click("#go")
    expect(visitor.page.locator("#consent-error")).to_contain_text("confirm")
    expect(visitor.page.locator("#consent")).to_be_focused()
    assert len(visitor.tasks()) == before


def test_a_photo_without_a_face_is_told_in_words(visitor: Visit, faceless: Path) -> None:
    visitor.choose(source=faceless).fuse()
    problem = visitor.page.locator("#outcome .problem")
    expect(problem).to_contain_text("No face was found", timeout=30_000)
    assert shared_state(visitor) is State.FAILED
    visitor.page.get_by_role("button", name="Back to the photos").click()
    expect(visitor.page.locator("#source img")).to_be_visible()


def shared_state(visit: Visit) -> State:
    return visit.service.task(visit.task_id).state
