from __future__ import annotations

import numpy as np
import pytest

from facefleet.engine.aging.lines import FOLDS, WRINKLES, drawn
from facefleet.engine.steps.topology import topology
from facefleet.engine.types import Floats


def face(width: float) -> Floats:
    mean = topology().mean_shape[:, :2]
    return np.asarray((mean - mean.min(axis=0)) * (width / 1000) + 0.1 * width, np.float32)


@pytest.mark.parametrize("width", [40, 160, 300])
def test_lines_darken_their_course_by_about_their_depth(width: float) -> None:
    points = face(width)
    size = round(1.5 * width)
    share = drawn(FOLDS, points, width, (size, size))
    beside_nose = np.round(points[203]).astype(int)
    around = share[beside_nose[1] - 3 : beside_nose[1] + 4, beside_nose[0] - 3 : beside_nose[0] + 4]
    assert -1.5 * FOLDS[0].depth < around.min() < -0.3 * FOLDS[0].depth
    assert share.max() < 0.3 * FOLDS[0].depth  # the light beside a fold is fainter than its shade


def test_fine_lines_are_fainter_on_a_small_face_instead_of_broader() -> None:
    deepest = [float(-drawn(WRINKLES, face(width), width, (2 * width, 2 * width)).min()) for width in (34, 160)]
    assert deepest[0] < 0.7 * deepest[1]


def test_the_lines_are_those_of_every_face() -> None:
    first, second = (drawn(WRINKLES, face(100), 100, (150, 150)) for _ in range(2))
    assert np.array_equal(first, second)
