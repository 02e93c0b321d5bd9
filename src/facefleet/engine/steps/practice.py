"""Makes up a face in a photo, to warm swapper and ager with: OpenCV fills its tables on first use."""

from __future__ import annotations

import numpy as np

from facefleet.engine.steps.topology import topology
from facefleet.engine.types import Box, Face, Portrait, Pose


def practice_portrait() -> Portrait:
    """The mean face on a grey photo of 256 × 256 px."""
    side = 256
    points = topology().mean_shape
    landmarks = np.asarray((points - points.mean(axis=0)) * (0.6 * side / 1000) + side / 2, np.float32)
    face = Face(0, Box(0.0, 0.0, side, side), 1.0, Pose(0.0, 0.0, 0.0), landmarks)
    return Portrait(np.full((side, side, 3), 127, np.uint8), face)
