"""Server-sent events out of bytes, however those are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facefleet.client.sse import Message, Parser


def parsed(*chunks: bytes) -> list[Message]:
    parser = Parser()
    return [message for chunk in chunks for message in parser.feed(chunk)]


STREAM = (
    'retry: 1000\r\n\r\n: still here\n\nid: 3\nevent: running\ndata: {"a":\ndata:1}\n\n'
    "data: one\u2028line\r\rid\ndata\n\nid: 5\nevent: lost"
).encode()
MESSAGES = [Message("3", "running", '{"a":\n1}'), Message("3", "message", "one\u2028line"), Message("", "message", "")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_messages_are_the_same_wherever_the_stream_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[a:b] for a, b in pairwise(edges)]
    assert parsed(*chunks) == MESSAGES


@pytest.mark.parametrize("text", [b"", b": comment\n\n", b"event: running\n\n", b"id: 1\n\n", b"data: unfinished\n"])
def test_what_carries_no_data_to_its_end_is_no_message(text: bytes) -> None:
    assert parsed(text) == []
