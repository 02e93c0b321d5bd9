"""Red pupils of a source lit by a flash: they are its camera's, not its owner's, and are not carried over."""

from __future__ import annotations

import cv2
import numpy as np

from facefleet.engine.steps import mesh
from facefleet.engine.types import Floats, Pixels

RED_LEVELS = 45  # by which red must exceed the other channels
RED_SHARE = 0.4  # of red that the others must leave free
PUPIL_REACH = 0.32  # eye widths round the middle of the eye; corners and lids beyond are red on everyone
LEAST = 0.04  # share of that area which must be red


def without_red_eyes(patch: Pixels, points: Floats) -> None:
    """Take the red out of both pupils, in place.

    Args:
        patch: ``(h, w, 3)`` uint8 BGR.
        points: ``(468, 2)`` px of the patch.
    """
    for loop in (mesh.RIGHT_EYE, mesh.LEFT_EYE):
        _clear(patch, points[list(loop)])


def _clear(patch: Pixels, lid: Floats) -> None:
    x0, y0 = np.maximum(np.floor(lid.min(axis=0)).astype(int), 0)
    x1, y1 = np.ceil(lid.max(axis=0)).astype(int) + 1
    eye = patch[y0:y1, x0:x1]
    if not eye.size:
        return
    local = lid - np.array([x0, y0], np.float32)
    width = float(np.ptp(local[:, 0]))
    near = np.zeros(eye.shape[:2], np.uint8)
    middle = tuple(int(v) for v in np.round(local.mean(axis=0)))
    cv2.circle(near, middle, max(1, round(PUPIL_REACH * width)), 1, -1)
    others, red = eye[..., :2].max(axis=2).astype(np.int16), eye[..., 2].astype(np.int16)
    glowing = np.asarray((red - others > np.maximum(RED_LEVELS, RED_SHARE * red)) & (near > 0), np.uint8)
    if int(glowing.sum()) < max(3.0, LEAST * int(near.sum())):
        return
    grown = cv2.dilate(glowing, np.ones((3, 3), np.uint8)) > 0
    dull = np.asarray(eye[..., :2].min(axis=2)[..., None] * np.float32(0.8), np.uint8)
    np.copyto(eye, dull, where=(grown & (red > others))[..., None])
