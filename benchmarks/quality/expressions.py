"""Other expressions and proportions of a face: its landmarks are moved, and the pixels between them follow."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from benchmarks.quality.faces import Random, Shot

from facefleet.engine.steps import topology
from facefleet.engine.types import Floats, Pixels

# Upper lid and the point of the lower lid below it.
_LIDS = (
    (246, 7), (161, 163), (160, 144), (159, 145), (158, 153), (157, 154), (173, 155),
    (466, 249), (388, 390), (387, 373), (386, 374), (385, 380), (384, 381), (398, 382),
)  # fmt: skip
_JAW = (
    *(17, 314, 405, 321, 84, 181, 91, 16, 15, 14, 87, 317, 178, 402, 86, 316, 85, 315, 180, 404, 18, 83, 313, 200),
    *(199, 175, 152, 148, 377, 176, 400, 171, 396, 208, 428, 201, 421),
)  # fmt: skip
_NOSE = (*topology.NOSE_TIP, *topology.NOSTRILS, 48, 278, 49, 279, 129, 358, 102, 331)
_STEP = 10  # px between two points of the field


def expressed(shot: Shot, rng: Random) -> Shot:
    """With eyes more or less closed, the mouth open, nose, brows and lips larger or smaller; each by chance."""
    move = np.zeros((len(shot.points), 2), np.float32)
    width, points = shot.width, shot.points[:, :2]
    if rng.random() < 0.3:
        share = rng.uniform(0.4, 0.95)
        for upper, lower in _LIDS:
            move[upper] = share * (points[lower] - points[upper])
    for group, most in ((_NOSE, 0.25), (topology.LIPS, 0.2), (topology.RIGHT_EYE + topology.LEFT_EYE, 0.0)):
        chosen = list(group)
        middle = points[chosen].mean(axis=0)
        move[chosen] += rng.uniform(-most, most) * (points[chosen] - middle)
    for brow in (topology.RIGHT_BROW, topology.LEFT_BROW):
        move[list(brow), 1] += rng.uniform(-0.035, 0.03) * width
    opened = rng.random() < 0.3
    if opened:
        move[list(_JAW), 1] += rng.uniform(0.04, 0.16) * width
    moved = _warped(shot, move)
    return _with_inside(moved, rng) if opened else moved


def _warped(shot: Shot, move: Floats) -> Shot:
    height, width = shot.pixels.shape[:2]
    after = shot.points[:, :2] + move
    y, x = np.mgrid[0 : height + _STEP : _STEP, 0 : width + _STEP : _STEP].astype(np.float32)
    away = (x[..., None] - after[:, 0]) ** 2 + (y[..., None] - after[:, 1]) ** 2
    weight = 1 / (away + (0.012 * shot.width) ** 2) ** 2
    still = 1 / (0.11 * shot.width) ** 4  # far from all points nothing moves
    field = (weight @ move) / (weight.sum(axis=2, keepdims=True) + still)
    full = np.asarray(cv2.resize(field, (field.shape[1] * _STEP, field.shape[0] * _STEP)), np.float32)[:height, :width]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    pixels = cv2.remap(
        shot.pixels, columns - full[..., 0], rows - full[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    points = shot.points.copy()
    points[:, :2] = after
    return replace(shot, pixels=np.asarray(pixels, np.uint8), points=points)


def _with_inside(shot: Shot, rng: Random) -> Shot:
    """The inside of an opened mouth: dark, with a row of teeth or without."""
    loop = np.round(shot.points[list(topology.LIPS_INNER), :2] * 4).astype(np.int32)
    mask: Pixels = np.zeros(shot.pixels.shape[:2], np.uint8)
    cv2.fillPoly(mask, [loop], 255, cv2.LINE_AA, 2)
    soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.8), np.float32)[..., None] / np.float32(255)
    inside = np.zeros_like(shot.pixels, np.float32) + np.array([25, 22, 60], np.float32) * rng.uniform(0.4, 1.6)
    if rng.random() < 0.6:
        top, bottom = shot.points[13, 1], shot.points[14, 1]
        edge = top + rng.uniform(0.2, 0.5) * (bottom - top)
        y = np.arange(shot.pixels.shape[0], dtype=np.float32)[:, None, None]
        teeth = 1 / (1 + np.exp(np.clip((y - edge) / 0.8, -30, 30)))
        inside = inside * (1 - teeth) + teeth * np.array([185, 200, 210], np.float32) * rng.uniform(0.6, 1.1)
    pixels = shot.pixels * (1 - soft) + inside * soft
    return replace(shot, pixels=np.asarray(np.clip(pixels, 0, 255), np.uint8))
