"""The fused face onto the target's pixels; the last step before encoding."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.steps.region import Region
from facefleet.engine.types import Floats, Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A face to lay over a target.

    Attributes:
        region: Where.
        pixels: ``(h, w, 3)`` uint8 BGR.
        alpha: ``(h, w)`` float32, 0 where the target stays.
    """

    region: Region
    pixels: Pixels
    alpha: Floats


def blend(canvas: Pixels, layer: Layer, strength: float) -> None:
    """Lay a face over the canvas, in place.

    Pixels where alpha · strength is 0 keep their exact values.

    Args:
        canvas: ``(H, W, 3)`` uint8 BGR.
        layer: The face.
        strength: 0 to 1.
    """
    over = layer.alpha * np.float32(strength)
    below = layer.region.of(canvas)
    mixed = cv2.blendLinear(layer.pixels, np.ascontiguousarray(below), over, 1 - over)
    np.copyto(below, mixed, where=(over > 0)[..., None])
