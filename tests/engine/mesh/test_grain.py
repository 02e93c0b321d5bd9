from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import jpeg

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.grain import Grain, grain_of, matched
from facefleet.engine.mesh.prepared import PreparedFace, prepare
from facefleet.engine.types import Face, Pixels, Portrait


@pytest.fixture(scope="module")
def portrait(engine: Engine, photo: Photo) -> Portrait:
    return Portrait(decode(photo("smiling_woman")).pixels, engine.faces(photo("smiling_woman")).faces[0])


def noisy(pixels: Pixels, sigma: float) -> Pixels:
    noise = np.random.default_rng(3).normal(0, sigma, pixels.shape[:2])[..., None]
    return np.asarray(np.clip(pixels + noise, 0, 255), np.uint8)


def soft(pixels: Pixels, sigma: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)


def prepared(pixels: Pixels, face: Face) -> PreparedFace:
    return prepare(Portrait(pixels, face))


@pytest.mark.parametrize("sigma", [4.0, 8.0, 15.0])
def test_noise_is_measured(portrait: Portrait, sigma: float) -> None:
    assert prepared(noisy(portrait.pixels, sigma), portrait.face).grain.noise == pytest.approx(sigma, rel=0.2)


@pytest.mark.parametrize("sigma", [1.5, 2.5, 4.0])
def test_blur_is_measured(portrait: Portrait, sigma: float) -> None:
    own = prepared(portrait.pixels, portrait.face).grain.softness
    found = prepared(soft(portrait.pixels, sigma), portrait.face).grain.softness
    assert found == pytest.approx(float(np.hypot(own, sigma)), rel=0.35)


def test_a_face_becomes_as_soft_as_the_target(portrait: Portrait) -> None:
    own = prepared(portrait.pixels, portrait.face)
    local = own.region.local(portrait.face.landmarks, (own.region.width, own.region.height))
    blurred = prepared(soft(portrait.pixels, 3.0), portrait.face).grain
    assert grain_of(matched(own.patch, own.grain, blurred), local).softness == pytest.approx(blurred.softness, rel=0.25)


def test_a_face_like_the_target_is_left_alone() -> None:
    face = np.random.default_rng(5).integers(0, 256, (90, 80, 3), np.uint8)
    assert matched(face, Grain(1.0, 3.0), Grain(1.0, 3.0)) is face


def test_jpeg_of_low_quality_is_no_grain(portrait: Portrait) -> None:
    poor = decode(jpeg(portrait.pixels, 20)).pixels
    assert prepared(poor, portrait.face).grain.noise < 2
