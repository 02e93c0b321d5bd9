"""Browsers that sign in at a real gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from sqlalchemy import ColumnElement
from tests.gateway.conftest import UNLIMITED, Door, Open
from tests.gateway.test_access import TOKENS, key

from facefleet.access.session import SessionSecret
from facefleet.tasks.tables.table import sessions

HERE = "/v1/session"
BY_TLS = {"X-Forwarded-Proto": "https"}
AUTH: dict[str, Any] = {"keys": True, **TOKENS}
SIGNED_OUT = (401, "unauthenticated", "missing")


@pytest.fixture(scope="module")
def shop(open_shared_door: Open) -> Door:
    """A gateway that takes keys and tokens, behind a proxy; shared, and each test has keys of its own."""
    return open_shared_door(auth=AUTH, gateway={"trusted_proxies": ["127.0.0.0/8"]}, rate_limits=UNLIMITED)


class Browser:
    """Keeps the cookie of a gateway, as a browser does, and the token, as its page does."""

    def __init__(self, door: Door) -> None:
        self.client = httpx.Client(base_url=door.client.base_url, trust_env=False, timeout=30.0)
        self.csrf = ""

    def sign_in(self, credential: str, **headers: str) -> httpx.Response:
        answer = self.client.post(HERE, headers={"Authorization": f"Bearer {credential}"} | headers)
        if answer.status_code == 201:
            self.csrf = answer.json()["csrf_token"]
        return answer

    def send(self, method: str, path: str, **headers: str) -> httpx.Response:
        """With the token, if the method needs one."""
        csrf = {} if method == "GET" else {"X-CSRF-Token": self.csrf}
        return self.client.request(method, path, headers=csrf | headers)

    def get(self, path: str = "/v1/tasks", **headers: str) -> httpx.Response:
        return self.client.get(path, headers=headers)

    @property
    def cookie(self) -> str:
        (value,) = self.client.cookies.values()
        return value


Arrive = Callable[[Door], Browser]


@pytest.fixture
def arrive() -> Iterator[Arrive]:
    """Opens browsers."""
    with ExitStack() as stack:

        def arriving(door: Door) -> Browser:
            browser = Browser(door)
            stack.callback(browser.client.close)
            return browser

        yield arriving


@pytest.fixture
def browser(shop: Door, arrive: Arrive) -> Browser:
    """One that has signed in by a key of a member, over plain HTTP."""
    opened = arrive(shop)
    assert opened.sign_in(key(shop)).status_code == 201
    return opened


def mine(browser: Browser) -> ColumnElement[bool]:
    """Its row."""
    return sessions.c.digest == SessionSecret(browser.cookie).digest


def by_cookie(door: Door, *lines: str, method: str = "GET", path: str = "/v1/tasks", **headers: str) -> httpx.Response:
    sent = [("Cookie", line) for line in lines] + list(headers.items())
    return door.client.request(method, path, headers=sent)
