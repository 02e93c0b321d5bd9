from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import png

from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.align import Mouth, align, choose_mouth, mouth_opening, signed_areas
from facefleet.engine.mesh.prepared import PreparedFace, prepare
from facefleet.engine.mesh.warp import drawn, find_lookup, patch_near
from facefleet.engine.steps.blend import Overlay, blend
from facefleet.engine.steps.region import Region
from facefleet.engine.steps.topology import OVAL, topology
from facefleet.engine.types import Face, Pixels, Portrait


@pytest.fixture(scope="module")
def face(engine: Engine, astronaut: Pixels) -> Face:
    return engine.faces(png(astronaut)).faces[0]


def drawn_over(source: PreparedFace, target: PreparedFace, shape: float) -> Pixels:
    alignment = align(source.face, target.face, shape)
    size = target.region.width, target.region.height
    return drawn(patch_near(source, alignment.scale), source, find_lookup(alignment, target), size)[..., :3]


@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (0, 1)])
@pytest.mark.parametrize("zoom", [1, 4])
def test_a_face_drawn_onto_itself_is_itself(
    engine: Engine, astronaut: Pixels, corner: tuple[int, int], zoom: int
) -> None:
    # Odd starts, and a map far smaller than the face: neither may shift a pixel.
    large = cv2.resize(astronaut[corner[1] :, corner[0] :], None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    pixels = np.asarray(large, np.uint8)
    own = prepare(Portrait(pixels, engine.faces(png(pixels)).faces[0]))
    inside = np.zeros(pixels.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.round(own.face.landmarks[list(OVAL), :2]).astype(np.int32)], 1)
    error = np.abs(drawn_over(own, own, 0.5).astype(int) - own.patch)[own.region.of(inside) > 0]
    assert error.mean() < 0.5


def test_a_source_of_three_times_the_size_does_not_alias(engine: Engine, astronaut: Pixels, face: Face) -> None:
    # A fine grid over the large source must come out as its mean, not as stripes.
    large = np.asarray(cv2.resize(astronaut, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC), np.uint8)
    source = engine.faces(png(large)).faces[0]
    grid = np.zeros_like(large)
    grid[:, ::2] = 200
    pixels = drawn_over(prepare(Portrait(grid, source)), prepare(Portrait(astronaut, face)), 0.0)
    assert pixels[20:-20, 20:-20].std() < 20  # of a standard deviation of 100
    assert pixels.mean() == pytest.approx(100, abs=5)


def test_alignment_leaves_the_outline_of_the_target(engine: Engine, photo: Photo, face: Face) -> None:
    other = engine.faces(photo("smiling_man")).faces[0]
    geometry = align(other, face, 1.0).geometry
    assert np.array_equal(geometry[list(OVAL)], face.landmarks[list(OVAL)])
    assert not np.allclose(geometry, face.landmarks, atol=0.5)


def test_no_shape_share_gives_the_target_and_a_larger_one_moves_further(
    engine: Engine, photo: Photo, face: Face
) -> None:
    other = engine.faces(photo("smiling_man")).faces[0]
    moved = [
        float(np.abs(align(other, face, share).geometry - face.landmarks).mean()) for share in (0.0, 0.3, 0.6, 0.9)
    ]
    assert moved[0] == 0
    assert moved == sorted(moved)


def test_the_full_shape_of_another_folds_nothing(engine: Engine, photo: Photo, face: Face) -> None:
    triangles = topology().triangles
    before = signed_areas(face.landmarks[:, :2], triangles)
    for name in ("surprised_woman", "grace_hopper", "portrait_man", "bearded_man"):
        other = engine.faces(photo(name)).faces[0]
        after = signed_areas(align(other, face, 1.0).geometry[:, :2], triangles)
        facing = before > np.median(before) * 0.1
        assert (after[facing] > 0).mean() > 0.998


@pytest.mark.parametrize(
    ("source", "target", "mouth"),
    [
        (0.02, 0.03, Mouth.SOURCE),
        (0.15, 0.17, Mouth.SOURCE),
        (0.03, 0.15, Mouth.INSIDE_KEPT),
        (0.2, 0.1, Mouth.INSIDE_KEPT),
        (0.2, 0.02, Mouth.KEPT),
        (0.02, 0.25, Mouth.INSIDE_KEPT),
        (0.02, 0.29, Mouth.KEPT),
        (0.25, 0.35, Mouth.KEPT),
    ],
)
def test_the_mouth_follows_the_openings(source: float, target: float, mouth: Mouth) -> None:
    assert choose_mouth(source, target) is mouth


def test_an_open_mouth_measures_more_than_a_closed_one(engine: Engine, photo: Photo) -> None:
    opening = {
        name: mouth_opening(engine.faces(photo(name)).faces[0].landmarks)
        for name in ("surprised_woman", "astronaut", "grace_hopper")
    }
    assert opening["surprised_woman"] > opening["astronaut"] > opening["grace_hopper"]


def test_blending_leaves_every_pixel_without_alpha_alone() -> None:
    random = np.random.default_rng(7)
    canvas = random.integers(0, 256, (40, 50, 3), np.uint8)
    before = canvas.copy()
    face = random.integers(0, 256, (10, 20, 3), np.uint8)
    layer = Overlay(Region(5, 6, 20, 10), face, np.eye(10, 20, dtype=np.float32))
    blend(canvas, layer, 1.0)
    changed = np.zeros((40, 50), np.bool_)
    changed[6:16, 5:25] = layer.share > 0
    assert np.array_equal(canvas[~changed], before[~changed])
    assert np.array_equal(canvas[changed], face[layer.share > 0])


def test_a_blend_without_strength_changes_no_value_there_is() -> None:
    canvas = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    before = canvas.copy()
    full = np.ones((16, 16), np.float32)
    blend(canvas, Overlay(Region(0, 0, 16, 16), 255 - canvas, full), 0.0)
    assert np.array_equal(canvas, before)
