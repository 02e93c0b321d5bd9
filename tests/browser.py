"""A real browser for tests: Chromium of the system, driven by Playwright, which brings none of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright
from tests.servers import missing

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_INSTALL = "apt-get install --yes --no-install-recommends chromium fonts-wqy-microhei"
_SWITCHES = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
)  # fmt: skip


def chromium() -> str:
    """The program; in CI it is installed where it is not there, on the machine of a user the test is skipped."""
    found = _found()
    if found is None and os.environ.get("CI") == "true" and os.geteuid() == 0:
        for command in ("apt-get update", _INSTALL):
            subprocess.run(command.split(), check=True, capture_output=True, timeout=300)
        found = _found()
    return found or missing("there is no Chromium on this machine")


@contextmanager
def browser() -> Iterator[Browser]:
    """One browser for many pages; its camera shows a test picture."""
    program = chromium()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=list(_SWITCHES))
        try:
            yield running
        finally:
            running.close()


def _found() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name))), None)
