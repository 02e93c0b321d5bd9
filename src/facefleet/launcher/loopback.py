"""Finds free ports on the loopback address and asks programs of this machine whether they answer."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from facefleet.errors.input import ConfigInvalid
from facefleet.trust import trust_in_one

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


def http_status(port: int, path: str, certificate: Path | None = None, host: str = HOST) -> int | None:
    """The HTTP status of a GET; None where nobody listens on the port, 0 where no answer comes.

    Args:
        port: TCP port.
        path: Asked for.
        certificate: PEM file of the certificate that is expected, read anew each time; None: without TLS.
        host: An address of this machine.
    """
    try:
        with closing(_connection(host, port, certificate)) as connection:
            connection.request("GET", path)
            return connection.getresponse().status
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException):  # of the file, too: it may just be written
        return 0


def _connection(host: str, port: int, certificate: Path | None) -> http.client.HTTPConnection:
    if certificate is None:
        return http.client.HTTPConnection(host, port, timeout=_ANSWER_SECONDS)
    return http.client.HTTPSConnection(host, port, timeout=_ANSWER_SECONDS, context=trust_in_one(certificate))
