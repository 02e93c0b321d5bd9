"""Finds the rectangle of a photo that a face can touch; all work on pixels happens inside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facefleet.engine.types import Floats, Pixels


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle inside an image, px."""

    x: int
    y: int
    width: int
    height: int

    def of(self, image: Pixels) -> Pixels:
        """The view of an image; writing to it writes to the image."""
        return image[self.y : self.y + self.height, self.x : self.x + self.width]

    def local(self, points: Floats, size: tuple[int, int]) -> Floats:
        """``(N, 2)`` points of the image as they lie in the region resized to a width and height."""
        ratio = np.array([size[0] / self.width, size[1] / self.height], np.float32)
        corner = np.array([self.x, self.y], np.float32)
        return np.asarray((points[:, :2] - corner + 0.5) * ratio - 0.5, np.float32)


def region_of(points: Floats, shape: tuple[int, ...]) -> Region:
    """The smallest region round some points.

    Args:
        points: ``(N, 2+)`` px.
        shape: Of the image.
    """
    xy = points[:, :2]
    low, high = xy.min(axis=0), xy.max(axis=0)
    x0, y0 = np.clip(np.floor(low).astype(int) - 2, 0, (shape[1] - 1, shape[0] - 1))
    x1, y1 = np.clip(np.ceil(high).astype(int) + 3, (x0 + 1, y0 + 1), (shape[1], shape[0]))
    return Region(int(x0), int(y0), int(x1 - x0), int(y1 - y0))
