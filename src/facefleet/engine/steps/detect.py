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
from facefleet.engine.steps.views import (
    View,
    coarse_levels,
    fine_tiles,
    padded,
    whole,
)
from facefleet.engine.types import Floats, Pixels

MIN_SCORE = 0.5
MERGE_OVERLAP = 0.3  # intersection over union from which two boxes are one face
FAR = 8  # photo px per model px, from which halving takes too long
FAR_SAMPLES = 3  # a side for each model px
CANDIDATE_SCORE = 0.25  # of a small or turned face at the first look; many score less than ``MIN_SCORE``
MAX_CANDIDATES = 1000  # places of one photo that get a closer look, the best first
CLOSER_SIDE = 4.0  # of a candidate's box: there the model is surest
FIRST_TURNS = (0, 2)  # quarter turns; the model sees something of every face by one of the two
OTHER_TURNS = (1, 3)
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
            tiles: Join all passes, and one over tiles that are small enough for every face, into one.
            min_score: Of a detection; the last pass has a limit of its own.
        """
        passes = self._passes(image, min_score)
        if tiles:
            joined = merge([detection for one in passes for detection in one])
            passes = iter([joined + self.closely(image, tiles=True)])
            yield from filter(None, passes)
        else:
            yield from filter(None, map(merge, passes))
            yield from filter(None, [self.closely(image)])

    def closely(self, image: Pixels, *, tiles: bool = False) -> list[Detection]:
        """Faces turned by any angle, best score first.

        A first look at low scores says where one may be. A closer one, by quarter turns, says whether it is and which
        way up. A face that two turns see is in the list twice: their eyes may differ, and only one of them be right.

        Args:
            image: ``(H, W, 3)`` uint8 BGR.
            tiles: Look at tiles that are small enough for every face, not only at those of half the long side.
        """
        size = _size(image)
        parts = fine_tiles(*size) if tiles else [view for level in coarse_levels(*size)[:1] for view in level]
        views = (whole(*size), padded(*size), *parts)
        seen = [one for view in views for one in self._run_turned(image, view, FIRST_TURNS, CANDIDATE_SCORE)]
        candidates = merge(_best(seen)[:MAX_CANDIDATES])
        faces = [face for candidate in candidates for face in self._look_closer(image, candidate)]
        return _best(faces)

    def _look_closer(self, image: Pixels, candidate: Detection) -> list[Detection]:
        """What is seen at a candidate's place, the best of every quarter turn."""
        x, y = ((candidate.corners[:2] + candidate.corners[2:]) / 2).tolist()
        size = float((candidate.corners[2:] - candidate.corners[:2]).max())
        height, width = image.shape[:2]
        if not (0 <= x < width and 0 <= y < height):
            return []
        view = View(x - CLOSER_SIDE * size / 2, y - CLOSER_SIDE * size / 2, CLOSER_SIDE * size)
        seen = self._run_turned(image, view, FIRST_TURNS, CANDIDATE_SCORE)
        if seen:
            seen += self._run_turned(image, view, OTHER_TURNS, MIN_SCORE)
        return [one for one in seen if one.score >= MIN_SCORE and _is_at(one, x, y, size / 2)]

    def _run_turned(self, image: Pixels, view: View, turns: tuple[int, ...], min_score: float) -> list[Detection]:
        """What is seen in a view after each of some quarter turns, merged only within a turn."""
        tensor = _tensor(image, view, self._full.size)
        seen = [_infer(tensor, turn, view, self._full, self._full_anchors, min_score) for turn in turns]
        return [detection for detections in seen for detection in merge(detections)]

    def _passes(self, image: Pixels, min_score: float) -> Iterator[list[Detection]]:
        all_of_it, bordered = whole(*_size(image)), padded(*_size(image))
        yield self._run_full(image, all_of_it, min_score)
        faces = self._run_full(image, bordered, min_score)
        yield faces + self._run_short(image, all_of_it, min_score) + self._run_short(image, bordered, min_score)
        for tiles in coarse_levels(*_size(image)):
            yield [detection for tile in tiles for detection in self._run_full(image, tile, min_score)]

    def _run_full(self, image: Pixels, view: View, min_score: float) -> list[Detection]:
        return _infer(_tensor(image, view, self._full.size), 0, view, self._full, self._full_anchors, min_score)

    def _run_short(self, image: Pixels, view: View, min_score: float) -> list[Detection]:
        return _infer(_tensor(image, view, self._short.size), 0, view, self._short, self._short_anchors, min_score)


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


def _is_at(detection: Detection, x: float, y: float, away: float) -> bool:
    centre = (detection.corners[:2] + detection.corners[2:]) / 2
    return bool(np.abs(centre - (x, y)).max() < away)


def _best(detections: list[Detection]) -> list[Detection]:
    return sorted(detections, key=lambda one: -one.score)


def _infer(
    tensor: Floats, turn: int, view: View, model: ImageModel, centres: Floats, min_score: float
) -> list[Detection]:
    """What the model sees in a view that is shown to it after ``turn`` quarter turns anticlockwise."""
    regressors, scores = model.run(np.ascontiguousarray(np.rot90(tensor, turn, axes=(1, 2))))
    score = 1 / (1 + np.exp(-np.clip(scores[0, :, 0], -_RAW_SCORE_LIMIT, _RAW_SCORE_LIMIT)))
    hits = np.flatnonzero(score >= min_score)
    raw = regressors[0, hits]
    scale = view.side / model.size
    shift = np.array([view.x, view.y], np.float32)
    # Model coordinates are edges (0 is the left edge of pixel 0), image coordinates are pixel centres.
    points = _turned_back(raw.reshape(-1, 8, 2) + centres[hits, None], turn, model.size) * scale + shift - 0.5
    half = (raw[:, 2:4] if turn % 2 == 0 else raw[:, 3:1:-1]) * scale / 2
    corners = np.concatenate([points[:, 0] - half, points[:, 0] + half], axis=1)
    return [Detection(corners[i], points[i, 2:], float(score[hit])) for i, hit in enumerate(hits)]


def _turned_back(points: Floats, turn: int, size: int) -> Floats:
    """Points of a square that was turned anticlockwise by quarters, in the square before."""
    for _ in range(turn):
        points = np.stack([size - points[..., 1], points[..., 0]], axis=-1)
    return points


def _size(image: Pixels) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


def _tensor(image: Pixels, view: View, size: int) -> Floats:
    """The view as ``(1, size, size, 3)`` float32 RGB from -1 to 1, shrunk before anything else touches it."""
    height, width = image.shape[:2]
    x0, y0 = max(0, round(view.x)), max(0, round(view.y))
    x1, y1 = min(width, round(view.x + view.side)), min(height, round(view.y + view.side))
    inside = max(1, round((x1 - x0) * size / view.side)), max(1, round((y1 - y0) * size / view.side))
    small = _sampled(image[y0:y1, x0:x1], inside)
    scale = size / view.side
    # A view smaller than the input may begin half a pixel of the image, which is one of the input, after its first one.
    left, top = max(0, round((x0 - view.x) * scale)), max(0, round((y0 - view.y) * scale))
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
