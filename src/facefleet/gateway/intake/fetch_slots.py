"""Bounds how many requests of one gateway fetch photos at once, so that no tenant takes all of that from the others.

A tenant may take one more slot while fewer are its own than are free: alone it has half of them, the next one half of
what is left, and so on (dynamic thresholds: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from facefleet.errors.outage import Overloaded

_RETRY_SECONDS = 1  # most photos come in less


class FetchSlots:
    """The slots of one gateway; for one event loop.

    Args:
        total: Requests that fetch at once.
    """

    def __init__(self, total: int) -> None:
        self._free = total
        self._own = Counter[str]()

    @contextmanager
    def taken(self, tenant: str) -> Iterator[None]:
        """Hold a slot.

        Raises:
            Overloaded: The tenant has its share, or there is none left.
        """
        if self._own[tenant] >= self._free:
            own = self._own[tenant]
            raise Overloaded(
                f"{own:,} of your requests fetch photos just now, and there is no room for more; try again.",
                fetching=own, retry_after=_RETRY_SECONDS,
            )  # fmt: skip
        self._free -= 1
        self._own[tenant] += 1
        try:
            yield
        finally:
            self._free += 1
            self._own[tenant] -= 1
            if not self._own[tenant]:
                del self._own[tenant]
