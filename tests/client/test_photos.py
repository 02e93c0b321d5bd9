"""A photo in a request: whatever form it has, it can be sent twice, and many need no open file each."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import httpx
import pytest

from facefleet.client.bodies import body as body_of
from facefleet.client.photos import Photo, contents
from facefleet.errors.input import FileUnreadable

DATA = os.urandom(200_000)


def body(photos: list[Photo]) -> tuple[bytes, bytes, int]:
    """The request as it is sent first, as it is sent again, and the length that it promises."""
    request = httpx.Request("POST", "http://x/", **body_of({}, contents({"source": photos})))
    first, second = (b"".join(request.stream) for _ in range(2))  # type: ignore[arg-type]
    return first, second, int(request.headers["content-length"])


@pytest.mark.parametrize("form", ["bytes", "bytearray", "memoryview", "path", "text", "stream", "file"])
def test_every_form_of_a_photo_is_sent_whole_and_again(tmp_path: Path, form: str) -> None:
    path = tmp_path / "Anna Müller.jpg"
    path.write_bytes(DATA)
    with path.open("rb") as file:
        forms: dict[str, Photo] = {
            "bytes": DATA, "bytearray": bytearray(DATA), "memoryview": memoryview(DATA), "path": path,
            "text": str(path), "stream": io.BytesIO(DATA), "file": file,
        }  # fmt: skip
        first, second, length = body([forms[form]])
    assert DATA in first
    assert first == second
    assert len(first) == length
    assert b"Anna" not in first, "the name of a file is nobody's business"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is open")
def test_files_are_open_only_while_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(DATA)
    request = httpx.Request("POST", "http://x/", **body_of({}, contents({"target": [path] * 300})))
    most = 0
    for number, _ in enumerate(request.stream):  # type: ignore[arg-type]
        if number % 50 == 0:
            most = max(most, sum(fd.resolve() == path for fd in Path("/proc/self/fd").iterdir()))
    assert most <= 1


def test_what_cannot_be_read_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match=r"nope\.jpg"):
        contents({"source": [tmp_path / "nope.jpg"]})
    with pytest.raises(FileUnreadable):
        contents({"source": [tmp_path]})
    with pytest.raises(FileUnreadable, match="text mode"):
        contents({"source": [io.StringIO("x")]})  # type: ignore[list-item]
