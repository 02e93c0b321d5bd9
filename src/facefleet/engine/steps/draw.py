"""Draws located faces on a copy of their photo: boxes, numbers, five points and outlines of the parts."""

from __future__ import annotations

import cv2
import numpy as np

from facefleet.engine.steps import topology
from facefleet.engine.types import Face, Faces, Pixels

BOX, MESH, POINT = (60, 200, 60), (230, 190, 80), (40, 60, 240)  # BGR
_LOOPS = (
    topology.OVAL,
    topology.LIPS_OUTER,
    topology.LIPS_INNER,
    topology.RIGHT_EYE,
    topology.LEFT_EYE,
    topology.RIGHT_BROW,
    topology.LEFT_BROW,
)


def draw(pixels: Pixels, faces: Faces) -> Pixels:
    """An annotated copy.

    Args:
        pixels: ``(H, W, 3)`` uint8 BGR.
        faces: Of the same photo.
    """
    canvas = pixels.copy()
    for face in faces.faces:
        _draw_face(canvas, face)
    return canvas


def _draw_face(canvas: Pixels, face: Face) -> None:
    line = max(1, round(face.box.short_side / 160))
    xy = np.round(face.landmarks[:, :2]).astype(np.int32)
    for loop in _LOOPS:
        cv2.polylines(canvas, [xy[list(loop)]], True, MESH, line, cv2.LINE_AA)
    for x, y in xy[::6].tolist():
        cv2.circle(canvas, (x, y), line, MESH, -1, cv2.LINE_AA)
    for x, y in np.round(face.landmarks5).astype(int).tolist():
        cv2.circle(canvas, (x, y), 2 * line + 1, POINT, -1, cv2.LINE_AA)
    left, top = round(face.box.x), round(face.box.y)
    right, bottom = round(face.box.x + face.box.width), round(face.box.y + face.box.height)
    cv2.rectangle(canvas, (left, top), (right, bottom), BOX, 2 * line, cv2.LINE_AA)
    size = max(0.4, face.box.short_side / 200)
    cv2.putText(
        canvas, str(face.index), (left, max(12, top - 4)), cv2.FONT_HERSHEY_SIMPLEX, size, BOX, 2 * line, cv2.LINE_AA
    )
