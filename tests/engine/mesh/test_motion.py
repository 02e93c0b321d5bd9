from __future__ import annotations

import cv2
import numpy as np
import pytest
from benchmarks.quality.camera import noisy, smeared
from tests.engine.conftest import Photo

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.motion import Motion, find_motion
from facefleet.engine.mesh.swapper import MeshSwapper
from facefleet.engine.steps.blend import Layer
from facefleet.engine.types import Floats, Pixels, Portrait
from facefleet.options import FuseOptions

SOURCE = "smiling_woman"
TARGETS = ("surprised_woman", "astronaut", "group", "smiling_man")


@pytest.fixture(scope="module")
def portraits(engine: Engine, photo: Photo) -> dict[str, Portrait]:
    return {
        name: Portrait(decode(photo(name)).pixels, engine.faces(photo(name)).faces[0]) for name in (SOURCE, *TARGETS)
    }


def fused(source: Portrait, target: Portrait, pixels: Pixels) -> Layer:
    swapper = MeshSwapper()
    below = swapper.prepare_target(Portrait(pixels, target.face))
    return swapper.swap(swapper.prepare_source(source), below, FuseOptions(), lambda _: None)


def found(source: Portrait, target: Portrait, pixels: Pixels) -> Motion | None:
    detail = MeshSwapper().prepare_target(Portrait(pixels, target.face)).detail
    assert detail is not None
    return find_motion(detail, fused(source, target, target.pixels).pixels)


@pytest.mark.parametrize("angle", [0, 45, 135])
@pytest.mark.parametrize("length", [9, 15])
@pytest.mark.parametrize("name", TARGETS[:2])
def test_motion_is_measured(portraits: dict[str, Portrait], name: str, length: int, angle: float) -> None:
    target = portraits[name]
    motion = found(portraits[SOURCE], target, smeared(target.pixels, length, angle))
    assert motion is not None
    assert abs((motion.angle - angle + 90) % 180 - 90) < 15
    assert motion.length == pytest.approx(length, rel=0.5)


def test_the_motion_of_a_noisy_photo_is_measured(portraits: dict[str, Portrait]) -> None:
    target = portraits["surprised_woman"]
    motion = found(portraits[SOURCE], target, noisy(smeared(target.pixels, 13, 0), "demosaiced", 800, 1))
    assert motion is not None
    assert abs((motion.angle + 90) % 180 - 90) < 15
    assert motion.length == pytest.approx(13, rel=0.5)


@pytest.mark.parametrize("sigma", [0.0, 1.2, 2.0, 3.5])
def test_a_sharp_or_evenly_soft_photo_did_not_move(portraits: dict[str, Portrait], sigma: float) -> None:
    for name in TARGETS:
        target = portraits[name]
        pixels = target.pixels if sigma == 0 else np.asarray(cv2.GaussianBlur(target.pixels, (0, 0), sigma), np.uint8)
        assert found(portraits[SOURCE], target, pixels) is None, name


def test_what_differs_from_the_sharp_face_every_way_is_blur_and_no_motion(portraits: dict[str, Portrait]) -> None:
    """These two faces differ by direction, too, once the finest detail is gone."""
    source, target = portraits["astronaut"], portraits["smiling_man"]
    pixels = np.asarray(cv2.GaussianBlur(target.pixels, (0, 0), 3.5), np.uint8)
    assert found(source, target, pixels) is None


@pytest.mark.parametrize("angle", [0.0, 90.0])
def test_a_fused_face_has_the_motion_of_the_photo(portraits: dict[str, Portrait], angle: float) -> None:
    """Its detail is gone along the path, not across it."""
    target = portraits["surprised_woman"]
    moved = fused(portraits[SOURCE], target, smeared(target.pixels, 11, angle))
    still = fused(portraits[SOURCE], target, target.pixels)
    left = [float(np.log(slopes(moved.pixels, axis) / slopes(still.pixels, axis))) for axis in (0, 1)]
    assert (left[0] if angle == 0 else left[1]) < (left[1] if angle == 0 else left[0]) - 0.4


def slopes(pixels: Pixels, axis: int) -> float:
    """Mean square of fine differences to the right or down."""
    grey: Floats = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 2)
    return float(np.square(np.diff(fine, axis=1 - axis)).mean())


@pytest.mark.parametrize(("length", "angle"), [(3.0, 0.0), (8.0, 30.0), (15.0, 135.0)])
def test_the_kernel_is_a_path_of_that_length_and_direction(length: float, angle: float) -> None:
    kernel = Motion(length, angle).kernel()
    places = np.arange(len(kernel)) - len(kernel) // 2
    x, y = np.meshgrid(places, places)
    assert kernel.sum() == pytest.approx(1)
    spread = np.array(
        [[(kernel * x * x).sum(), (kernel * x * y).sum()], [(kernel * x * y).sum(), (kernel * y * y).sum()]]
    )
    path = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
    assert np.sqrt(12 * path @ spread @ path) == pytest.approx(length, abs=0.5)
