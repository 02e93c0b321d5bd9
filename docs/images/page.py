"""Makes ``docs/images/page.jpg``: the page with a result, from two photos in the public domain.

Run as ``python -m docs.images.page`` from the root of the repository, with the development requirements installed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import expect
from tests.browser import browser
from tests.system.conftest import Running

from facefleet import config
from facefleet.engine.models.registry import Registry

PICTURE = Path(__file__).with_name("page.jpg")
PHOTOS = {"source": "astronaut", "target": "grace_hopper"}
QUALITY = 80


def main() -> None:
    """Start a service and a browser, make the journey, take the picture, stop both."""
    photos = Registry(config.load().engine.cache).samples(list(PHOTOS.values()))
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        service = Running(Path(folder) / "data")
        try:
            page = chromium.new_page(viewport={"width": 1280, "height": 860}, locale="en-US", color_scheme="light")
            page.goto(service.addresses.gateway)
            for part, name in PHOTOS.items():
                page.set_input_files(f"#{part} input[type=file]", photos[name])
                expect(page.locator(f"#{part} .frame:not(.looking)")).to_be_visible()
            page.check("#consent")
            page.click("#go")
            expect(page.locator(".comparison.loaded")).to_be_visible(timeout=60_000)
            page.mouse.move(0, 0)
            page.screenshot(path=PICTURE, type="jpeg", quality=QUALITY, animations="disabled")
        finally:
            service.close()


if __name__ == "__main__":
    main()
