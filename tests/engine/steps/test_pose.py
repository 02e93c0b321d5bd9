from __future__ import annotations

import numpy as np
import pytest
from tests.engine.conftest import Photo
from tests.engine.pictures import as_stored, png

from facefleet.engine.codec.image import decode
from facefleet.engine.fusion import Engine
from facefleet.engine.steps.geometry import fit_similarity
from facefleet.engine.steps.pose import head_pose
from facefleet.engine.steps.topology import topology
from facefleet.engine.types import Floats


def turned(axis: str, degrees: float) -> Floats:
    """The mean face turned about one axis, x to the right, y down, z away from the camera."""
    angle = np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = {
        "x": [[1, 0, 0], [0, cos, -sin], [0, sin, cos]],
        "y": [[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]],
        "z": [[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]],
    }[axis]
    return np.asarray(topology().mean_shape @ np.array(matrix).T * 0.2 + (300, 200, 0), np.float32)


def test_a_nose_that_points_right_is_a_positive_yaw() -> None:
    points = turned("y", -20)
    assert points[1, 0] > points[[234, 454], 0].mean()
    assert head_pose(points).yaw == pytest.approx(20, abs=0.1)


def test_a_nose_that_points_up_is_a_positive_pitch() -> None:
    points = turned("x", -15)
    assert points[1, 1] < turned("x", 0)[1, 1]
    assert head_pose(points).pitch == pytest.approx(15, abs=0.1)


def test_a_head_tilted_clockwise_is_a_positive_roll() -> None:
    points = turned("z", 30)
    assert points[263, 1] > points[33, 1]
    assert head_pose(points).roll == pytest.approx(30, abs=0.1)


def test_a_similarity_is_found_again() -> None:
    points = topology().mean_shape
    moved = turned("y", 25)
    assert np.abs(fit_similarity(points, moved)(points) - moved).max() < 0.01


def test_a_photo_mirrored_turns_the_head_the_other_way(engine: Engine, photo: Photo) -> None:
    pixels = decode(photo("turned_woman")).pixels
    own, mirrored = (engine.faces(png(image)).faces[0].pose for image in (pixels, as_stored(pixels, 2)))
    assert own.yaw < -5
    assert mirrored.yaw == pytest.approx(-own.yaw, abs=4)


def test_turning_the_photo_turns_the_roll_alone(engine: Engine, photo: Photo) -> None:
    pixels = decode(photo("smiling_man")).pixels
    own, quarter = (engine.faces(png(image)).faces[0].pose for image in (pixels, as_stored(pixels, 8)))
    assert quarter.roll - own.roll == pytest.approx(90, abs=5)
    assert (quarter.yaw, quarter.pitch) == pytest.approx((own.yaw, own.pitch), abs=6)
