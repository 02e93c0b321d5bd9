from __future__ import annotations

import numpy as np

from facefleet.engine.types import Box, Face, Pose


def test_the_five_points_name_each_side_as_seen_in_the_image() -> None:
    landmarks = np.zeros((468, 3), np.float32)
    landmarks[[33, 133, 159, 145]] = (10, 20, 5)
    landmarks[[263, 362, 386, 374]] = (30, 20, 5)
    landmarks[1], landmarks[61], landmarks[291] = (20, 30, -5), (12, 40, 0), (28, 40, 0)
    face = Face(0, Box(0, 0, 40, 60), 1.0, Pose(0, 0, 0), landmarks)
    assert face.landmarks5.tolist() == [[10, 20], [30, 20], [20, 30], [12, 40], [28, 40]]
    assert face.landmarks5.dtype == np.float32
