"""A real name server on loopback, which answers each question as a test says, and a look-up that asks it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from ipaddress import IPv4Address, ip_address
from threading import Thread

from tests.servers import HOST

_HEADER = struct.Struct("!6H")
_A, _AAAA, _IN = 1, 28, 1


class NameServer:
    """Answers over UDP (RFC 1035), each time with a time to live of 0.

    Args:
        answer: Called with the number of the look-up, from 0; gives addresses.
    """

    def __init__(self, answer: Callable[[int], list[str]]) -> None:
        self.asked: list[str] = []
        self._answer = answer
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._thread = Thread(target=self._serve, daemon=True)

    def __enter__(self) -> NameServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def lookup(self, name: str, _: int) -> list[str]:
        """Ask it for the addresses of a name, as a resolver does that keeps nothing."""
        question = _HEADER.pack(7, 0x0100, 1, 0, 0, 0) + _labels(name) + struct.pack("!2H", _A, _IN)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(5.0)
            client.sendto(question, self._socket.getsockname())
            answer = client.recv(4096)
        return _addresses(answer, len(question))

    def _serve(self) -> None:
        while True:
            question, client = self._socket.recvfrom(4096)
            if not question:
                return
            addresses = [ip_address(text) for text in self._answer(len(self.asked))]
            self.asked.append(_name(question))
            head = _HEADER.pack(_HEADER.unpack_from(question)[0], 0x8180, 1, len(addresses), 0, 0)
            records = b"".join(
                struct.pack("!3HIH", 0xC00C, _A if isinstance(one, IPv4Address) else _AAAA, _IN, 0, len(one.packed))
                + one.packed
                for one in addresses
            )
            self._socket.sendto(head + question[_HEADER.size :] + records, client)


def _labels(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _name(question: bytes) -> str:
    labels, at = [], _HEADER.size
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels)


def _addresses(answer: bytes, at: int) -> list[str]:
    found = []
    for _ in range(_HEADER.unpack_from(answer)[3]):
        (length,) = struct.unpack_from("!H", answer, at + 10)
        found.append(str(ip_address(answer[at + 12 : at + 12 + length])))
        at += 12 + length
    return found
