"""The HTTP server: many open connections, and an end that waits for requests but not for readers."""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable

import uvicorn

OPEN_FILES = 65_536


class Server(uvicorn.Server):
    """Tells readers of events that it leaves before it waits for its connections to close.

    The application's own shut-down comes after that wait, which open streams would make as long as it may be.

    Args:
        config: Of uvicorn.
        leave: Ends all waiting; called in the server's loop.
    """

    def __init__(self, config: uvicorn.Config, leave: Callable[[], None]) -> None:
        super().__init__(config)
        self._leave = leave

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Leave, then wait."""
        self._leave()
        await super().shutdown(sockets)


def allow_connections() -> None:
    """Let this process have as many open files as it needs: a connection is one, and 1,024 are soon used up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
