from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from benchmarks.quality.camera import noisy
from tests.engine.conftest import Photo
from tests.engine.pictures import jpeg

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.noise import Noise, noise_of
from facefleet.engine.mesh.prepared import PreparedFace, prepare
from facefleet.engine.types import Pixels, Portrait


def face_of(engine: Engine, data: bytes) -> PreparedFace:
    return prepare(Portrait(decode(data).pixels, engine.faces(data).faces[0]))


@pytest.fixture(scope="module")
def face(engine: Engine, photo: Photo) -> PreparedFace:
    return face_of(engine, photo("smiling_man"))


def of_patch(face: PreparedFace, patch: Pixels) -> Noise:
    return noise_of(patch, face.region.local(face.face.landmarks, (face.region.width, face.region.height)))


@pytest.mark.parametrize("kind", ["demosaiced", "smoothed"])
def test_strength_is_that_of_the_noise_in_each_octave(face: PreparedFace, kind: str) -> None:
    grey = np.full_like(face.patch, 128)
    found = of_patch(face, noisy(face.patch, kind, 3200, 1)).strength
    alone = of_patch(face, noisy(grey, kind, 3200, 1)).total
    assert found[:2] == pytest.approx(alone[:2], rel=0.3)


def test_stronger_noise_measures_stronger(face: PreparedFace) -> None:
    found = [of_patch(face, noisy(face.patch, "smoothed", level, 1)).strength for level in (800, 1600, 3200, 6400)]
    assert all((one[:2] < other[:2]).all() for one, other in pairwise(found))


@pytest.mark.parametrize("name", ["smiling_man", "portrait_man", "smiling_woman", "astronaut", "friends", "group"])
def test_a_clean_photo_is_not_noisy_however_detailed_its_small_faces(engine: Engine, photo: Photo, name: str) -> None:
    assert face_of(engine, photo(name)).noise is None


@pytest.mark.parametrize("quality", [95, 75])
@pytest.mark.parametrize("kind", ["demosaiced", "smoothed"])
def test_a_noisy_photo_is_noisy(face: PreparedFace, kind: str, quality: int) -> None:
    assert of_patch(face, decode(jpeg(noisy(face.patch, kind, 1600, 1), quality)).pixels).visible


def test_jpeg_of_low_quality_is_no_noise(face: PreparedFace) -> None:
    assert not of_patch(face, decode(jpeg(face.patch, 20)).pixels).visible


def test_a_face_lacks_nothing_of_noise_that_it_has_and_all_of_noise_that_it_has_not(face: PreparedFace) -> None:
    clean, one, other = (
        of_patch(face, patch)
        for patch in (face.patch, *(noisy(face.patch, "demosaiced", 6400, seed) for seed in (1, 2)))
    )
    assert one.exceeds(clean)
    assert not one.exceeds(other)
    assert one.lacking(clean)[:2] == pytest.approx(1, abs=0.05)
    assert (one.lacking(other)[:2] < 0.4).all()


def test_small_faces_are_measured_too(face: PreparedFace) -> None:
    small = np.ascontiguousarray(noisy(face.patch, "smoothed", 3200, 1)[:20, :17])
    assert noise_of(small, np.full((468, 2), 9, np.float32)).visible
