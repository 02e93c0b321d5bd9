"""Blends a face into the pixels of a photo."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.steps.region import Region
from facefleet.engine.types import Face, Floats, Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """Pixels to lay over a part of a photo.

    Attributes:
        region: Where.
        pixels: ``(height, width, 3)`` uint8 BGR, over the region.
        share: ``(h, w)`` float32 over the region at any size: how much of each pixel is replaced, 0 to 1.
    """

    region: Region
    pixels: Pixels
    share: Floats

    def alpha(self) -> Floats:
        """``(h, w)`` float32, the share at full size."""
        size = self.region.width, self.region.height
        return np.asarray(cv2.resize(self.share, size, interpolation=cv2.INTER_LINEAR), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Layer(Overlay):
    """A fused face to lay over the target, and what its result is checked against.

    Attributes:
        target: The face that it replaces.
        geometry: ``(468, 3)`` float32 px of the target's photo: where the fused face's points should come to lie.
        below: ``(h, w, 3)`` uint8 BGR of the size of ``share``: the target without the layer.
        one_hue: Whether the target has one colour for each brightness; models see such faces better in black and white.
    """

    target: Face
    geometry: Floats
    below: Pixels
    one_hue: bool = False


def blend(canvas: Pixels, layer: Overlay, strength: float) -> None:
    """Lay pixels over the canvas, in place.

    Pixels where alpha · strength is 0 keep their exact values: OpenCV divides by the sum of the weights, here 1, and
    rounds.

    Args:
        canvas: ``(H, W, 3)`` uint8 BGR.
        layer: What to lay over it.
        strength: 0 to 1.
    """
    over = layer.alpha()
    over *= np.float32(strength)
    below = layer.region.of(canvas)
    below[:] = cv2.blendLinear(layer.pixels, np.ascontiguousarray(below), over, 1 - over)
