"""Everybody can use it: by keyboard, by screen reader, in both languages and themes, on every width."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.page.conftest import Visit, Visitor
from tests.system.conftest import Running

pytestmark = [pytest.mark.needs_server, pytest.mark.page]

WIDTHS = (360, 768, 1280, 1920)
THEMES = ("light", "dark")
_STILL = "() => document.getAnimations().every((one) => one.effect.getTiming().iterations === Infinity)"
_KEEPS_NOTHING = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('none') } })"


def axe() -> str:
    """The accessibility checker, from a wheel of the tests; the gateway never serves it."""
    found = importlib.util.find_spec("axe_playwright_python")
    assert found is not None
    assert found.origin is not None
    return (Path(found.origin).parent / "axe.min.js").read_text()


def findings(page: Page) -> list[dict[str, Any]]:
    """What the checker holds against the page as it is now, all severities."""
    page.evaluate(axe())  # not a script element: the page's policy lets none in
    page.wait_for_function(_STILL)
    found: dict[str, Any] = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        {"id": one["id"], "impact": one["impact"], "on": [node["target"] for node in one["nodes"]]}
        for one in found["violations"]
    ]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_the_checker_finds_nothing_in_any_state(
    visitors: Visitor, shared_service: Running, theme: str, locale: str
) -> None:
    visit = visitors(shared_service, color_scheme=theme, locale=locale).open()
    page, found = visit.page, {}
    found["empty"] = findings(page)
    page.click("#go")
    found["incomplete"] = findings(page)
    visit.choose()
    found["chosen"] = findings(page)
    page.click("#go")
    found["no consent"] = findings(page)
    visit.fuse().finished()
    found["result"] = findings(page)
    page.locator(".danger-text").click()
    found["question"] = findings(page)
    page.locator("dialog .danger").click()
    expect(page.locator("dialog")).to_have_count(0)
    found["erased"] = findings(page)
    print(f"\naccessibility, {theme}, {locale}: {json.dumps(found)}")
    assert {state: list_ for state, list_ in found.items() if list_} == {}


def test_the_whole_journey_by_keyboard_alone(visitors: Visitor, shared_service: Running) -> None:
    visit = visitors(shared_service).open()
    page = visit.page
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    for part, sample in (("source", "astronaut"), ("target", "grace_hopper")):
        tab_to(page, f"#{part} .actions button")
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Enter")
        chooser.value.set_files(visit.samples[sample])
        expect(page.locator(f"#{part} .frame:not(.looking)")).to_be_visible()
    tab_to(page, "#slider-shape")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#slider-shape")).to_have_attribute("aria-valuetext", "55 %")
    tab_to(page, "#consent")
    page.keyboard.press("Space")
    tab_to(page, "#go")
    page.keyboard.press("Enter")
    visit.finished()
    expect(page.locator("#outcome-title")).to_be_focused()
    tab_to(page, ".divider")
    page.keyboard.press("Home")
    expect(page.locator(".divider")).to_have_attribute("aria-valuetext", "100 % after")
    page.keyboard.press("+")
    expect(page.locator(".view")).to_have_class("view zoomed")
    tab_to(page, ".danger-text")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".danger-text")).to_be_focused()
    assert shared_service.task(visit.task_id).options["shape"] == 0.55


@pytest.mark.parametrize("key", ["Enter", "Space", None])
def test_a_photo_can_be_chosen_each_time_by_keyboard_and_by_mouse(
    visitors: Visitor, shared_service: Running, key: str | None
) -> None:
    button = "#source .actions button"
    for _ in range(10):  # a fresh page each: what is only there after a while is not there
        page = visitors(shared_service).open().page
        tab_to(page, button)
        with page.expect_file_chooser() as chooser:
            if key is None:
                page.click(button)
            else:
                page.keyboard.press(key)
        assert not chooser.value.is_multiple()
        page.close()


def tab_to(page: Page, selector: str, most: int = 40) -> None:
    for _ in range(most):
        if page.evaluate("(s) => document.activeElement === document.querySelector(s)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"not reached by {most} tabs: {selector}")


def test_the_browsers_language_is_spoken_and_another_is_kept(visitors: Visitor, shared_service: Running) -> None:
    page = visitors(shared_service, locale="zh-CN").open().page
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("h1")).to_have_text("把一张脸换进另一张照片")
    page.click("#language")
    expect(page.locator("h1")).to_have_text("Put one face into another photo")
    expect(page.locator("#go")).to_have_text("Fuse the photos")
    page.reload()
    expect(page.locator("h1")).to_have_text("Put one face into another photo")


def test_a_chosen_theme_is_kept(visitors: Visitor, shared_service: Running) -> None:
    page = visitors(shared_service, color_scheme="light").open().page
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.click("#theme")
    page.click("#theme")
    dark = page.evaluate(paper)
    assert dark != light
    page.reload()
    assert page.evaluate(paper) == dark


@pytest.mark.parametrize("width", WIDTHS)
def test_no_width_needs_sideways_scrolling(visitors: Visitor, shared_service: Running, width: int) -> None:
    visit = visitors(shared_service, viewport={"width": width, "height": 740}).open()
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert visit.page.evaluate(over) == 0
    visit.choose()
    assert visit.page.evaluate(over) == 0
    visit.fuse().finished()
    assert visit.page.evaluate(over) == 0


def test_without_a_place_to_keep_things_it_works_all_the_same(visitors: Visitor, shared_service: Running) -> None:
    visit: Visit = visitors(shared_service)
    visit.page.add_init_script(_KEEPS_NOTHING)
    visit.open().choose().fuse().finished()
