"""Asks open_nsfw how likely a photo is pornographic: prepares the photo as its authors do, and runs the model.

open_nsfw (Yahoo, 2016) is a ResNet-50-thin. It was trained on photos that were squeezed to 256 × 256 px, saved as JPEG
and cut to the middle 224 × 224 px, so the photo is prepared like that: without the JPEG the same photo scores less.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from facefleet.engine.codec.profile import to_srgb
from facefleet.engine.inspector import Shown
from facefleet.engine.models.session import ImageModel, Session
from facefleet.engine.steps.resample import halved
from facefleet.engine.types import Floats, Pixels
from facefleet.errors.outage import InspectionUnavailable

SIDE = 224
_SQUEEZED = 256
_MARGIN = (_SQUEEZED - SIDE) / 2 / _SQUEEZED  # of each side, which is cut away
_HALVED_FROM = (
    1024  # px of both sides: halving is much faster than a filter over all pixels, and what is left is enough
)
_JPEG_QUALITY = 75  # Pillow's default, by which the authors saved
_MEAN_BGR = np.array([104, 117, 123], np.float32)
_PORNOGRAPHIC = 1  # of the two probabilities


class OpenNsfw:
    """The classifier. Safe to call from several threads.

    Args:
        session: Runs the model; its input is ``(N, 224, 224, 3)`` float32 BGR, its output ``(N, 2)`` probabilities.
    """

    def __init__(self, session: Session) -> None:
        self.model = session.model
        self._model = ImageModel(session)

    def score(self, shown: Shown) -> float:
        """How likely the photo is pornographic, 0 to 1.

        Raises:
            InspectionUnavailable: The model could not be run, or gave no probability.
            MemoryError: The photo does not fit.
        """
        prepared = _input(shown)
        try:
            (probabilities,) = self._model.run(prepared)
            score = float(probabilities[0, _PORNOGRAPHIC])
        except MemoryError:
            raise
        except Exception as error:
            raise _unavailable(type(error).__name__) from error
        if not 0 <= score <= 1:  # also where it is not a number
            raise _unavailable("no probability")
        return score

    def warm(self) -> None:
        """See ``Session``."""
        self._model.warm()


def _unavailable(cause: str) -> InspectionUnavailable:
    return InspectionUnavailable("The photo could not be inspected.", cause=cause)


def _input(shown: Shown) -> Floats:
    """``(1, 224, 224, 3)`` float32 BGR less the mean of the training set."""
    square = _squeezed(shown.pixels)
    if shown.profile is not None:  # a profile can say that what is stored as green is seen as skin
        to_srgb(square, shown.profile, grey=False)
    _, file = cv2.imencode(".jpg", square, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    saved = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), np.float32)
    return (saved - _MEAN_BGR)[None]


def _squeezed(pixels: Pixels) -> Pixels:
    """The middle of the photo, ``(224, 224, 3)``, whatever its shape was; the array is the caller's own."""
    while min(pixels.shape[:2]) >= _HALVED_FROM:
        pixels = halved(pixels)
    height, width = pixels.shape[:2]
    left, top = width * _MARGIN, height * _MARGIN
    image = Image.fromarray(pixels)  # BGR: the filter does not care
    middle = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=(left, top, width - left, height - top))
    return np.array(middle)
