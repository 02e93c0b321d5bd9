"""Makes ``docs/images/sign-in.jpg``: the page where the gateway asks who somebody is.

Run as ``python -m docs.images.sign_in`` from the root of the repository, with the development requirements installed.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.browser import browser
from tests.system.conftest import Running

PICTURE = Path(__file__).with_name("sign-in.jpg")
QUALITY = 80


def main() -> None:
    """Start a service that takes keys and a browser, take the picture, stop both."""
    os.environ["FACEFLEET_AUTH__KEYS"] = "true"
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        service = Running(Path(folder) / "data")
        try:
            page = chromium.new_page(viewport={"width": 1280, "height": 620}, locale="en-US", color_scheme="light")
            page.goto(service.addresses.gateway)
            page.locator("#credential").wait_for()
            page.screenshot(path=PICTURE, type="jpeg", quality=QUALITY, animations="disabled")
        finally:
            service.close()


if __name__ == "__main__":
    main()
