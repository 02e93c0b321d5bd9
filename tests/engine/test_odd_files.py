"""Odd and hostile files through the engine: the exact code of each, or the faces in it."""

from __future__ import annotations

import re

import pytest
from tests.odd.table import ROWS, SCRIPT, Original, Row

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.types import Pixels
from facefleet.errors.input import ImageDecodeFailed, ImageError
from facefleet.media.sniff import sniff


@pytest.fixture(scope="session")
def original(astronaut: Pixels) -> Original:
    return Original(astronaut)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_odd_file_is_read_or_refused_by_its_code(engine: Engine, original: Original, row: Row) -> None:
    data = row.make(original)
    if row.code:
        with pytest.raises(ImageError) as caught:
            engine.faces(data)
        assert caught.value.code == row.code
    else:
        assert len(engine.faces(data).faces) == row.faces


@pytest.mark.parametrize("row", [row for row in ROWS if not row.code and row.faces], ids=lambda row: row.name)
def test_an_odd_photo_is_a_target(engine: Engine, original: Original, row: Row) -> None:
    target = row.make(original)
    fused = engine.fuse(original.jpeg, target)
    before, after = sniff(target), sniff(fused.picture.image)
    assert (after.width, after.height, after.orientation) == (before.width, before.height, 1)
    assert after.type is before.type.result
    assert (decode(fused.picture.image).alpha is None) == (decode(target).alpha is None)
    assert SCRIPT not in fused.picture.image


@pytest.mark.parametrize("form", ["jpeg", "progressive"])
def test_a_jpeg_cut_at_any_of_its_markers_is_refused(original: Original, form: str) -> None:
    data: bytes = getattr(original, form)
    markers = [found.start() for found in re.finditer(rb"\xff[^\x00\xff]", data)]
    assert len(markers) > 10
    for marker in markers[1:-1]:  # the first is the signature, the last the end, which need not be there
        for cut in range(marker + 1, min(marker + 5, len(data))):
            with pytest.raises(ImageDecodeFailed):
                decode(data[:cut])


@pytest.mark.parametrize("form", ["png", "webp"])
def test_a_file_cut_anywhere_is_refused(original: Original, form: str) -> None:
    data: bytes = getattr(original, form)
    for cut in [*range(30, 120), *range(200, len(data), len(data) // 60), *range(len(data) - 16, len(data) - 4)]:
        with pytest.raises(ImageDecodeFailed):
            decode(data[:cut])
