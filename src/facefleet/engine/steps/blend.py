"""The fused face onto the target's pixels."""

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
        share: Of the face, ``(h, w)`` float32 over the region at the working size, 0 where the target stays.
        geometry: ``(468, 3)`` float32 px of the target's photo: where the face's points should come to lie.
    """

    region: Region
    pixels: Pixels
    share: Floats
    geometry: Floats

    def alpha(self) -> Floats:
        """``(h, w)`` float32, the share at full size."""
        size = self.region.width, self.region.height
        return np.asarray(cv2.resize(self.share, size, interpolation=cv2.INTER_LINEAR), np.float32)


def blend(canvas: Pixels, layer: Layer, strength: float) -> None:
    """Lay a face over the canvas, in place.

    Pixels where alpha · strength is 0 keep their exact values: OpenCV divides by the sum of the weights, here 1, and
    rounds.

    Args:
        canvas: ``(H, W, 3)`` uint8 BGR.
        layer: The face.
        strength: 0 to 1.
    """
    over = layer.alpha()
    over *= np.float32(strength)
    below = layer.region.of(canvas)
    below[:] = cv2.blendLinear(layer.pixels, np.ascontiguousarray(below), over, 1 - over)
