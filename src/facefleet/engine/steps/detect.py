"""Detects faces by BlazeFace on a shrunk image, with further passes for tight head shots and small faces.

Method: Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs" (2019), with the anchor and
decoding options that MediaPipe documents for its full-range and short-range models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.models.session import ImageModel, Session
from facefleet.engine.steps.geometry import Square
from facefleet.engine.steps.resample import halved, is_near, shrunk
from facefleet.engine.types import Floats, Pixels

MIN_SCORE = 0.5
MERGE_OVERLAP = 0.3  # intersection over union from which two boxes are one face
PAD_SHARE = 0.5  # of the long side, added around a tight head shot
FAR = 8  # photo px per model px, from which halving takes too long
FAR_SAMPLES = 3  # a side for each model px
TILE_MIN_SIDE = 320  # px; smaller tiles show nothing that larger ones do not
TILE_LEVELS = (2, 4)  # tiles along the long side, without their overlap
_RAW_SCORE_LIMIT = 80.0  # keeps exp() in float32
_EYE_RIGHT, _EYE_LEFT = 0, 1  # key points of the models, the subject's sides


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """What the detector takes for a face.

    Attributes:
        corners: ``(4,)`` float32: left, top, right, bottom, px of the image.
        points: ``(6, 2)`` float32: eyes, nose tip, mouth, ears, px of the image.
        score: 0 to 1.
    """

    corners: Floats
    points: Floats
    score: float

    def square(self, margin: float = 1.5) -> Square:
        """The crop for the landmark model: ``margin`` times the box, turned so that the eyes are level."""
        left, top, right, bottom = (float(v) for v in self.corners)
        eye_x, eye_y = (float(v) for v in self.points[_EYE_LEFT] - self.points[_EYE_RIGHT])
        side = margin * max(right - left, bottom - top)
        return Square((left + right) / 2, (top + bottom) / 2, side, float(np.arctan2(eye_y, eye_x)))


@dataclass(frozen=True, slots=True)
class _View:
    """A square part of the image, px; parts outside the image read as black."""

    x: float
    y: float
    side: float


class Detector:
    """Two BlazeFace models that are run over an image and its parts until one sees a face.

    Args:
        full_range: 192 px input, 2304 anchors; sees small faces.
        short_range: 128 px input, 896 anchors; sees large ones.
    """

    def __init__(self, full_range: Session, short_range: Session) -> None:
        self._full = ImageModel(full_range)
        self._short = ImageModel(short_range)
        self._full_anchors = anchors(192, ((4, 1),))
        self._short_anchors = anchors(128, ((8, 2), (16, 6)))

    def warm(self) -> None:
        """Run both models on empty input; raises as ``Session``."""
        self._full.warm()
        self._short.warm()

    def passes(self, image: Pixels, *, tiles: bool = False, min_score: float = MIN_SCORE) -> Iterator[list[Detection]]:
        """Detections of one pass after the other, from the cheapest to the most thorough, each best score first.

        The caller stops at the first pass in which a detection turns out to be a face.

        Args:
            image: ``(H, W, 3)`` uint8 BGR.
            tiles: Join all passes, those over tiles too, into one that finds small faces beside large ones.
            min_score: Of a detection.
        """
        passes = self._passes(image, min_score)
        if tiles:
            passes = iter([[detection for one in passes for detection in one]])
        yield from filter(None, map(merge, passes))

    def _passes(self, image: Pixels, min_score: float) -> Iterator[list[Detection]]:
        height, width = image.shape[:2]
        side = float(max(height, width))
        whole = _View((width - side) / 2, (height - side) / 2, side)
        pad = PAD_SHARE * side
        padded = _View(whole.x - pad, whole.y - pad, side + 2 * pad)
        yield self._run_full(image, whole, min_score)
        faces = self._run_full(image, padded, min_score)
        yield faces + self._run_short(image, whole, min_score) + self._run_short(image, padded, min_score)
        for level in TILE_LEVELS:
            if side / level >= TILE_MIN_SIDE:
                tiles = _tiles(width, height, side / level)
                yield [detection for tile in tiles for detection in self._run_full(image, tile, min_score)]

    def _run_full(self, image: Pixels, view: _View, min_score: float) -> list[Detection]:
        return _run(image, view, self._full, self._full_anchors, min_score)

    def _run_short(self, image: Pixels, view: _View, min_score: float) -> list[Detection]:
        return _run(image, view, self._short, self._short_anchors, min_score)


def anchors(size: int, layers: tuple[tuple[int, int], ...]) -> Floats:
    """Anchor centres, as the models order them.

    Args:
        size: Side of the input, px.
        layers: Stride in px and anchors per cell, for each feature map.

    Returns:
        ``(N, 2)`` float32 in px of the input; every anchor is one input wide (fixed anchor size).
    """
    centres = []
    for stride, per_cell in layers:
        at = (np.arange(size // stride, dtype=np.float32) + 0.5) * stride
        y, x = np.meshgrid(at, at, indexing="ij")
        centres.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), per_cell, axis=0))
    return np.concatenate(centres)


def merge(detections: list[Detection]) -> list[Detection]:
    """Weighted non-maximum suppression: overlapping boxes become their mean by score (BlazeFace, section 3.3)."""
    rest = sorted(detections, key=lambda one: -one.score)
    merged = []
    while rest:
        same = overlaps(rest[0].corners, np.stack([one.corners for one in rest])) >= MERGE_OVERLAP
        merged.append(_mean([one for one, joins in zip(rest, same, strict=True) if joins]))
        rest = [one for one, joins in zip(rest, same, strict=True) if not joins]
    return merged


def overlaps(box: Floats, others: Floats) -> Floats:
    """``(N,)`` intersection over union of a ``(4,)`` box with ``(N, 4)`` others: left, top, right, bottom."""
    sides = np.clip(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0, None)
    shared = sides[:, 0] * sides[:, 1]
    area = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    own = (box[2] - box[0]) * (box[3] - box[1])
    return np.asarray(shared / np.maximum(own + area - shared, 1e-6), np.float32)


def _mean(same: list[Detection]) -> Detection:
    weights = np.array([one.score for one in same], np.float32)
    weights /= weights.sum()
    corners = np.einsum("n,ni->i", weights, np.stack([one.corners for one in same]))
    points = np.einsum("n,nij->ij", weights, np.stack([one.points for one in same]))
    return Detection(corners.astype(np.float32), points.astype(np.float32), same[0].score)


def _run(image: Pixels, view: _View, model: ImageModel, centres: Floats, min_score: float) -> list[Detection]:
    regressors, scores = model.run(_tensor(image, view, model.size))
    score = 1 / (1 + np.exp(-np.clip(scores[0, :, 0], -_RAW_SCORE_LIMIT, _RAW_SCORE_LIMIT)))
    hits = np.flatnonzero(score >= min_score)
    raw = regressors[0, hits]
    scale = view.side / model.size
    shift = np.array([view.x, view.y], np.float32)
    # Model coordinates are edges (0 is the left edge of pixel 0), image coordinates are pixel centres.
    points = (raw.reshape(-1, 8, 2) + centres[hits, None]) * scale + shift - 0.5
    half = raw[:, 2:4] * scale / 2
    corners = np.concatenate([points[:, 0] - half, points[:, 0] + half], axis=1)
    return [Detection(corners[i], points[i, 2:], float(score[hit])) for i, hit in enumerate(hits)]


def _tensor(image: Pixels, view: _View, size: int) -> Floats:
    """The view as ``(1, size, size, 3)`` float32 RGB from -1 to 1, shrunk before anything else touches it."""
    height, width = image.shape[:2]
    x0, y0 = max(0, round(view.x)), max(0, round(view.y))
    x1, y1 = min(width, round(view.x + view.side)), min(height, round(view.y + view.side))
    inside = max(1, round((x1 - x0) * size / view.side)), max(1, round((y1 - y0) * size / view.side))
    small = _sampled(image[y0:y1, x0:x1], inside)
    scale = size / view.side
    left, top = round((x0 - view.x) * scale), round((y0 - view.y) * scale)
    canvas = np.zeros((size, size, 3), np.uint8)
    fits = small[: size - top, : size - left]
    canvas[top : top + fits.shape[0], left : left + fits.shape[1]] = fits
    rgb = cv2.cvtColor(canvas, cv2.COLOR_BGR2RGB)
    return np.asarray(cv2.addWeighted(rgb, 1 / 127.5, rgb, 0, -1, dtype=cv2.CV_32F), np.float32)[None]


def _sampled(part: Pixels, size: tuple[int, int]) -> Pixels:
    """All pixels, halved by exact means; of a large photo bilinear samples, three a side a pixel, and their mean.

    Both are nearer to the mean of all pixels than skipping some of them, and take a quarter of its time.
    """
    if max(part.shape[:2]) > FAR * max(size):
        part = np.asarray(cv2.resize(part, (FAR_SAMPLES * size[0], FAR_SAMPLES * size[1])), np.uint8)
    else:
        while not is_near(part, size):
            part = halved(part)
    return shrunk(part, size)


def _tiles(width: int, height: int, side: float) -> list[_View]:
    """Overlapping squares, two thirds of a tile apart at most."""
    return [_View(x, y, side) for y in _starts(height, side) for x in _starts(width, side)]


def _starts(length: int, side: float) -> list[float]:
    if length <= side:
        return [(length - side) / 2]
    count = int(np.ceil((length - side) / (side * 2 / 3))) + 1
    return [float(at) for at in np.linspace(0, length - side, count)]
