"""Removes red pupils, which a flash makes: they belong to the camera, not to the person."""

from __future__ import annotations

import cv2
import numpy as np

from facefleet.engine.mesh.median import median
from facefleet.engine.steps import topology
from facefleet.engine.types import Floats, Pixels

RED_SHARE = 0.6  # of red that the other channels must leave free
REDDER = 0.2  # by how much more than they do on skin: warm light reddens whole eyes
ORANGE_SHARE = 0.15  # of red between green and blue; a lit retina has none, skin and brown eyes have
BRIGHT = 90  # levels
PUPIL_REACH = 0.32  # eye widths round the middle of the eye; corners and lids beyond are red on everyone
LEAST = 0.04  # share of that area which must be red


def without_red_eyes(patch: Pixels, points: Floats) -> None:
    """Take the red out of both pupils, in place.

    Args:
        patch: ``(h, w, 3)`` uint8 BGR.
        points: ``(468, 2)`` px of the patch.
    """
    cheeks = np.round(points[list(topology.CORE_SKIN)]).astype(int)
    cheeks = np.clip(cheeks, 0, (patch.shape[1] - 1, patch.shape[0] - 1))
    skin = np.asarray(patch[cheeks[:, 1], cheeks[:, 0]], np.float32)
    usual = float(median((skin[:, 2] - skin[:, :2].max(axis=1)) / (skin[:, 2] + 1)))
    for loop in (topology.RIGHT_EYE, topology.LEFT_EYE):
        _clear(patch, points[list(loop)], max(RED_SHARE, usual + REDDER))


def _clear(patch: Pixels, lid: Floats, share: float) -> None:
    x0, y0, across, down = cv2.boundingRect(lid)
    x1, y1, x0, y0 = x0 + across, y0 + down, max(x0, 0), max(y0, 0)
    eye = patch[y0:y1, x0:x1]
    if not eye.size:
        return
    blue, green, red = cv2.split(eye)
    others = cv2.max(blue, green)
    redder = cv2.compare(cv2.subtract(red, others), cv2.convertScaleAbs(red, alpha=share), cv2.CMP_GT)
    if not cv2.countNonZero(redder):  # as nearly always
        return
    local = lid - np.array([x0, y0], np.float32)
    width = float(np.ptp(local[:, 0]))
    near = np.zeros(eye.shape[:2], np.uint8)
    middle = tuple(int(v) for v in np.round(local.mean(axis=0)))
    cv2.circle(near, middle, max(1, round(PUPIL_REACH * width)), 1, -1)
    orange = cv2.subtract(green, blue) >= ORANGE_SHARE * red
    glowing = np.asarray((redder > 0) & (red > BRIGHT) & ~orange & (near > 0), np.uint8)
    if int(glowing.sum()) < max(3.0, LEAST * int(near.sum())):
        return
    grown = cv2.dilate(glowing, np.ones((3, 3), np.uint8)) > 0
    dull = np.asarray(eye[..., :2].min(axis=2)[..., None] * np.float32(0.8), np.uint8)
    np.copyto(eye, dull, where=(grown & (red > others))[..., None])
