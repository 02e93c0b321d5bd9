"""Frames are found where one is worn, and on no bare face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.glasses import BAND, MIDDLE, Glasses
from facefleet.engine.mesh.prepared import PreparedFace, prepare
from facefleet.engine.steps.topology import LEFT_EYE, RIGHT_EYE
from facefleet.engine.types import Face, Floats, Pixels, Portrait

BARE = ("astronaut", "portrait_man", "smiling_woman", "surprised_woman", "turned_woman", "smiling_man", "bearded_man")


def ready(engine: Engine, data: bytes) -> PreparedFace:
    return prepare(Portrait(decode(data).pixels, engine.faces(data).faces[0]))


def frame_over(pixels: Pixels, face: Face, thick: float) -> tuple[Pixels, Pixels]:
    """Round dark glasses drawn over a face, and where; ``thick`` is in distances between the eyes."""
    centres = [face.landmarks[list(eye), :2].mean(axis=0) for eye in (RIGHT_EYE, LEFT_EYE)]
    across = centres[1] - centres[0]
    apart = float(np.linalg.norm(across))
    drawn = np.zeros(pixels.shape[:2], np.uint8)
    width, radius = max(1, round(thick * apart)), round(0.28 * apart)
    for centre in centres:
        cv2.circle(drawn, tuple(int(value) for value in centre), radius, 255, width, cv2.LINE_AA)
    inner = np.array([centres[0] + 0.28 * across, centres[1] - 0.28 * across])
    cv2.polylines(drawn, [inner.astype(np.int32)], False, 255, width, cv2.LINE_AA)
    share: Floats = np.asarray(drawn[..., None], np.float32) / np.float32(255)
    return np.asarray(pixels * (1 - share) + 30 * share, np.uint8), drawn


@pytest.mark.parametrize("name", BARE)
def test_a_bare_face_wears_none(engine: Engine, photo: Photo, name: str) -> None:
    assert ready(engine, photo(name)).glasses is None


@pytest.mark.parametrize("thick", [0.025, 0.06])
def test_a_drawn_frame_is_found_on_each_face_and_most_of_it_followed(
    engine: Engine, photo: Photo, thick: float
) -> None:
    followed = []
    for name in ("astronaut", "smiling_woman", "smiling_man"):
        face = engine.faces(photo(name)).faces[0]
        pixels, drawn = frame_over(decode(photo(name)).pixels, face, thick)
        prepared = prepare(Portrait(pixels, face))
        assert prepared.glasses is not None
        over = prepared.glasses.over((prepared.region.width, prepared.region.height))
        followed.append(float(over[prepared.region.of(drawn) > 128].mean()))
    assert np.median(followed) > 0.8
    assert min(followed) > 0.65


def test_the_targets_frame_stays_in_front_of_the_sources_eyes(engine: Engine, photo: Photo) -> None:
    prepared = ready(engine, photo("grace_hopper"))
    assert prepared.glasses is not None
    over = prepared.glasses.over((prepared.region.width, prepared.region.height)) > 0.9
    fused = decode(engine.fuse(photo("smiling_woman"), photo("grace_hopper")).picture.image).pixels
    away = np.abs(prepared.region.of(fused).astype(int) - prepared.patch)[over]
    assert over.sum() > 500
    assert away.mean() < 6


def test_a_mask_of_the_band_lies_where_its_transform_says() -> None:
    mask = np.zeros((BAND[1], BAND[0]), np.uint8)
    cv2.circle(mask, (int(MIDDLE[0]), int(MIDDLE[1])), 8, 255, -1)
    over = Glasses(mask, np.array([[2.0, 0, 0], [0, 2.0, 0]])).over((150, 85))
    assert over[37, 75] == pytest.approx(1, abs=0.01)
    assert over[60, 75] == 0
