"""The page as a visitor meets it: in a real browser, before a whole running service."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from tests.browser import browser as open_browser
from tests.servers import alive, wait_until
from tests.system.conftest import Running

FUSED_MS = 60_000  # a fusion on a machine with other work


@dataclass
class Visit:
    """One visitor's tab, and what went wrong in it that nobody was told."""

    page: Page
    service: Running
    samples: Mapping[str, Path]
    faults: list[str] = field(default_factory=list)

    def open(self, path: str = "/") -> Visit:
        self.page.goto(f"{self.service.addresses.gateway}{path}")
        expect(self.page.locator("html")).not_to_have_class("pending")
        return self

    def choose(self, source: str | Path = "astronaut", target: str | Path = "grace_hopper") -> Visit:
        for part, photo in (("source", source), ("target", target)):
            self.put(part, photo)
        return self

    def put(self, part: str, photo: str | Path) -> None:
        path = photo if isinstance(photo, Path) else self.samples[photo]
        self.page.set_input_files(f"#{part} input[type=file]", path)
        expect(self.page.locator(f"#{part} .frame:not(.looking), #{part} .problem:not([hidden])").first).to_be_visible()

    def fuse(self) -> Visit:
        self.page.check("#consent")
        self.page.click("#go")
        return self

    def finished(self) -> Locator:
        """The result, when it is there."""
        found = self.page.locator(".comparison.loaded")
        expect(found).to_be_visible(timeout=FUSED_MS)
        return found

    @property
    def task_id(self) -> str:
        """Of the task whose outcome is shown: the address of the page tells."""
        self.page.wait_for_url("**/#task=*")
        return self.page.url.partition("#task=")[2]

    def tasks(self) -> list[dict[str, Any]]:
        """Every fusion that the service knows of."""
        found: list[dict[str, Any]] = self.service.http.get("/v1/tasks?kind=fuse&limit=100").json()["tasks"]
        return found


Visitor = Callable[..., Visit]


@pytest.fixture(scope="module")  # its event loop runs in this thread as long: asyncio.run() of other tests would fail
def chromium() -> Iterator[Browser]:
    with open_browser() as running:
        yield running


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """For visits that leave it alive."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEFLEET_LOGS__FORMAT", "json")
        running = Running(tmp_path_factory.mktemp("page") / "data")
        pids = running.pids()
        yield running
        running.close()
        wait_until(lambda: not any(map(alive, pids.values())), "every part has ended")


@pytest.fixture
def visitors(chromium: Browser, samples: Mapping[str, Path]) -> Iterator[Visitor]:
    """Opens visits; none may have met an error that it did not show, or broken the page's own policy."""
    visits: list[Visit] = []
    with ExitStack() as stack:

        def visit(service: Running, context: BrowserContext | None = None, **options: Any) -> Visit:
            if context is None:
                context = chromium.new_context(
                    **{"locale": "en-US", "viewport": {"width": 1280, "height": 800}} | options
                )
                stack.callback(context.close)
            made = Visit(context.new_page(), service, samples)
            # Playwright catches file choosers only while somebody listens, and does not wait until Chromium does so:
            # a key pressed right after `expect_file_chooser` could open one that nobody catches, and that ends at once.
            made.page.on("filechooser", lambda _: None)
            made.page.on("pageerror", lambda error: made.faults.append(str(error)))
            made.page.on("console", lambda said: _note(made, said.type, said.text))
            visits.append(made)
            return made

        yield visit
    assert [fault for visit in visits for fault in visit.faults] == []


@pytest.fixture
def visitor(visitors: Visitor, shared_service: Running) -> Visit:
    return visitors(shared_service).open()


@pytest.fixture
def faceless(tmp_path: Path) -> Path:
    """A fine photo of no one."""
    path = tmp_path / "wall.jpg"
    assert cv2.imwrite(str(path), np.full((480, 640, 3), (180, 190, 170), np.uint8))
    return path


def _note(visit: Visit, kind: str, text: str) -> None:
    # Chromium writes down by itself what the server refuses and that the network is away; the page tells it in words.
    if kind == "error" and not text.startswith("Failed to load resource"):
        visit.faults.append(text)
