"""What of a source is not given."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import png
from tests.engine.test_looks import fused, inside, psnr

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh import masks
from facefleet.engine.mesh.prepared import PreparedFace, prepare
from facefleet.engine.steps import topology
from facefleet.engine.steps.practice import practice_portrait
from facefleet.engine.types import Face, Pixels, Portrait
from facefleet.options import FuseOptions

Side = tuple[tuple[int, ...], tuple[int, ...], int]
SIDES: list[Side] = [(topology.RIGHT_BROW, topology.RIGHT_EYE, 234), (topology.LEFT_BROW, topology.LEFT_EYE, 454)]


def test_the_forehead_beside_hair_is_not_given_and_the_outline_of_the_face_is() -> None:
    portrait = practice_portrait()
    parts = masks.parts_of(portrait.face.landmarks, (256, 256))
    brow = int(np.flatnonzero(parts.brows.any(axis=1))[0])
    hair = np.zeros((256, 256), np.uint8)
    hair[: brow - 20] = 255  # across the forehead
    hair[:, : int(np.flatnonzero(parts.face.any(axis=0))[0]) + 12] = 255  # and down beside the face
    wide = masks.with_shadow(hair, parts)
    reach = round(masks.SHADOW * parts.width)
    assert reach >= 2
    assert (wide[brow - 20 : brow - 20 + reach, 128] == 255).all()
    assert wide[brow - 20 + reach, 128] == 0, "and no further"
    below = parts.lower > 0
    assert (wide[below] == hair[below]).all()
    eyes = parts.features > 0
    assert (wide[eyes] == hair[eyes]).all()


def face_of(engine: Engine, file: bytes) -> tuple[Pixels, Face]:
    return decode(file).pixels.copy(), engine.faces(file).faces[0]


def at(prepared: PreparedFace, point: np.ndarray) -> float:
    """What the mask says at a point of the photo."""
    x, y = np.round(prepared.region.local(point[None], prepared.size)[0]).astype(int)
    return float(prepared.occlusion.mask[y, x])


def with_lock(pixels: Pixels, face: Face, side: Side) -> Pixels:
    """A dark lock of hair from the forehead over the outer quarter of a brow and down beside the eye."""
    brow, _, ear = side
    points = face.landmarks[:, :2]
    width = float(np.linalg.norm(points[454] - points[234]))
    inner = points[brow[4]]
    end = 0.75 * points[brow[0]] + 0.25 * inner
    up, down, out = np.array([(0, -0.6 * width), (0, 0.1 * width), (np.sign(end[0] - inner[0]) * 0.3 * width, 0)])
    lock = np.stack([end + up, end, points[ear] + down, points[ear] + down + out, end + up + out])
    hidden = pixels.copy()
    cv2.fillPoly(hidden, [np.round(lock).astype(np.int32)], (12, 12, 14))
    return hidden


@pytest.mark.parametrize("side", SIDES, ids=["right", "left"])
def test_a_lock_of_hair_over_the_end_of_a_brow_is_not_the_brow(engine: Engine, photo: Photo, side: Side) -> None:
    pixels, face = face_of(engine, photo("smiling_man"))
    brow, eye, _ = side
    plain = prepare(Portrait(pixels, face))
    points = face.landmarks[:, :2]
    end, inner = points[brow[0]], points[brow[4]]
    assert at(plain, end) < 0.1, "without the lock the brow is the brow"
    covered = prepare(Portrait(with_lock(pixels, face, side), face))
    assert at(covered, end) > 0.5
    assert at(covered, inner) < 0.1, "the rest of the brow is given"
    assert at(covered, points[list(eye)].mean(axis=0)) < 0.1, "and the eye"
    assert plain.occlusion.covered_brow is None
    assert covered.occlusion.covered_brow == SIDES.index(side)


@pytest.mark.parametrize("side", SIDES, ids=["right", "left"])
def test_the_other_brow_goes_where_hair_covers_one(engine: Engine, photo: Photo, side: Side) -> None:
    target = photo("smiling_woman")
    pixels, face = face_of(engine, photo("smiling_man"))
    sources = pixels, with_lock(pixels, face, side)
    free, mended = (decode(engine.fuse(png(source), target).picture.image).pixels for source in sources)
    points = engine.faces(target).faces[0].landmarks[:, :2]
    near: Pixels = np.zeros(free.shape[:2], np.uint8)
    cv2.fillConvexPoly(near, cv2.convexHull(np.round(points[list(side[0])]).astype(np.int32)), 1)
    near = np.asarray(cv2.dilate(near, np.ones((21, 21), np.uint8)), np.uint8)
    across = [np.abs(cv2.Sobel(each[..., 1], cv2.CV_32F, 1, 0))[near > 0] for each in (free, mended)]
    plain, new = (float(np.quantile(each, 0.99)) for each in across)
    assert new < 1.3 * plain, "no edge where the lock began"


def test_a_brow_under_hair_is_itself_where_source_and_target_are_one(engine: Engine, photo: Photo) -> None:
    hidden = png(with_lock(*face_of(engine, photo("smiling_man")), SIDES[1]))
    before, after, face = fused(engine, hidden, hidden, FuseOptions())
    mask = inside(face, before.shape)
    assert psnr(before[mask], after[mask]) >= 45


def test_painted_lids_are_no_sunglasses(engine: Engine, photo: Photo) -> None:
    pixels, face = face_of(engine, photo("smiling_man"))
    for loop in (topology.UNDER_RIGHT_EYE, topology.UNDER_LEFT_EYE):
        hull = cv2.convexHull(np.round(face.landmarks[list(loop), :2]).astype(np.int32))
        cv2.fillConvexPoly(pixels, hull, (20, 8, 12))
    assert not prepare(Portrait(pixels, face)).occlusion.eyes_covered


def test_sunglasses_cover_the_eyes(engine: Engine, photo: Photo) -> None:
    pixels, face = face_of(engine, photo("smiling_man"))
    for loop in (topology.BELOW_RIGHT_EYE + topology.RIGHT_EYE, topology.BELOW_LEFT_EYE + topology.LEFT_EYE):
        hull = cv2.convexHull(np.round(face.landmarks[list(loop), :2]).astype(np.int32))
        cv2.fillConvexPoly(pixels, hull, (20, 8, 12))
    assert prepare(Portrait(pixels, face)).occlusion.eyes_covered
