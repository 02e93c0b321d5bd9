"""Runs the HTTP server: its socket, event loop and parser, and an end that waits for requests but not for readers."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from prometheus_client import CollectorRegistry, start_http_server
from starlette.types import ASGIApp

from facefleet.errors.input import ConfigInvalid
from facefleet.gateway.http_protocol import HttpProtocol, ServerConfig
from facefleet.gateway.tls import OwnCertificate
from facefleet.gateway_settings import Gateway

OPEN_FILES = 65_536
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


@contextmanager
def metrics_served(registry: CollectorRegistry, host: str, port: int) -> Iterator[None]:
    """Serve ``/metrics`` at an address of its own, for scrapers without credentials; not where the port is 0.

    Raises:
        ConfigInvalid: The address is not ours, or taken.
    """
    if not port:
        yield
        return
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise ConfigInvalid(
            f"Cannot serve metrics on {host}:{port}: {error.strerror}; choose another port.",
            setting="gateway.metrics_port", port=port,
        ) from error  # fmt: skip
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def listen(host: str, port: int) -> socket.socket:
    """Open the gateway's socket; port 0 takes any free one.

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
            f"Cannot listen on {host}:{port}: {error.strerror}; choose another port.", setting="gateway.port", port=port
        ) from error
    return listener
