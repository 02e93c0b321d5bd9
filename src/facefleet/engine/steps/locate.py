"""Measures every detected face of a photo and puts the faces into the order in which they are numbered."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from facefleet.engine.steps.detect import MERGE_OVERLAP, MIN_SCORE, Detection, overlaps
from facefleet.engine.steps.landmarks import CERTAIN_PRESENCE, Landmarker, Mesh
from facefleet.engine.steps.pose import head_pose
from facefleet.engine.types import Box, Face, Faces, Pixels

ALIKE = 0.94  # of the larger area
ANOTHER_WAY = np.radians(45)  # between two meshes on one face: one of them was read the wrong way up
TURNED_ROLL = 36.0  # degrees, from which a photo may lie on its side: heads are seldom tilted so far
AREA_NOISE = 0.03  # by which the ratio of two areas differs between two compressions


def locate(image: Pixels, detections: list[Detection], landmarker: Landmarker) -> Faces:
    """Landmarks for every detection; what the landmark model does not take for a face is dropped.

    Args:
        image: ``(H, W, 3)`` uint8 BGR.
        detections: Best first.
        landmarker: The face mesh model.
    """
    meshes: list[Mesh] = []
    for detection in detections:
        mesh = landmarker.locate(image, detection.square())
        if mesh and _is_certain(mesh, detection):
            _add(mesh, meshes)
    ordered = _in_order(meshes)
    height, width = image.shape[:2]
    return Faces(width, height, tuple(_face(index, mesh) for index, mesh in enumerate(ordered)))


def relocated(image: Pixels, face: Face, landmarker: Landmarker) -> Face:
    """The face with its landmarks where they are now: a fusion has moved them.

    Args:
        image: ``(H, W, 3)`` uint8 BGR.
        face: As it was before; it stays so where the landmark model no longer sees one.
        landmarker: The face mesh model.
    """
    mesh = landmarker.locate(image, Mesh(face.landmarks, face.score).square())
    return face if mesh is None else replace(face, landmarks=mesh.points)


def _is_certain(mesh: Mesh, detection: Detection) -> bool:
    """Whether one of the two models is sure: of what the detector doubts, the landmark model must not."""
    return detection.score >= MIN_SCORE or mesh.presence >= CERTAIN_PRESENCE


def _add(mesh: Mesh, meshes: list[Mesh]) -> None:
    """Put a mesh among the others; of two on one face the first stays, unless it was read the wrong way up.

    Two detections that were apart can settle on one face.
    """
    others = np.array([other.corners for other in meshes], np.float32).reshape(-1, 4)
    same = np.flatnonzero(overlaps(mesh.corners, others) >= MERGE_OVERLAP)
    if same.size == 0:
        meshes.append(mesh)
    elif same.size == 1 and _is_righted(mesh, meshes[same[0]]):
        meshes[same[0]] = mesh


def _is_righted(mesh: Mesh, other: Mesh) -> bool:
    """Whether one of two meshes on a face lies another way than the other, and the landmark model is surer of it."""
    turn = np.cos(mesh.square().angle - other.square().angle)
    return bool(turn < np.cos(ANOTHER_WAY) and mesh.presence > other.presence)


def _in_order(meshes: list[Mesh]) -> list[Mesh]:
    """The largest first; of those that are about as large as their neighbours in that order, the left one.

    By size alone, another compression of the same photo would number people of one size anew.
    """
    ordered: list[Mesh] = []
    alike: list[Mesh] = []
    for mesh in sorted(meshes, key=lambda mesh: (-_area(mesh), *_across(mesh))):
        if alike and _area(mesh) < ALIKE * _area(alike[-1]):
            ordered, alike = ordered + sorted(alike, key=_across), []
        alike.append(mesh)
    return ordered + sorted(alike, key=_across)


def order_in_doubt(faces: Faces) -> bool:
    """Whether another compression of the same photo could number its faces differently."""
    areas = sorted((face.box.area for face in faces.faces), reverse=True)
    return any(abs(after / before - ALIKE) < AREA_NOISE for before, after in pairwise(areas))


def is_turned(faces: Faces) -> bool:
    """Whether a face is tilted so far that the photo may be turned, and other people in it overlooked for that."""
    return any(abs(face.pose.roll) > TURNED_ROLL for face in faces.faces)


def _area(mesh: Mesh) -> float:
    left, top, right, bottom = (float(v) for v in mesh.corners)
    return (right - left) * (bottom - top)


def _across(mesh: Mesh) -> tuple[float, float]:
    """From left to right, leaning down: two faces one above the other differ by more than noise as well."""
    left, top, right, bottom = (float(v) for v in mesh.corners)
    return left + right + (top + bottom) / 4, top


def _face(index: int, mesh: Mesh) -> Face:
    left, top, right, bottom = (float(v) for v in mesh.corners)
    points = np.ascontiguousarray(mesh.points)
    points.setflags(write=False)
    return Face(index, Box(left, top, right - left, bottom - top), mesh.presence, head_pose(points), points)
