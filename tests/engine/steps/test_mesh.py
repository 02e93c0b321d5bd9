from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from facefleet.engine.steps import mesh


def edges() -> Counter[frozenset[int]]:
    triangles = mesh.topology().triangles.tolist()
    return Counter(frozenset((t[i], t[(i + 1) % 3])) for t in triangles for i in range(3))


def test_the_triangles_cover_the_face_once() -> None:
    # A disc of 468 points with 36 on its rim has 2 · 468 − 2 − 36 triangles (Euler), and rim edges belong to one.
    assert mesh.topology().triangles.shape == (898, 3)
    rim = {edge for edge, count in edges().items() if count == 1}
    assert rim == {frozenset(pair) for pair in zip(mesh.OVAL, mesh.OVAL[1:] + mesh.OVAL[:1], strict=True)}


@pytest.mark.parametrize(
    "loop", [mesh.LIPS_OUTER, mesh.LIPS_OUTER_RIM, mesh.LIPS_INNER_RIM, mesh.LIPS_INNER, mesh.RIGHT_EYE, mesh.LEFT_EYE]
)
def test_no_triangle_crosses_a_lip_or_an_eyelid(loop: tuple[int, ...]) -> None:
    known = edges()
    assert all(frozenset(pair) in known for pair in zip(loop, loop[1:] + loop[:1], strict=True))


def test_mirroring_twice_changes_nothing_and_swaps_the_sides() -> None:
    mirror = mesh.topology().mirror
    assert np.array_equal(mirror[mirror], np.arange(468))
    assert set(mirror[list(mesh.RIGHT_EYE)]) == set(mesh.LEFT_EYE)
    assert set(mirror[list(mesh.LIPS)]) == set(mesh.LIPS)
    shape = mesh.topology().mean_shape
    assert np.abs(shape[mirror] * (-1, 1, 1) - shape).max() <= 2


def test_the_triangles_are_as_symmetric_as_the_points() -> None:
    topology = mesh.topology()
    own = {frozenset(t) for t in topology.triangles.tolist()}
    mirrored = {frozenset(t) for t in topology.mirror[topology.triangles].tolist()}
    assert own == mirrored


def test_weights_are_one_at_the_points_and_zero_beyond_their_reach() -> None:
    weight = mesh.nearness(mesh.LIPS, 0.16)
    assert (weight[list(mesh.LIPS)] == 1).all()
    assert (weight[list(mesh.OVAL[:6])] == 0).all()
    assert (mesh.oval_distance()[list(mesh.OVAL)] == 0).all()
