"""Every face of a photo: detection, landmarks, pose, and the order in which faces are counted."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from facefleet.engine.steps.detect import MERGE_OVERLAP, Detection, overlaps
from facefleet.engine.steps.landmarks import Landmarker, Mesh
from facefleet.engine.steps.pose import head_pose
from facefleet.engine.types import Box, Face, Faces, Pixels

ALIKE = 0.94  # of the larger area
NOISE = 0.03  # that a ratio of two areas can have


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
    ordered = _in_order(meshes)
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


def _in_order(meshes: list[Mesh]) -> list[Mesh]:
    """The largest first; of those that are about as large as their neighbours in that order, the left one.

    By size alone, another compression of the same photo would number people of one size anew.
    """
    ordered: list[Mesh] = []
    alike: list[Mesh] = []
    for found in sorted(meshes, key=lambda found: (-_area(found), *_across(found))):
        if alike and _area(found) < ALIKE * _area(alike[-1]):
            ordered, alike = ordered + sorted(alike, key=_across), []
        alike.append(found)
    return ordered + sorted(alike, key=_across)


def order_in_doubt(faces: Faces) -> bool:
    """Whether another compression of the same photo could number its faces differently."""
    areas = sorted((face.box.area for face in faces.faces), reverse=True)
    return any(abs(after / before - ALIKE) < NOISE for before, after in pairwise(areas))


def _area(found: Mesh) -> float:
    left, top, right, bottom = (float(v) for v in found.corners)
    return (right - left) * (bottom - top)


def _across(found: Mesh) -> tuple[float, float]:
    """From left to right, leaning down: two faces one above the other differ by more than noise as well."""
    left, top, right, bottom = (float(v) for v in found.corners)
    return left + right + (top + bottom) / 4, top


def _face(index: int, found: Mesh) -> Face:
    left, top, right, bottom = (float(v) for v in found.corners)
    points = np.ascontiguousarray(found.points)
    points.setflags(write=False)
    return Face(index, Box(left, top, right - left, bottom - top), found.presence, head_pose(points), points)
