"""Resolves host names and checks each address; the system's resolver blocks, so it runs in its own threads."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

from facefleet.config import Outbound
from facefleet.outbound.address import Address, Policy, Target, UrlRefused, check

Lookup = Callable[[str, int], list[str]]  # (name, port) → addresses; raises OSError

_THREADS = 16


def system_lookup(name: str, port: int) -> list[str]:
    """The addresses that the system's resolver gives, in its order of preference.

    Raises:
        OSError: The name has no address, or no name server answered.
    """
    entries = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in entries))


class Resolver:
    """Resolves names without blocking the event loop.

    Args:
        policy: Says which addresses are allowed.
        lookup: The resolver.
    """

    def __init__(self, policy: Policy, lookup: Lookup = system_lookup) -> None:
        self.policy = policy
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="names")

    @classmethod
    def of(cls, settings: Outbound) -> Resolver:
        """By the settings of what calls the URLs."""
        return cls(Policy(settings.allow_http, settings.allow_private, frozenset(settings.ports)))

    async def addresses(self, target: Target, seconds: float) -> list[Address]:
        """The addresses of a target: at least one, and all of them allowed.

        Raises:
            UrlRefused: One of them is not allowed; then none of this name is used.
            OSError: The name has no address.
            TimeoutError: No name server answered in time.
        """
        if target.address is not None:
            check(target.address, self.policy)
            return [target.address]
        asked = asyncio.get_running_loop().run_in_executor(self._threads, self._lookup, target.host, target.port)
        answer = await asyncio.wait_for(asked, seconds)
        try:
            addresses = [ip_address(text) for text in answer]
        except ValueError:  # with a zone: link-local
            raise UrlRefused(reason="link-local") from None
        for address in addresses:
            check(address, self.policy)
        if not addresses:
            raise OSError("no address")
        return addresses

    def close(self) -> None:
        """Stop the threads; pending look-ups are cancelled."""
        self._threads.shutdown(wait=False, cancel_futures=True)
