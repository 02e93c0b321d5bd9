"""Odd files at the door: what a header shows is refused at once and nothing of it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.odd.table import ROWS, Original, Row

from .conftest import Door

pytestmark = pytest.mark.needs_server


@pytest.fixture(scope="module")
def original(samples: Mapping[str, Path]) -> Original:
    image = cv2.imread(str(samples["astronaut"]))
    assert image is not None
    return Original(np.asarray(image, np.uint8))


def wanted(row: Row) -> tuple[int, str]:
    """Status and code; what only the pixels show is the worker's to find."""
    if not row.code or not row.anywhere:
        return 202, ""
    if row.name == "no byte":  # browsers send an empty part where no file was chosen
        return 422, "upload_missing"
    status = {"image_type_unsupported": 415, "image_too_large_bytes": 413}.get(row.code, 422)
    return status, row.code


def test_odd_files_are_refused_by_their_headers_and_not_kept(door: Door, original: Original) -> None:
    wrong, taken, source = {}, 0, original.jpeg
    for row in ROWS:
        answer = door.submit(source=source, target=row.make(original))
        found = answer.status_code, answer.json().get("code", "")
        taken += found[0] == 202
        if found != wanted(row):
            wrong[row.name] = found
    assert not wrong
    assert len(door.kept()) == 2 * taken
