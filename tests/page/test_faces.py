"""Faces are found, shown and picked on the picture; targets are kept as templates."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.page.conftest import Visit

pytestmark = [pytest.mark.needs_server, pytest.mark.page]


def test_a_face_of_many_is_picked_on_the_picture(visitor: Visit) -> None:
    visitor.choose(target="group")
    faces = visitor.page.locator("#target .face")
    expect(visitor.page.locator("#source .face")).to_have_count(1)
    usable = visitor.page.locator("#target .face[aria-disabled=false]")
    assert faces.count() >= usable.count() > 1
    wanted = usable.nth(1)
    index = int(wanted.inner_text()) - 1
    wanted.press("Enter")
    expect(wanted).to_have_attribute("aria-pressed", "true")
    expect(wanted).to_be_focused()
    expect(visitor.page.locator("#target .face[aria-pressed=true]")).to_have_count(1)
    visitor.fuse().finished()
    assert visitor.service.task(visitor.task_id).options["target_face"] == index


def test_all_faces_are_picked_at_once(visitor: Visit) -> None:
    visitor.choose(target="friends")
    visitor.page.get_by_role("button", name="All faces").click()
    usable = visitor.page.locator("#target .face[aria-disabled=false]")
    expect(visitor.page.locator("#target .face[aria-pressed=true]")).to_have_count(usable.count())
    visitor.fuse().finished()
    assert visitor.service.task(visitor.task_id).options["target_face"] == "all"


def test_a_face_button_lies_on_its_face(visitor: Visit) -> None:
    visitor.put("target", "grace_hopper")
    image = visitor.page.locator("#target .frame img").bounding_box()
    face = visitor.page.locator("#target .face").bounding_box()
    found = visitor.service.http.post(
        "/v1/faces", files={"image": visitor.samples["grace_hopper"].read_bytes()}, headers={"prefer": "wait=30"}
    ).json()["output"]
    assert image is not None
    assert face is not None
    share = image["width"] / found["image"]["width"]
    box = found["faces"][0]["box"]
    assert face["x"] - image["x"] == pytest.approx(box["x"] * share, abs=2)
    assert face["width"] == pytest.approx(box["width"] * share, abs=2)


def test_a_target_is_kept_as_a_template_used_and_deleted(visitor: Visit) -> None:
    visitor.choose()
    visitor.page.check("#consent")
    visitor.page.get_by_role("button", name="Save as template").click()
    tile = visitor.page.get_by_role("button", name="Use grace_hopper.jpg")
    expect(tile).to_be_enabled(timeout=30_000)
    visitor.page.locator("#target").get_by_role("button", name="Remove").click()
    tile.click()
    expect(visitor.page.locator("#target .face")).to_have_count(1)
    found = visitor.fuse().finished()
    expect(found.locator(".before img")).to_be_visible()
    assert visitor.service.http.get(f"/v1/tasks/{visitor.task_id}").json()["template_id"]
    visitor.page.get_by_role("button", name="New photos").click()
    visitor.page.get_by_role("button", name="Delete grace_hopper.jpg").click()
    visitor.page.get_by_role("button", name="Delete", exact=True).click()
    expect(visitor.page.locator("#gallery")).to_be_hidden()
    assert visitor.service.http.get("/v1/templates").json()["templates"] == []
