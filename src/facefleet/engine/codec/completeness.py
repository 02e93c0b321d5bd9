"""Checks that a file is complete before it is decoded, since decoders fill gaps and say nothing."""

from __future__ import annotations

from facefleet.errors.input import ImageDecodeFailed
from facefleet.media.parts import JPEG_SCAN, jpeg_segments, png_chunks
from facefleet.media.sniff import ImageType

_MAX_SCANS = 100  # of a progressive JPEG, each of which runs over the whole photo; encoders write about ten
_END, _SCAN = b"\xff\xd9", b"\xff\xda"


def refuse_incomplete(data: bytes, kind: ImageType) -> None:
    """Refuse what ends before its last part, and a JPEG of scans without number.

    Raises:
        ImageDecodeFailed: It does.
    """
    complete = {ImageType.JPEG: _jpeg_complete, ImageType.PNG: _png_complete, ImageType.WEBP: _webp_complete}[kind]
    if not complete(data):
        raise damaged(kind, "it ends before its last part")


def damaged(kind: ImageType, why: str) -> ImageDecodeFailed:
    """The refusal of a file that cannot be decoded."""
    return ImageDecodeFailed(f"The image file is damaged: {why}. Export it again.", type=str(kind))


def _jpeg_complete(data: bytes) -> bool:
    # Segments are stepped over by their length, since a preview inside one has an end marker of its own. Within
    # entropy-coded data 0xFF is always followed by 0x00 or a restart marker, so the next end marker is the real one.
    scan = next((part.start for part in jpeg_segments(data) if part.name == JPEG_SCAN), len(data))
    end = data.find(_END, scan)
    if data.count(_SCAN, scan, max(end, 0)) > _MAX_SCANS:
        raise ImageDecodeFailed(
            f"The JPEG file has more than {_MAX_SCANS} scans. Export it again.", max_scans=_MAX_SCANS
        )
    return end >= 0


def _png_complete(data: bytes) -> bool:
    return any(part.name == b"IEND" and part.start + 4 <= len(data) for part in png_chunks(data))


def _webp_complete(data: bytes) -> bool:
    return len(data) >= 8 + int.from_bytes(data[4:8], "little")
