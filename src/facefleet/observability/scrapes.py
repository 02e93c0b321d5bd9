"""Defines the handler of small HTTP servers that orchestrators and Prometheus ask every few seconds."""

from __future__ import annotations

from wsgiref.simple_server import WSGIRequestHandler


class QuietHandler(WSGIRequestHandler):
    """Logs no requests: a line for each scrape and probe would hide those of the work."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""
