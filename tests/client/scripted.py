"""A real HTTP server that says what it is told to, for what a gateway does rarely, or did in a release before."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass(frozen=True)
class Said:
    """One answer."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Heard:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Scripted:
    """Where it is and what it has heard."""

    url: str
    heard: list[Heard] = field(default_factory=list)


def refusal(status: int, code: str, **headers: str) -> Said:
    body = {"status": status, "code": code, "detail": f"It is {code}.", "context": {"limit": 7}}
    return Said(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def task(status: str, version: int, **more: Any) -> dict[str, Any]:
    """A task as a gateway shows it, with a field of a later release."""
    return {"task_id": "t-1", "status": status, "version": version, "links": {}, "from_later": [1], **more}


@contextmanager
def saying(answer: Callable[[Heard], Said], *, keep_bodies: bool = True) -> Iterator[Scripted]:
    """Serve until the block ends; bodies that are not kept are read piece by piece."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            left = int(self.headers.get("content-length", 0))
            body = self.rfile.read(left) if keep_bodies else b""
            while not keep_bodies and left:
                left -= len(self.rfile.read(min(left, 1 << 16)))
            heard = Heard(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            scripted.heard.append(heard)
            said = answer(heard)
            self.send_response(said.status)
            for name, value in {"content-length": str(len(said.content)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.content)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the base class calls them so

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scripted = Scripted(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield scripted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def in_turn(*answers: Said) -> Callable[[Heard], Said]:
    """One after the other; the last one for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]
