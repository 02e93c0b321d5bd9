"""Answers an orchestrator's HTTP requests about this worker: ``/healthz``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any
from wsgiref.simple_server import make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from facefleet.errors.input import ConfigInvalid
from facefleet.observability.scrapes import QuietHandler


class Probe:
    """Serves the probe's three paths on a thread of its own.

    ``/healthz`` proves that the worker consumes, not just that it lives: an orchestrator restarts one that does not.

    Args:
        host: Address to listen on.
        port: TCP port.
        registry: What ``/metrics`` shows.
        alive: Answer of ``/healthz``.
        ready: Answer of ``/readyz``.

    Raises:
        ConfigInvalid: The address cannot be used.
    """

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, *, alive: Callable[[], bool], ready: Callable[[], bool]
    ) -> None:
        self._checks = {"/healthz": alive, "/readyz": ready}
        self._metrics = make_wsgi_app(registry)
        try:
            self._server = make_server(host, port, self._respond, handler_class=QuietHandler)
        except OSError as error:
            raise ConfigInvalid(
                f"The address of the worker's probe, {host}:{port}, cannot be used: {error.strerror}.",
                setting="worker.metrics_port",
            ) from None
        self._thread = Thread(target=self._server.serve_forever, name="probe", daemon=True)

    def start(self) -> None:
        """Start to answer requests."""
        self._thread.start()

    def stop(self) -> None:
        """Stop to answer requests, and free the address."""
        self._server.shutdown()
        self._server.server_close()

    def _respond(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            body: Iterable[bytes] = self._metrics(environ, start_response)
            return body
        check = self._checks.get(path)
        status = "404 Not Found" if check is None else "200 OK" if check() else "503 Service Unavailable"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [status.partition(" ")[2].encode()]
