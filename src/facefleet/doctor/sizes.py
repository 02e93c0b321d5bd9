"""Shows a number of bytes to a person."""

from __future__ import annotations

from pydantic import ByteSize


def shown_size(count: int) -> str:
    """Bytes in the largest unit of 1024 that leaves a whole part, as ``1.5 GiB``."""
    return ByteSize(count).human_readable(separator=" ")
