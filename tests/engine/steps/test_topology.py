from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from facefleet.engine.steps import topology


def edges() -> Counter[frozenset[int]]:
    triangles = topology.topology().triangles.tolist()
    return Counter(frozenset((t[i], t[(i + 1) % 3])) for t in triangles for i in range(3))


def test_the_triangles_cover_the_face_once() -> None:
    # A disc of 468 points with 36 on its rim has 2 · 468 − 2 − 36 triangles (Euler), and rim edges belong to one.
    assert topology.topology().triangles.shape == (898, 3)
    rim = {edge for edge, count in edges().items() if count == 1}
    assert rim == {frozenset(pair) for pair in zip(topology.OVAL, topology.OVAL[1:] + topology.OVAL[:1], strict=True)}


@pytest.mark.parametrize(
    "loop",
    [
        topology.LIPS_OUTER,
        topology.LIPS_OUTER_RIM,
        topology.LIPS_INNER_RIM,
        topology.LIPS_INNER,
        topology.RIGHT_EYE,
        topology.LEFT_EYE,
    ],
)
def test_no_triangle_crosses_a_lip_or_an_eyelid(loop: tuple[int, ...]) -> None:
    known = edges()
    assert all(frozenset(pair) in known for pair in zip(loop, loop[1:] + loop[:1], strict=True))


def test_mirroring_twice_changes_nothing_and_swaps_the_sides() -> None:
    mirror = topology.topology().mirror
    assert np.array_equal(mirror[mirror], np.arange(468))
    assert set(mirror[list(topology.RIGHT_EYE)]) == set(topology.LEFT_EYE)
    assert set(mirror[list(topology.LIPS)]) == set(topology.LIPS)
    shape = topology.topology().mean_shape
    assert np.abs(shape[mirror] * (-1, 1, 1) - shape).max() <= 2


def test_the_triangles_are_as_symmetric_as_the_points() -> None:
    mesh = topology.topology()
    own = {frozenset(t) for t in mesh.triangles.tolist()}
    mirrored = {frozenset(t) for t in mesh.mirror[mesh.triangles].tolist()}
    assert own == mirrored


def test_weights_are_one_at_the_points_and_zero_beyond_their_reach() -> None:
    weight = topology.nearness(topology.LIPS, 0.16)
    assert (weight[list(topology.LIPS)] == 1).all()
    assert (weight[list(topology.OVAL[:6])] == 0).all()
    assert (topology.oval_distance()[list(topology.OVAL)] == 0).all()
