"""Shrinks a part of a photo to a working size: what is smooth is computed small and applied at full size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.steps.region import Region
from facefleet.engine.steps.resample import shrunk
from facefleet.engine.types import Floats, Pixels


@dataclass(frozen=True, slots=True)
class Working:
    """A region and the size it is worked on at.

    Attributes:
        region: Of the photo.
        size: Width and height, px.
    """

    region: Region
    size: tuple[int, int]

    @classmethod
    def of(cls, region: Region, scale: float) -> Working:
        """The region at a scale; it is never enlarged.

        Args:
            region: Of the photo.
            scale: Working px per px.
        """
        scale = min(1.0, scale)
        return cls(region, (max(1, round(region.width * scale)), max(1, round(region.height * scale))))

    def shrunk(self, pixels: Pixels) -> Pixels:
        """``pixels`` of the region at the working size."""
        return shrunk(pixels, self.size)

    def points(self, points: Floats) -> Floats:
        """``(N, 2)`` px of the working image, from ``(N, 2+)`` px of the photo."""
        return self.region.local(points, self.size)

    def grown(self, field: Floats) -> Floats:
        """A field of the working image at the region's own size."""
        size = (self.region.width, self.region.height)
        return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_LINEAR), np.float32)
