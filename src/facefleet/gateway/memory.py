"""Counts the bytes of photos that the requests of one gateway hold at once, and refuses what has no room."""

from __future__ import annotations

from facefleet.errors.outage import Overloaded

_RETRY_SECONDS = 1  # an upload ends soon


class Memory:
    """The room of all requests of this process.

    Args:
        total_bytes: That they may take at once.
    """

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self.taken = 0


class Holding:
    """What one request takes of it, from its first byte to its answer.

    A request that finds no other is always let in.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._taken = 0

    def take(self, size: int) -> None:
        """Take so many bytes more.

        Raises:
            Overloaded: Others have taken too much.
        """
        memory = self._memory
        others = memory.taken - self._taken
        if others and memory.taken + size > memory.total_bytes:
            raise Overloaded(
                "Too many uploads are on their way; try again.", taken_bytes=memory.taken, retry_after=_RETRY_SECONDS
            )
        memory.taken += size
        self._taken += size

    def give_back(self, size: int) -> None:
        """Give so many bytes back."""
        self._memory.taken -= size
        self._taken -= size

    def release(self) -> None:
        """Give all of it back."""
        self.give_back(self._taken)
