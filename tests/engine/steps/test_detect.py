from __future__ import annotations

import numpy as np
import pytest

from facefleet.engine.steps.detect import Detection, anchors, merge, overlaps
from facefleet.engine.types import Floats


def box(*corners: float) -> Floats:
    return np.array(corners, np.float32)


def seen(corners: Floats, score: float) -> Detection:
    return Detection(corners, np.zeros((6, 2), np.float32), score)


@pytest.mark.parametrize(("size", "layers", "count"), [(192, ((4, 1),), 2304), (128, ((8, 2), (16, 6)), 896)])
def test_there_are_as_many_anchors_as_the_model_has_outputs(
    size: int, layers: tuple[tuple[int, int], ...], count: int
) -> None:
    assert anchors(size, layers).shape == (count, 2)


def test_anchors_are_cell_centres_row_by_row() -> None:
    assert anchors(192, ((4, 1),))[[0, 1, 48]].tolist() == [[2, 2], [6, 2], [2, 6]]
    assert anchors(128, ((8, 2), (16, 6)))[[0, 1, 2, 512, 518]].tolist() == [[4, 4], [4, 4], [12, 4], [8, 8], [24, 8]]


def test_overlap_is_shared_over_united_area() -> None:
    others = np.stack([box(5, 0, 15, 10), box(20, 20, 30, 30), box(0, 0, 10, 10)])
    assert overlaps(box(0, 0, 10, 10), others).tolist() == pytest.approx([1 / 3, 0, 1])


def test_overlapping_boxes_become_their_mean_by_score() -> None:
    merged = merge([seen(box(0, 0, 10, 10), 0.6), seen(box(2, 0, 12, 10), 0.9), seen(box(50, 50, 60, 60), 0.7)])
    assert [one.score for one in merged] == [0.9, 0.7]
    assert merged[0].corners.tolist() == pytest.approx([1.2, 0, 11.2, 10], abs=1e-5)


def test_the_square_is_turned_so_that_the_eyes_are_level() -> None:
    points = np.zeros((6, 2), np.float32)
    points[0], points[1] = (10, 10), (20, 20)
    square = Detection(box(0, 0, 30, 30), points, 1.0).square()
    assert np.degrees(square.angle) == pytest.approx(45)
    assert (square.x, square.y, square.side) == (15, 15, 45)
