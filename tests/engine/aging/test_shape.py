from __future__ import annotations

import numpy as np
import pytest

from facefleet.engine.aging.shape import Moves, axes_of, lookup, window
from facefleet.engine.steps.topology import CHIN, LIPS_OUTER, OVAL, RIGHT_EYE, topology
from facefleet.engine.types import Floats


@pytest.fixture(scope="module")
def points() -> Floats:
    """The mean face, 200 px wide, in the middle of 400 × 400 px."""
    mean = topology().mean_shape[:, :2]
    return np.asarray((mean - (mean.min(axis=0) + mean.max(axis=0)) / 2) * 0.2 + 200, np.float32)


def height(points: Floats, part: tuple[int, ...]) -> float:
    return float(np.ptp(points[list(part), 1]))


def test_a_younger_face_has_larger_eyes_fuller_lips_and_a_shorter_chin(points: Floats) -> None:
    younger, older = (points + Moves(points, amount).at(points) for amount in (-1.0, 1.0))
    assert height(younger, RIGHT_EYE) > 1.02 * height(points, RIGHT_EYE)
    assert height(younger, LIPS_OUTER) > 1.02 * height(points, LIPS_OUTER)
    assert height(older, LIPS_OUTER) < height(points, LIPS_OUTER)
    assert younger[CHIN, 1] < points[CHIN, 1]
    jowl = 172
    assert older[jowl, 1] > points[jowl, 1]


@pytest.mark.parametrize("amount", [-1.0, 1.0])
def test_both_sides_move_alike_and_no_point_far(points: Floats, amount: float) -> None:
    moves = Moves(points, amount).at(points)
    mirrored = moves[topology().mirror] * np.array([-1, 1], np.float32)
    assert np.abs(moves - mirrored).max() < 0.05
    assert np.linalg.norm(moves, axis=1).max() < 0.04 * axes_of(points).width


def test_moves_grow_with_the_amount_and_are_none_at_zero(points: Floats) -> None:
    far = [float(np.abs(Moves(points, amount).at(points)).max()) for amount in (0.0, 0.3, 0.6, 1.0)]
    assert far[0] == 0
    assert far == sorted(far)


def test_a_tilted_face_moves_along_its_own_axes(points: Floats) -> None:
    turn = np.array([[0, -1], [1, 0]], np.float32)
    moves, turned = Moves(points, 1.0).at(points), points @ turn.T
    assert np.allclose(Moves(turned, 1.0).at(turned), moves @ turn.T, atol=0.02)


@pytest.mark.parametrize("amount", [-1.0, 1.0])
def test_nothing_moves_at_the_edge_of_the_region_and_nothing_folds(points: Floats, amount: float) -> None:
    x, y = lookup(Moves(points, amount), (400, 400))
    own = np.arange(400, dtype=np.float32)
    for edge in (0, -1):
        assert np.array_equal(x[edge], own)
        assert np.array_equal(y[:, edge], own)
    assert (np.diff(x, axis=1) > 0).all()
    assert (np.diff(y, axis=0) > 0).all()
    assert np.abs(x - own).max() > 0.5


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (50, 40)])
def test_a_layer_fades_to_nothing_at_its_edge(size: tuple[int, int]) -> None:
    alpha = window(size)
    assert alpha.shape == size[::-1]
    assert not alpha[[0, -1]].any()
    assert not alpha[:, [0, -1]].any()
    assert alpha.max() == (1.0 if min(size) > 20 else 0.0)


def test_the_oval_belongs_to_the_face(points: Floats) -> None:
    axes = axes_of(points)
    assert axes.width == pytest.approx(float(np.ptp(points[list(OVAL), 0])), rel=0.05)
