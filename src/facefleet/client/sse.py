"""Parses server-sent events (WHATWG HTML 9.2.6) from bytes that the caller has read."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass

_LINE_END = re.compile("\r\n|\n|\r")  # and no other: text may hold U+2028, which splitlines would break at


@dataclass(frozen=True, slots=True)
class Message:
    """One event as it was sent.

    Attributes:
        id: The last that was given, in this message or before; empty where none was.
        event: Its name.
        data: Its lines, joined.
    """

    id: str
    event: str
    data: str


class Parser:
    """Takes the bytes of a stream as they come and gives the messages that are complete."""

    def __init__(self) -> None:
        self._decode = getincrementaldecoder("utf-8")(errors="replace").decode
        self._rest = ""
        self._id = ""
        self._event = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """The messages that end in this chunk; comments, and messages without data, are none."""
        for line in self._lines(self._decode(chunk)):
            if line:
                self._take(line)
                continue
            if self._data:
                yield Message(self._id, self._event or "message", "\n".join(self._data))
            self._event, self._data = "", []

    def _lines(self, text: str) -> list[str]:
        text = self._rest + text
        held = text.endswith("\r")  # the other half of its line end may come yet
        lines = _LINE_END.split(text[:-1] if held else text)
        self._rest = lines.pop() + ("\r" if held else "")
        return lines

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
