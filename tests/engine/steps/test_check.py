from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo

from facefleet.engine.build import LANDMARK
from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.swapper import MeshSwapper
from facefleet.engine.models.litert import LiteRtSession
from facefleet.engine.steps.blend import Layer, blend
from facefleet.engine.steps.check import Quality, blend_checked, measure
from facefleet.engine.steps.landmarks import Landmarker
from facefleet.engine.types import ModelFiles, Pixels, Portrait
from facefleet.errors.input import FusionQualityLow
from facefleet.options import FuseOptions

Scene = tuple[Pixels, Layer]


@pytest.fixture(scope="module")
def landmarker(models: dict[str, ModelFiles]) -> Landmarker:
    return Landmarker(LiteRtSession(models[LANDMARK]))


@pytest.fixture(scope="module")
def good(engine: Engine, photo: Photo) -> Scene:
    """A fusion that looks right."""
    swapper = MeshSwapper()
    pixels = [decode(photo(name)).pixels for name in ("smiling_woman", "smiling_man")]
    faces = [engine.faces(photo(name)).faces[0] for name in ("smiling_woman", "smiling_man")]
    source, target = (swapper.prepare_target(Portrait(*pair)) for pair in zip(pixels, faces, strict=True))
    return pixels[1], swapper.swap(source, target, FuseOptions(), lambda _: None)


def shown(scene: Scene, layer: Layer, landmarker: Landmarker) -> Quality:
    canvas = scene[0].copy()
    blend(canvas, layer, 1.0)
    return measure(canvas, layer, landmarker, 1.0)


def bad(layer: Layer, fault: str) -> Layer:
    if fault == "upside_down":
        return replace(layer, pixels=np.ascontiguousarray(layer.pixels[::-1]))
    if fault == "shifted":
        return replace(layer, pixels=np.roll(layer.pixels, layer.region.height // 5, axis=0))
    if fault == "bright":
        return replace(layer, pixels=np.asarray(cv2.add(layer.pixels, np.full_like(layer.pixels, 110)), np.uint8))
    return replace(layer, pixels=np.asarray(layer.pixels * np.array([0.2, 1.6, 0.2]), np.uint8))  # green


FAULTS = ["upside_down", "shifted", "bright", "green"]


def test_a_good_result_passes(good: Scene, landmarker: Landmarker) -> None:
    assert shown(good, good[1], landmarker).reason is None


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_result_is_refused_with_its_figures_and_the_target_stays(
    good: Scene, landmarker: Landmarker, fault: str
) -> None:
    canvas = good[0].copy()
    with pytest.raises(FusionQualityLow) as caught:
        blend_checked(canvas, bad(good[1], fault), landmarker, 1.0, 1.0)
    assert caught.value.code == "fusion_quality_low"
    assert caught.value.detail["reason"] in ("landmarks", "seam", "colour")
    assert {"presence", "landmarks", "seam", "colour", "index"} <= set(caught.value.detail)
    assert np.array_equal(canvas, good[0])


@pytest.mark.parametrize("fault", ["bright", "green"])
def test_a_weaker_blend_is_taken_where_the_caller_allows_it(good: Scene, landmarker: Landmarker, fault: str) -> None:
    canvas = good[0].copy()
    used = blend_checked(canvas, bad(good[1], fault), landmarker, 1.0, 0.1)
    assert 0.1 <= used < 1.0
    assert not np.array_equal(canvas, good[0])


def test_a_good_result_is_not_weakened(good: Scene, landmarker: Landmarker) -> None:
    assert blend_checked(good[0].copy(), good[1], landmarker, 0.9, 0.2) == 0.9


def test_no_strength_needs_no_check(good: Scene, landmarker: Landmarker) -> None:
    canvas = good[0].copy()
    assert blend_checked(canvas, bad(good[1], "green"), landmarker, 0.0, 0.0) == 0.0
    assert np.array_equal(canvas, good[0])
