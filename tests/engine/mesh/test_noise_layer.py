from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from benchmarks.quality.camera import noisy
from tests.engine.conftest import Photo
from tests.engine.pictures import jpeg, png

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.mesh.noise import Noise, noise_of
from facefleet.engine.mesh.noise_layer import with_noise
from facefleet.engine.mesh.prepared import PreparedFace, prepare
from facefleet.engine.steps.topology import CORE_SKIN
from facefleet.engine.types import Floats, Pixels, Portrait
from facefleet.options import FuseOptions


@pytest.fixture(scope="module")
def face(engine: Engine, photo: Photo) -> PreparedFace:
    data = photo("smiling_man")
    return prepare(Portrait(decode(data).pixels, engine.faces(data).faces[0]))


def points(face: PreparedFace) -> Floats:
    return face.region.local(face.face.landmarks, (face.region.width, face.region.height))


def of_patch(face: PreparedFace, patch: Pixels) -> Noise:
    return noise_of(patch, points(face))


def given(face: PreparedFace, drawn: Pixels, grainy: Pixels) -> Pixels:
    return with_noise(drawn, of_patch(face, drawn), of_patch(face, grainy), grainy, face.parts.features)


def ycc(pixels: Pixels) -> Floats:
    return np.asarray(cv2.cvtColor(pixels.astype(np.float32), cv2.COLOR_BGR2YCrCb), np.float32)


def skin(face: PreparedFace) -> npt.NDArray[np.bool_]:
    """Cheeks and nose in the patch."""
    mask = np.zeros(face.patch.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(points(face)[list(CORE_SKIN)]).astype(np.int32)], 1)
    return cv2.erode(mask, np.ones((5, 5), np.uint8)) > 0


def spread(difference: Floats, where: npt.NDArray[np.bool_]) -> Floats:
    """Deviation of each channel without its low frequencies, which colour transfer changes too."""
    fine = difference - cv2.GaussianBlur(difference, (0, 0), 6)
    return np.asarray(fine[where].std(axis=0), np.float32)


@pytest.mark.parametrize("quality", [0, 95, 75])
@pytest.mark.parametrize("level", [1600, 6400])
@pytest.mark.parametrize("kind", ["demosaiced", "smoothed"])
def test_a_fused_face_has_the_noise_of_the_photo(
    engine: Engine, photo: Photo, face: PreparedFace, kind: str, level: int, quality: int
) -> None:
    """Told from everything else by fusing into the same photo with other noise of the same kind."""
    target = decode(photo("smiling_man")).pixels
    before, after = [], []
    for seed in (1, 2):
        pixels = noisy(target, kind, level, seed)
        data = png(decode(jpeg(pixels, quality)).pixels if quality else pixels)
        fused = engine.fuse(photo("smiling_woman"), data, FuseOptions())
        before.append(ycc(face.region.of(decode(data).pixels)))
        after.append(ycc(face.region.of(decode(fused.picture.image).pixels)))
    ratio = spread(after[0] - after[1], skin(face)) / spread(before[0] - before[1], skin(face))
    assert (ratio > 0.75).all(), ratio  # of weak noise, a part is taken for what clean skin has
    assert (ratio < 1.25).all(), ratio


@pytest.mark.parametrize("kind", ["demosaiced", "smoothed"])
def test_grain_has_the_size_of_the_photos_grain(face: PreparedFace, kind: str) -> None:
    grainy = noisy(face.patch, kind, 6400, 1)
    drawn = given(face, face.patch, grainy)
    wanted, got = (ycc(pixels) - ycc(face.patch) for pixels in (grainy, drawn))
    for channel in range(3):
        sizes = []
        for noise in (wanted[..., channel], got[..., channel]):
            neighbours = (noise[:, :-1] * noise[:, 1:])[skin(face)[:, 1:]].mean()
            sizes.append(float(neighbours / np.square(noise[skin(face)]).mean()))
        assert sizes[1] == pytest.approx(sizes[0], abs=0.15)


def test_a_face_as_noisy_as_the_photo_gets_hardly_more(face: PreparedFace) -> None:
    grainy, other = (noisy(face.patch, "smoothed", 6400, seed) for seed in (1, 2))
    drawn = given(face, other, grainy)
    assert of_patch(face, drawn).strength[:2] == pytest.approx(of_patch(face, grainy).strength[:2], rel=0.2)


def test_noise_is_the_same_for_the_same_photo_and_other_for_another(face: PreparedFace) -> None:
    grainy, other = (noisy(face.patch, "smoothed", 3200, seed) for seed in (1, 2))
    drawn = given(face, face.patch, grainy)
    assert np.array_equal(drawn, given(face, face.patch.copy(), grainy.copy()))
    assert not np.array_equal(drawn, given(face, face.patch, other))


def test_noise_brings_no_features_of_the_photo_along(face: PreparedFace) -> None:
    """The eyes of the photo below leave no trace in a plain surface."""
    drawn = given(face, np.full_like(face.patch, 128), noisy(face.patch, "smoothed", 6400, 1))
    inside = cv2.resize(face.parts.features, face.patch.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    below, left = (luma - cv2.GaussianBlur(luma, (0, 0), 4) for luma in (ycc(face.patch)[..., 0], ycc(drawn)[..., 0]))
    assert abs(np.corrcoef(below[inside], left[inside])[0, 1]) < 0.1


@pytest.mark.parametrize("size", [(20, 17), (1100, 900)])
def test_faces_of_any_size_get_noise(face: PreparedFace, size: tuple[int, int]) -> None:
    height, width = size
    below = noisy(np.full((height, width, 3), 128, np.uint8), "smoothed", 3200, 1)
    clean = np.full_like(below, 100)
    drawn = with_noise(
        clean, of_patch(face, face.patch), of_patch(face, noisy(face.patch, "smoothed", 3200, 1)), below,
        np.zeros((9, 7), np.uint8),
    )  # fmt: skip
    assert 4 < ycc(drawn)[..., 0].std() < 9
