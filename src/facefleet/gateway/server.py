"""Runs the HTTP server: its socket, event loop and parser, and an end that waits for requests but not for readers."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread

import uvicorn
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from starlette.types import ASGIApp

from facefleet.errors.input import ConfigInvalid
from facefleet.gateway.http_protocol import HttpProtocol, ServerConfig
from facefleet.gateway.tls import OwnCertificate
from facefleet.gateway_settings import Gateway
from facefleet.observability.scrapes import QuietHandler

OPEN_FILES = 65_536
_BACKLOG = 2048  # clients that wait to be accepted
_GRACEFUL_SECONDS = 10


class Server(uvicorn.Server):
    """Tells readers of events that the gateway leaves, before it waits for its connections to close.

    The application's own shut-down comes after that wait, which open streams would make as long as it may be.

    Args:
        app: The application.
        leave: Ends all waiting; called in the server's loop.
        settings: Say how long clients may take.
        certificate: Of the server; None: without TLS.
    """

    def __init__(
        self, app: ASGIApp, leave: Callable[[], None], settings: Gateway, certificate: OwnCertificate | None = None
    ) -> None:
        super().__init__(
            ServerConfig(
                app, settings.head_timeout, settings.upload_timeout,
                timeout_keep_alive=settings.keep_alive, loop="uvloop", http=HttpProtocol,
                log_config=None, access_log=False, server_header=False,
                proxy_headers=False, timeout_graceful_shutdown=_GRACEFUL_SECONDS,
                ssl_context_factory=(lambda *_: certificate.context) if certificate else None,
            )
        )  # fmt: skip
        self._leave = leave
        self._certificate = certificate
        self._renewing: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and to look for a renewed certificate."""
        await super().startup(sockets)
        if self._certificate is not None:
            self._renewing = asyncio.create_task(self._certificate.run())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Leave, then wait."""
        self._leave()
        if self._renewing is not None:
            self._renewing.cancel()
        await super().shutdown(sockets)


def allow_connections() -> None:
    """Let this process have as many open files as it needs: a connection is one, and 1,024 are soon used up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@dataclass(frozen=True, slots=True)
class Listeners:
    """The sockets that a gateway serves; several processes may accept from the same ones.

    Attributes:
        http: Of the API and the page.
        metrics: Of a ``/metrics`` that asks for no credentials; None: there is none.
    """

    http: socket.socket
    metrics: socket.socket | None

    @classmethod
    def open(cls, settings: Gateway) -> Listeners:
        """Listen; from now on clients wait instead of being refused.

        Raises:
            ConfigInvalid: An address is not ours, or taken.
        """
        http = listen(settings.host, settings.port)
        if not settings.metrics_port:
            return cls(http, None)
        try:
            return cls(http, listen(settings.metrics_host, settings.metrics_port, "gateway.metrics_port"))
        except ConfigInvalid:
            http.close()
            raise

    @classmethod
    def inherited(cls, descriptors: Sequence[int]) -> Listeners:
        """Those that the process opened which started this one: their descriptors, as ``descriptors`` gives them.

        Raises:
            ConfigInvalid: They are no open sockets.
        """
        try:
            http, *metrics = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        except (OSError, ValueError) as error:
            raise ConfigInvalid("--listeners is for the processes that a gateway starts.") from error
        return cls(http, metrics[0] if metrics else None)

    def descriptors(self) -> tuple[int, ...]:
        """Their file descriptors, HTTP first."""
        return tuple(listener.fileno() for listener in (self.http, self.metrics) if listener is not None)

    def close(self) -> None:
        """Close them in this process."""
        for listener in (self.http, self.metrics):
            if listener is not None:
                listener.close()


@contextmanager
def metrics_served(registry: CollectorRegistry, listener: socket.socket | None) -> Iterator[None]:
    """Serve ``/metrics`` on a socket of its own, for scrapers without credentials; not where it is None."""
    if listener is None:
        yield
        return
    server = ThreadingWSGIServer(listener.getsockname()[:2], QuietHandler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_name, server.server_port = listener.getsockname()[:2]  # what binding would have set
    server.setup_environ()
    server.set_app(make_wsgi_app(registry))
    thread = Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def listen(host: str, port: int, setting: str = "gateway.port") -> socket.socket:
    """Open a socket and listen; port 0 takes any free one.

    Raises:
        ConfigInvalid: The address is not ours, or taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends without delay only where the protocol is named; else a kept connection waits 40 ms for each answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigInvalid(
            f"Cannot listen on {host}:{port}: {error.strerror}; choose another port.", setting=setting, port=port
        ) from error
    listener.listen(_BACKLOG)
    return listener
