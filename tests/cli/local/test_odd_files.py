"""Odd files through the console script: one JSON document, the right status, never a traceback."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.cli.conftest import Run
from tests.odd.table import ROWS, Original, Row

from facefleet.media.sniff import sniff

pytestmark = pytest.mark.usefixtures("models")

# A run takes a second, so this is a part of each group; the engine's tests have all.
SHOWN = (
    "a GIF",
    "a JPEG that is a ZIP too",
    "a JPEG of 12 bits",
    "a PNG whose pixels unpack to a gigabyte",
    "inks with a profile",
    "a profile of noise",
)


@pytest.fixture
def original(samples: Mapping[str, Path]) -> Original:
    image = cv2.imread(str(samples["astronaut"]))
    assert image is not None
    return Original(np.asarray(image, np.uint8))


@pytest.mark.parametrize("row", [row for row in ROWS if row.name in SHOWN], ids=lambda row: row.name)
def test_an_odd_file_is_told_in_json(run: Run, original: Original, tmp_path: Path, row: Row) -> None:
    (tmp_path / "odd.jpg").write_bytes(row.make(original))  # whatever it is: names prove nothing
    done = run("faces", "odd.jpg", "--json")
    assert "Traceback" not in done.err
    assert done.status == (1 if row.code else 0)
    found = done.error["code"] if row.code else len(done.document["faces"])
    assert found == (row.code or row.faces)


@pytest.mark.parametrize("form", ["png", "webp", "jpeg"])
def test_a_photo_of_a_wrong_name_is_fused_by_its_content(
    run: Run, original: Original, tmp_path: Path, form: str
) -> None:
    (tmp_path / "source.webp").write_bytes(original.jpeg)
    (tmp_path / "target.txt").write_bytes(getattr(original, form))
    done = run("fuse", "source.webp", "target.txt", "--output", f"fused.{form}", "--json")
    assert done.status == 0, done.out
    assert str(sniff((tmp_path / f"fused.{form}").read_bytes()).type) == f"image/{form}"


def test_a_damaged_target_of_a_fusion_leaves_no_file(run: Run, original: Original, tmp_path: Path) -> None:
    (tmp_path / "source.jpg").write_bytes(original.jpeg)
    (tmp_path / "target.jpg").write_bytes(original.jpeg[:-500])
    done = run("fuse", "source.jpg", "target.jpg", "--output", "fused.jpg", "--json")
    assert done.error["code"] == "image_decode_failed"
    assert not (tmp_path / "fused.jpg").exists()
