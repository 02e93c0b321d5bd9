"""Finds free ports on the loopback address and asks programs there whether they answer."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Sequence
from contextlib import ExitStack

from facefleet.errors.input import ConfigInvalid

HOST = "127.0.0.1"
_ANSWER_SECONDS = 1.0


def free_ports(*wanted: int) -> Sequence[int]:
    """Ports that are free; 0 stands for any. They are found together, since two found in turn could be the same.

    Raises:
        ConfigInvalid: A port is taken.
    """
    with ExitStack() as stack:
        return [_bound(stack.enter_context(socket.socket()), port) for port in wanted]


def _bound(probe: socket.socket, port: int) -> int:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((HOST, port))
    except OSError as error:
        raise ConfigInvalid(
            f"Port {port} on {HOST} cannot be used: {error.strerror}; choose another with --port.", port=port
        ) from None
    return int(probe.getsockname()[1])


def http_status(port: int, path: str, trust: ssl.SSLContext | None = None) -> int | None:
    """The HTTP status of a GET; None where nobody listens on the port, 0 where no answer comes.

    Args:
        port: On the loopback address.
        path: Asked for.
        trust: Whose certificate is expected; None: without TLS.
    """
    connection = (
        http.client.HTTPSConnection(HOST, port, timeout=_ANSWER_SECONDS, context=trust)
        if trust
        else http.client.HTTPConnection(HOST, port, timeout=_ANSWER_SECONDS)
    )
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
