"""Measures where a head points, from its 468 points."""

from __future__ import annotations

import numpy as np

from facefleet.engine.steps.geometry import fit_similarity
from facefleet.engine.steps.topology import STABLE, topology
from facefleet.engine.types import Floats, Pose


def head_pose(landmarks: Floats) -> Pose:
    """Fit the mean frontal shape to the points and read the angles off the rotation.

    The rotation is taken apart as roll · yaw · pitch, roll last, so that turning the photo changes the roll alone.

    Args:
        landmarks: ``(468, 3)`` px.

    Returns:
        Degrees; signs as in ``Pose``.
    """
    stable = list(STABLE)
    rotation = fit_similarity(topology().mean_shape[stable], landmarks[stable]).rotation.astype(np.float64)
    yaw = np.arcsin(np.clip(rotation[2, 0], -1, 1))
    pitch = -np.arctan2(rotation[2, 1], rotation[2, 2])
    roll = np.arctan2(rotation[1, 0], rotation[0, 0])
    return Pose(*(float(np.degrees(angle)) for angle in (yaw, pitch, roll)))
