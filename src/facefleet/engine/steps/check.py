"""Checks a blended face, and blends it weaker or refuses it where it does not look right.

It costs one landmark inference on a crop. Three figures are held against limits, each measured on the blended face:

    landmarks  mean distance of the result's points from the wanted geometry, of the eye, brow, nose or mouth where it
               is largest, in distances between the eyes
    seam       jump across the edge of the blend that the target does not have, levels
    colour     share of the face whose low frequencies are far from the target's skin
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.steps import topology
from facefleet.engine.steps.blend import Layer, blend
from facefleet.engine.steps.landmarks import Landmarker, Mesh
from facefleet.engine.steps.resample import shrunk
from facefleet.engine.steps.tone import without_colour
from facefleet.engine.types import Floats, Pixels
from facefleet.errors.input import FusionQualityLow

MIN_PRESENCE = 0.5  # of the result as a face; real ones score over 0.99
MAX_LANDMARKS = 0.09
MAX_SEAM = 60.0
MAX_COLOUR = 0.25
FAR_COLOUR = 48.0  # levels of the low frequencies
_FINE, _COARSE = 2, 4  # working px to one in which the edge and low frequencies are compared
TRIES = 4  # strengths that are tried between the one asked for and the weakest allowed
EYES = (33, 263)  # outer corners
PARTS = (
    topology.RIGHT_EYE,
    topology.LEFT_EYE,
    topology.RIGHT_BROW,
    topology.LEFT_BROW,
    topology.NOSTRILS,
    topology.LIPS,
)


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured; see the top of the module.

    Attributes:
        presence: 0 to 1, how sure the landmark model is that the result is a face.
    """

    presence: float
    landmarks: float
    seam: float
    colour: float

    @property
    def reason(self) -> str | None:
        """The first figure over its limit, or None."""
        if self.presence < MIN_PRESENCE or self.landmarks > MAX_LANDMARKS:
            return "landmarks"
        if self.seam > MAX_SEAM:
            return "seam"
        return "colour" if self.colour > MAX_COLOUR else None


def blend_checked(canvas: Pixels, layer: Layer, landmarker: Landmarker, strength: float, weakest: float) -> float:
    """Blend a face in and check it; where it does not look right, try weaker blends down to the weakest allowed.

    Args:
        canvas: ``(H, W, 3)`` uint8 BGR, written to; as it was where the error is raised.
        layer: The face.
        landmarker: The face mesh model.
        strength: Asked for, 0 to 1.
        weakest: The least that the caller takes, at most ``strength``.

    Returns:
        The strength used.

    Raises:
        FusionQualityLow: None looks right.
    """
    before = layer.region.of(canvas).copy()
    tries = [strength] if weakest == strength else np.linspace(strength, weakest, TRIES).tolist()
    qualities: list[Quality] = []
    for one in tries:
        blend(canvas, layer, one)
        qualities.append(measure(canvas, layer, landmarker, one))
        if qualities[-1].reason is None:
            return float(one)
        layer.region.of(canvas)[:] = before
    raise _refusal(qualities[0], layer.target.index)


def measure(canvas: Pixels, layer: Layer, landmarker: Landmarker, strength: float) -> Quality:
    """The figures of a blended face.

    Args:
        canvas: With the face.
        layer: The face.
        landmarker: The face mesh model.
        strength: It was blended with.
    """
    if strength == 0:
        return Quality(1.0, 0.0, 0.0, 0.0)
    before = layer.target.landmarks
    view = without_colour(canvas) if layer.one_hue else canvas
    mesh = landmarker.infer(view, Mesh(before, 1.0).square())
    wanted = before + np.float32(strength) * (layer.geometry - before)
    distances = np.linalg.norm((mesh.points - wanted)[:, :2], axis=1)
    worst = max(float(distances[list(part)].mean()) for part in PARTS)
    right, left = (before[point, :2] for point in EYES)
    size, width = (layer.share.shape[1], layer.share.shape[0]), _face_width(layer)
    change = cv2.subtract(shrunk(layer.region.of(canvas), size), layer.below, dtype=cv2.CV_32F)
    return Quality(
        mesh.presence,
        worst / max(float(np.linalg.norm(left - right)), 1e-6),
        _seam(np.asarray(change, np.float32), layer.share, width),
        _far_colour(np.asarray(change, np.float32), layer.share, width),
    )


def _face_width(layer: Layer) -> float:
    """Width of the target's face, px of ``share``."""
    size = layer.share.shape[1], layer.share.shape[0]
    cheeks = layer.region.local(layer.target.landmarks[list(topology.CHEEKS)], size)
    return float(np.linalg.norm(cheeks[1] - cheeks[0]))


def _seam(change: Floats, share: Floats, width: float) -> float:
    """Mean change where the blend has just begun: there is nothing to hide it behind."""
    fine, over = _coarser(change, share, _FINE)
    low = cv2.GaussianBlur(fine, (0, 0), (0.02 * width + 0.5) / _FINE)
    edge = (over > 0.3) & (over < 0.8)
    return float(np.abs(low[edge]).mean() / 0.55) if edge.any() else 0.0


def _far_colour(change: Floats, share: Floats, width: float) -> float:
    """Share of the face whose low frequencies are far from the target's."""
    coarse, inside = _coarser(change, share, _COARSE)
    low = cv2.GaussianBlur(coarse, (0, 0), (0.08 * width + 0.5) / _COARSE)[inside > 0.8]
    return float((np.abs(low).max(axis=1) > FAR_COLOUR).mean()) if low.size else 0.0


def _coarser(change: Floats, share: Floats, step: int) -> tuple[Floats, Floats]:
    """Both shrunk by a whole factor."""
    size = max(1, share.shape[1] // step), max(1, share.shape[0] // step)
    less, over = (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in (change, share))
    return np.asarray(less, np.float32), np.asarray(over, np.float32)


def _refusal(quality: Quality, index: int) -> FusionQualityLow:
    words = {
        "landmarks": "the fused face does not sit where the target's does",
        "seam": "the edge of the fused face shows",
        "colour": "the two photos' colours are too far apart",
    }
    reason = quality.reason or ""
    return FusionQualityLow(
        f"The result for face {index} of the target photo does not look right: {words[reason]}. Use another source "
        "photo, or allow a weaker blend with min_strength.",
        index=index, reason=reason, presence=round(quality.presence, 3), landmarks=round(quality.landmarks, 3),
        seam=round(quality.seam, 1), colour=round(quality.colour, 3),
    )  # fmt: skip
