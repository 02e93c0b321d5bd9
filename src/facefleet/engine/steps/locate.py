"""Every face of a photo: detection, landmarks, pose, and the order in which faces are counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from facefleet.engine.steps.detect import MERGE_OVERLAP, Detection, overlaps
from facefleet.engine.steps.landmarks import Landmarker, Mesh
from facefleet.engine.steps.pose import head_pose
from facefleet.engine.types import Box, Face, Faces, Pixels


def locate(image: Pixels, detections: list[Detection], landmarker: Landmarker) -> Faces:
    """Landmarks for every detection; what the landmark model does not take for a face is dropped.

    Args:
        image: ``(H, W, 3)`` uint8 BGR.
        detections: Best first.
        landmarker: The face mesh model.
    """
    meshes: list[Mesh] = []
    for detection in detections:
        found = landmarker.locate(image, detection.square())
        # Two detections that were apart can settle on one face.
        if found and not _known(found, meshes):
            meshes.append(found)
    ordered = sorted(meshes, key=_rank)
    height, width = image.shape[:2]
    return Faces(width, height, tuple(_face(index, found) for index, found in enumerate(ordered)))


def relocated(image: Pixels, face: Face, landmarker: Landmarker) -> Face:
    """The face with its landmarks where they are now: a fusion has moved them.

    Args:
        image: ``(H, W, 3)`` uint8 BGR.
        face: As it was before; it stays so where the landmark model no longer sees one.
        landmarker: The face mesh model.
    """
    found = landmarker.locate(image, Mesh(face.landmarks, face.score).square())
    return face if found is None else replace(face, landmarks=found.points)


def _known(found: Mesh, meshes: list[Mesh]) -> bool:
    others = np.array([other.corners for other in meshes], np.float32).reshape(-1, 4)
    return bool((overlaps(found.corners, others) >= MERGE_OVERLAP).any())


def _rank(found: Mesh) -> tuple[int, int, int]:
    """Largest first; whole pixels, so that a rounding error cannot swap two faces."""
    left, top, right, bottom = (float(v) for v in found.corners)
    return -round((right - left) * (bottom - top)), round(top), round(left)


def _face(index: int, found: Mesh) -> Face:
    left, top, right, bottom = (float(v) for v in found.corners)
    points = np.ascontiguousarray(found.points)
    points.setflags(write=False)
    return Face(index, Box(left, top, right - left, bottom - top), found.presence, head_pose(points), points)
