"""The classifier with its real weights: prepared as its authors do, and closed where it cannot judge."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.odd.makers import gamma_curve, icc, xyz

from facefleet.engine.codec.image import decode
from facefleet.engine.inspector import Shown
from facefleet.engine.models.onnx import OnnxSession
from facefleet.engine.models.session import Tensor, TensorSpec
from facefleet.engine.types import ModelFiles, Pixels
from facefleet.errors.outage import InspectionUnavailable
from facefleet.safety.open_nsfw import OpenNsfw

PEOPLE = ("astronaut", "grace_hopper", "portrait_man", "surprised_woman", "turned_man", "smiling_man", "group")


@pytest.fixture(scope="module")
def session(models: Mapping[str, ModelFiles]) -> OnnxSession:
    return OnnxSession(models["open_nsfw"])


@pytest.fixture(scope="module")
def classifier(session: OnnxSession) -> OpenNsfw:
    return OpenNsfw(session)


@pytest.fixture(scope="module")
def photo(samples: Mapping[str, Path]) -> Mapping[str, Pixels]:
    return {name: decode(samples[name].read_bytes()).as_seen() for name in PEOPLE}


class Broken:
    """A session whose runs end as they are told to."""

    def __init__(self, answer: Exception | float) -> None:
        self.model = ModelFiles("broken", "1", {})
        self.inputs = (TensorSpec("in", (None, 224, 224, 3), np.dtype(np.float32)),)
        self.outputs = (TensorSpec("out", (None, 2), np.dtype(np.float32)),)
        self.answer = answer

    def run(self, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"out": np.array([[0.0, self.answer]], np.float32)}

    def warm(self) -> None:
        raise AssertionError


def as_the_authors_do(pixels: Pixels, session: OnnxSession) -> float:
    """Squeezed to 256 px, saved as JPEG, cut to 224 px, less the mean (classify_nsfw.py of open_nsfw, by Pillow)."""
    file = BytesIO()
    Image.fromarray(pixels[:, :, ::-1]).resize((256, 256), Image.Resampling.BILINEAR).save(file, "JPEG")
    saved = np.asarray(Image.open(file), np.float32)[16:240, 16:240, ::-1] - np.array([104, 117, 123], np.float32)
    (image,) = session.inputs
    (probabilities,) = session.run({image.name: np.ascontiguousarray(saved[None])}).values()
    return float(probabilities[0, 1])


def enlarged(pixels: Pixels, side: int) -> Pixels:
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def log_odds(score: float) -> float:
    return float(np.log(score / (1 - score)))


@pytest.mark.parametrize("name", PEOPLE)
def test_scores_are_those_of_the_authors_preparation(
    classifier: OpenNsfw, session: OnnxSession, photo: Mapping[str, Pixels], name: str
) -> None:
    score = classifier.score(Shown(photo[name]))
    assert log_odds(score) == pytest.approx(log_odds(as_the_authors_do(photo[name], session)), abs=0.3)
    assert score < 0.2, "nobody here is bare"


def test_a_large_photo_scores_as_the_small_one(classifier: OpenNsfw, photo: Mapping[str, Pixels]) -> None:
    small = classifier.score(Shown(photo["surprised_woman"]))
    large = classifier.score(Shown(enlarged(photo["surprised_woman"], 3000)))
    assert log_odds(large) == pytest.approx(log_odds(small), abs=0.5)


@pytest.mark.parametrize("shape", [(64, 64), (64, 9000), (9000, 64), (1024, 1024), (1500, 1100)])
def test_a_photo_of_any_shape_is_scored_and_not_written_to(classifier: OpenNsfw, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (*shape, 3), np.uint8)
    pixels.setflags(write=False)
    before = pixels.copy()
    assert 0 <= classifier.score(Shown(pixels)) <= 1
    assert np.array_equal(pixels, before)


def test_skin_that_fills_the_photo_scores_high(classifier: OpenNsfw, photo: Mapping[str, Pixels]) -> None:
    """The one kind of picture at hand that the classifier takes for what it looks for: part of a face, enlarged."""
    assert classifier.score(Shown(np.ascontiguousarray(photo["turned_man"][264:389, 107:233]))) > 0.8


def swapped_profile() -> bytes:
    """A screen whose red is blue and whose blue is red."""
    tags = {b"wtpt": xyz(0.9642, 1, 0.8249), b"bXYZ": xyz(0.43607, 0.22249, 0.01392)}
    tags |= {b"gXYZ": xyz(0.38515, 0.71687, 0.09708), b"rXYZ": xyz(0.14307, 0.06061, 0.7141)}
    return icc(b"RGB ", b"mntr", tags | {name: gamma_curve(2.2) for name in (b"rTRC", b"gTRC", b"bTRC")})


def test_colours_are_judged_as_they_are_seen_not_as_they_are_stored(
    classifier: OpenNsfw, photo: Mapping[str, Pixels]
) -> None:
    seen = classifier.score(Shown(photo["group"]))
    stored_as_blue = np.ascontiguousarray(photo["group"][:, :, ::-1])
    assert abs(log_odds(classifier.score(Shown(stored_as_blue))) - log_odds(seen)) > 1
    assert log_odds(classifier.score(Shown(stored_as_blue, swapped_profile()))) == pytest.approx(
        log_odds(seen), abs=0.4
    )


@pytest.mark.parametrize("answer", [RuntimeError("[ONNXRuntimeError]"), ValueError("shape"), float("nan"), -0.1, 1.5])
def test_what_gives_no_probability_closes_the_door(answer: Exception | float) -> None:
    with pytest.raises(InspectionUnavailable) as caught:
        OpenNsfw(Broken(answer)).score(Shown(np.zeros((64, 64, 3), np.uint8)))
    assert caught.value.retryable


def test_want_of_memory_is_told_as_that() -> None:
    with pytest.raises(MemoryError):
        OpenNsfw(Broken(MemoryError())).score(Shown(np.zeros((64, 64, 3), np.uint8)))
