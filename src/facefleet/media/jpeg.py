"""Reads size and orientation of a JPEG, and tells by its scans whether pixels are missing, without decoding any.

Many photos lack the end marker and are whole; others were cut on their way. What only a decoder can tell of a file
without end marker is left to one.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from facefleet.errors.input import ImageDecodeFailed
from facefleet.media.exif import is_exif, orientation_of
from facefleet.media.parts import JPEG_END, JPEG_SCAN, Part, jpeg_segments

SOF_MARKERS = frozenset(bytes([code]) for code in range(0xC0, 0xD0)) - {b"\xc4", b"\xc8", b"\xcc"}
MAX_SCANS = 100  # of a progressive JPEG, each of which runs over the whole photo; encoders write about ten
_EXIF, _RESTART_INTERVAL, _START = b"\xe1", b"\xdd", b"\xd8"
_SEQUENTIAL, _PROGRESSIVE = (b"\xc0", b"\xc1"), b"\xc2"
_BEHIND_PIXELS = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_COEFFICIENTS = 64
_FRAME_HEAD = 6  # bytes before the components
_LONGEST_READ = 1024  # bytes of a segment that says something about scans


@dataclass(frozen=True, slots=True)
class JpegScans:
    """What the scans of a JPEG tell of its pixels.

    Attributes:
        end: Where the pixels of the last scan end.
        closed: Whether the end marker is there.
        damage: Why pixels are missing; empty where the bytes do not show it.
    """

    end: int
    closed: bool
    damage: str


def read_jpeg(data: bytes) -> tuple[int, int, int]:
    """Width and height as stored, px, and the orientation.

    Raises:
        ImageDecodeFailed: The file has no frame header, or ends inside its header.
    """
    size: tuple[int, int] | None = None
    blocks = []
    name = b""
    for part in jpeg_segments(data):
        name = part.name
        if name in SOF_MARKERS and size is None:
            height, width = struct.unpack_from(">HH", data, part.start + 1)
            size = width, height
        elif name == _EXIF and is_exif(data[part.start : part.start + 6]):
            blocks.append(part.of(data))
    if size is None:
        raise ImageDecodeFailed("The JPEG file has no frame header before its data.")
    if name != JPEG_SCAN:
        raise ImageDecodeFailed("The JPEG file has no pixels behind its header.")
    return *size, orientation_of(blocks)


def read_scans(data: bytes) -> JpegScans:
    """Step over all scans of a JPEG whose header has been read.

    Raises:
        ImageDecodeFailed: It has more than ``MAX_SCANS``.
    """
    walk, at = _ScanWalk(data), 2
    for _ in range(MAX_SCANS + 1):
        try:
            for part in jpeg_segments(data, at):
                walk.take(part)
        except ImageDecodeFailed:  # the file ends between two scans
            return walk.open_end()
        if part.name == JPEG_END:
            return JpegScans(walk.end, closed=True, damage="")
        at = walk.step_over_pixels(part)
        if data[at + 1 : at + 2] == _START:  # another picture
            return walk.open_end()
    raise ImageDecodeFailed(f"The JPEG file has more than {MAX_SCANS} scans. Export it again.", max_scans=MAX_SCANS)


@dataclass(frozen=True, slots=True)
class _Component:
    number: int
    across: int
    down: int


class _ScanWalk:
    """Keeps what the segments so far have said, to judge a file without end marker."""

    def __init__(self, data: bytes) -> None:
        self.end = 0
        self._data = data
        self._coding = b""
        self._size = (0, 0)
        self._components: list[_Component] = []
        self._interval = 0
        self._bits_left: dict[int, list[int | None]] = {}  # of each coefficient of a component; None: no bit has come
        self._rows_missing = False

    def take(self, part: Part) -> None:
        """The next segment."""
        content = part.of(self._data) if part.length < _LONGEST_READ else b""
        if part.name in SOF_MARKERS and not self._coding and len(content) >= _FRAME_HEAD:
            self._take_frame(part.name, content)
        elif part.name == _RESTART_INTERVAL and len(content) >= 2:
            self._interval = int.from_bytes(content[:2], "big")
        elif part.name == JPEG_SCAN and content and len(content) >= 4 + 2 * content[0]:
            self._take_scan(content)

    def _take_frame(self, coding: bytes, content: bytes) -> None:
        height, width = struct.unpack_from(">HH", content, 1)
        rows = [content[at : at + 3] for at in range(_FRAME_HEAD, _FRAME_HEAD + 3 * content[5], 3)]
        self._coding, self._size = coding, (width, height)
        self._components = [_Component(row[0], row[1] >> 4, row[1] & 15) for row in rows if len(row) == 3]
        self._bits_left = {one.number: [None] * _COEFFICIENTS for one in self._components}

    def _take_scan(self, content: bytes) -> None:
        numbers = content[1 : 1 + 2 * content[0] : 2]
        first, last, bits = content[1 + 2 * content[0] :][:3]
        low, high = (first, last + 1) if self._coding == _PROGRESSIVE else (0, _COEFFICIENTS)
        for number in numbers:
            plane = self._bits_left.get(number, [])
            plane[low:high] = [bits & 15] * len(plane[low:high])

    def step_over_pixels(self, scan: Part) -> int:
        """Where the pixels behind a scan's header end."""
        # Within them 0xFF is always followed by zero or by the second byte of a restart marker.
        behind = _BEHIND_PIXELS.search(self._data, scan.end)
        self.end = behind.start() if behind else len(self._data)
        self._rows_missing = self._lacks_restarts(scan)
        return self.end

    def _lacks_restarts(self, scan: Part) -> bool:
        """Whether a scan has fewer restart markers than its blocks want (ITU-T T.81, section B.2.1)."""
        if not self._interval or not self._components or scan.start >= len(self._data):
            return False
        numbers = self._data[scan.start + 1 : scan.start + 1 + 2 * self._data[scan.start] : 2]
        wanted = (self._units(numbers) - 1) // self._interval
        return len(_RESTART.findall(self._data, scan.end, self.end)) < wanted

    def _units(self, numbers: bytes) -> int:
        """Minimum coded units of a scan (ITU-T T.81, sections A.2.2 and A.2.3)."""
        across = 8 * (max(one.across for one in self._components) or 1)
        down = 8 * (max(one.down for one in self._components) or 1)
        if len(numbers) == 1:
            own = next((one for one in self._components if one.number == numbers[0]), None)
            across, down = (across // (own.across or 1), down // (own.down or 1)) if own else (across, down)
        return -(-self._size[0] // across) * -(-self._size[1] // down)

    def open_end(self) -> JpegScans:
        """The file has no end marker: whether each coefficient of each component came to its last bit."""
        if self._rows_missing:
            return JpegScans(self.end, closed=False, damage="its last rows are missing")
        if self._coding not in (*_SEQUENTIAL, _PROGRESSIVE):
            return JpegScans(self.end, closed=False, damage="it ends before its last part")
        whole = self._bits_left and all(set(plane) == {0} for plane in self._bits_left.values())
        return JpegScans(self.end, closed=False, damage="" if whole else "its last scans are missing")
