"""Refuses a face of which too much is burnt out: no channel of these pixels says anything about the skin there."""

from __future__ import annotations

import cv2
import numpy as np

from facefleet.engine.mesh.exposure import CLIPPED, Mask
from facefleet.engine.mesh.masks import Parts
from facefleet.engine.types import Floats, Pixels
from facefleet.errors.input import FaceOverexposed

MAX_BURNT = 0.4  # share of the skin that shows; with more, the face is flat and its features stand in nothing
BURNT_PART = 0.4  # share of a part from which it is named
OCCLUDED = 0.5  # from which a pixel is not the face's own


def refuse_burnt_out(small: Pixels, parts: Parts, occlusion: Floats, index: int, photo: str) -> None:
    """Raise where a face has lost too much.

    Args:
        small: ``(h, w, 3)`` uint8 BGR, as in the photo.
        parts: Of the same image.
        occlusion: ``(h, w)`` float32, what lies over the face.
        index: Of the face.
        photo: "source" or "target".

    Raises:
        FaceOverexposed: Most of the light of its skin is lost.
    """
    blue, green, red = cv2.split(small)
    burnt: Mask = np.asarray(cv2.min(cv2.min(blue, green), red)) >= CLIPPED
    if not burnt.any():
        return
    shown = (parts.face > 0) & (parts.features == 0) & (occlusion < OCCLUDED)
    share = _share(burnt, shown)
    if share <= MAX_BURNT:
        return
    where = [name for name, part in _named(parts).items() if _share(burnt, shown & part) > BURNT_PART]
    lost = ", ".join(where) or "spread over the face"
    raise FaceOverexposed(
        f"Face {index} of the {photo} photo is overexposed: {share:.0%} of its skin is pure white ({lost}). Use a "
        "photo with softer light on the face, or one that was not brightened.",
        image=photo, index=index, burnt=round(share, 3), max_burnt=MAX_BURNT, parts=where,
    )  # fmt: skip


def _named(parts: Parts) -> dict[str, Mask]:
    nose, cheeks = parts.nose_tip > 0, np.maximum(parts.core, np.maximum(*parts.below_eyes)) > 0
    return {
        "forehead": (parts.face > 0) & (parts.lower == 0) & (parts.eye_band == 0),
        "cheeks": cheeks & ~nose,
        "nose": nose,
        "chin": parts.chin > 0,
    }


def _share(burnt: Mask, among: Mask) -> float:
    return float(burnt[among].mean()) if among.any() else 0.0
