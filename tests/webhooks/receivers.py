"""Real receivers of webhooks on loopback, which answer as a test says."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from tests.servers import HOST, Certificates


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def message(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What the receiver answers."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    write: Callable[[BaseHTTPRequestHandler], None] | None = None  # after the head


class Receiver:
    """A server that keeps what it is sent.

    Args:
        answer: Called with the number of the request, from 0, and the request.
        certificates: For https.
    """

    def __init__(
        self, answer: Callable[[int, Received], Reply] = lambda *_: Reply(), certificates: Certificates | None = None
    ) -> None:
        self.received: list[Received] = []
        self._answer = answer
        self._lock = Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver._take(self, Received(self.path, dict(self.headers), body))

            def do_GET(self) -> None:
                receiver._take(self, Received(self.path, dict(self.headers), b""))

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server((HOST, 0), Handler)
        self._server.daemon_threads = True
        self.scheme = "http"
        if certificates is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificates.certificate, certificates.key)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            self.scheme = "https"

    def __enter__(self) -> Receiver:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str = "/hook", host: str = HOST) -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def _take(self, handler: BaseHTTPRequestHandler, request: Received) -> None:
        with self._lock:
            number = len(self.received)
            self.received.append(request)
        reply = self._answer(number, request)
        handler.send_response(reply.status)
        for name, value in ({"Content-Length": "0"} if reply.write is None else {}).items() | reply.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        if reply.write is not None:
            reply.write(handler)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some tests are about."""
