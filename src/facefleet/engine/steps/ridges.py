"""Thin lines in a picture and the best path along them: what glasses are found by."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from facefleet.engine.types import Floats, Pixels

SIGMAS = (1.0, 1.9, 3.6)  # px; a bar is answered most by the sigma of half its width (Lindeberg 1998)
HIGHEST = 60.0  # contrast that counts on a path: one strong spot must not pay for a gap
BEND = 0.6  # contrast that a step aside costs
REACH = 2  # places that a path may move aside in one step
_COLOUR = 1.5  # weight of the two colour channels
_LOGS = np.asarray(100 * np.log(np.arange(256) + 24.0), np.float32)  # a rim in shadow counts as one in the light

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Ridges:
    """Each ``(h, w)`` float32.

    Attributes:
        contrast: Of the line through each pixel with what is beside it, about hundredths of its lightness.
        cos: Of twice the angle across the line.
        sin: The same.
        sigma: That answers it most, px.
        origin: Of the rectangle looked at, px.
    """

    contrast: Floats
    cos: Floats
    sin: Floats
    sigma: Floats
    origin: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A chain of points, each ``(N,)``.

    Attributes:
        x: px.
        y: px.
        angle: Across the path, radians.
        contrast: There, of a line along the path.
        half_width: Of the line, px.
        closed: Whether the last point is next to the first.
    """

    x: Numbers
    y: Numbers
    angle: Numbers
    contrast: Numbers
    half_width: Numbers
    closed: bool

    def weakest(self, percentile: float) -> float:
        """Contrast that all but so many hundredths of the path have; 0 of an empty one."""
        return float(np.percentile(self.contrast, percentile)) if len(self.contrast) else 0.0

    def between(self, low: float, high: float) -> Path:
        """The part whose angle lies there, degrees."""
        part = (self.angle > np.radians(low)) & (self.angle < np.radians(high))
        x, y, angle, contrast, half_width = (
            column[part] for column in (self.x, self.y, self.angle, self.contrast, self.half_width)
        )
        return Path(x, y, angle, contrast, half_width, closed=False)

    def lasting(self, faint: float, gap: int) -> npt.NDArray[np.intp]:
        """Points of the path that are not fainter, and those of gaps no longer than ``gap`` between them."""
        strong = (self.contrast >= faint).astype(np.uint8)[None]
        kernel = np.ones((1, gap + 1), np.uint8)
        around = np.tile(strong, (1, 3)) if self.closed else strong
        whole = cv2.morphologyEx(np.ascontiguousarray(around), cv2.MORPH_CLOSE, kernel)[0]
        whole = cv2.morphologyEx(whole[None], cv2.MORPH_OPEN, np.ones((1, 5), np.uint8))[0]
        if self.closed:
            whole = whole[len(self.x) : 2 * len(self.x)]
        return np.flatnonzero(whole)

    def follows(self, start: int, end: int) -> bool:
        """Whether two points are neighbours on the path."""
        step = end - start
        return step == 1 or (self.closed and step == 1 - len(self.x))


def ridges(pixels: Pixels, rectangle: tuple[int, int, int, int]) -> Ridges:
    """The lines of a part of a picture: second derivatives across them at three widths, in lightness and colour.

    Args:
        pixels: ``(h, w, 3)`` uint8 BGR.
        rectangle: Left, top, right, bottom, px.
    """
    left, top, right, bottom = rectangle
    left, top = max(0, left), max(0, top)
    lab = cv2.cvtColor(np.ascontiguousarray(pixels[top:bottom, left:right]), cv2.COLOR_BGR2LAB)
    planes = np.asarray(lab, np.float32) * np.float32(_COLOUR)
    planes[..., 0] = cv2.LUT(lab[..., 0], _LOGS)
    found = [_lines(planes, sigma) for sigma in SIGMAS]
    contrast, cos, sin = (np.concatenate(each, axis=2) for each in zip(*found, strict=True))
    best = contrast.argmax(axis=2)[..., None]
    contrast, cos, sin = (np.take_along_axis(each, best, axis=2)[..., 0] for each in (contrast, cos, sin))
    sigma = np.repeat(np.array(SIGMAS, np.float32), 3)[best[..., 0]]
    return Ridges(contrast, cos, sin, sigma, (left, top))


def _lines(planes: Floats, sigma: float) -> tuple[Floats, Floats, Floats]:
    """``(h, w, 3)`` each: contrast, cosine and sine of twice the angle across; from the eigenvalues of the Hessian."""
    smooth = cv2.GaussianBlur(planes, (0, 0), sigma)
    scale = 0.5 * sigma**2
    xx, yy, xy = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3, scale=scale) for order in ((2, 0), (0, 2), (1, 1)))
    mean, apart = (xx + yy) / 2, (xx - yy) / 2
    spread = np.sqrt(apart * apart + xy * xy)
    # The greater eigenvalue less the smaller: a spot has two, a line one.
    contrast = 2 * np.minimum(np.abs(mean), spread)
    sign = np.copysign(1 / np.maximum(spread, np.float32(1e-6)), mean)
    return np.asarray(contrast, np.float32), np.asarray(apart * sign, np.float32), np.asarray(xy * sign, np.float32)


def best_path(seen: Ridges, x: Numbers, y: Numbers, angle: Numbers, *, closed: bool) -> Path:
    """The chain through rows of places that has most contrast across it (dynamic programming).

    Args:
        seen: The lines.
        x: ``(N, M)`` px: of each of N steps the M places.
        y: The same.
        angle: ``(N,)`` radians: the way the places of a step lie.
        closed: The last step is next to the first.
    """
    contrast, cos, sin, sigma = (_sampled(each, seen.origin, x, y) for each in (
        seen.contrast, seen.cos, seen.sin, seen.sigma))  # fmt: skip
    alike = cos * np.cos(2 * angle)[:, None] + sin * np.sin(2 * angle)[:, None]
    worth = contrast * np.clip(0.5 + alike, 0, 1)
    chosen = _chosen(np.minimum(worth, HIGHEST), closed=closed)
    at = np.arange(len(chosen)), chosen
    return Path(x[at], y[at], angle, worth[at], sigma[at], closed)


def _sampled(plane: Floats, origin: tuple[int, int], x: Numbers, y: Numbers) -> Numbers:
    places = (np.asarray(x - origin[0], np.float32), np.asarray(y - origin[1], np.float32))
    return np.asarray(cv2.remap(plane, *places, cv2.INTER_LINEAR), np.float64)


def _chosen(worth: Numbers, *, closed: bool) -> npt.NDArray[np.intp]:
    """Of each step the place on the path worth most; a closed one is gone round three times, its second round taken."""
    steps, places = worth.shape
    rows = np.tile(worth, (3, 1)) if closed else worth
    cost = BEND * np.abs(np.arange(-REACH, REACH + 1))
    total, back = rows[0], np.zeros((len(rows), places), np.intp)
    for step in range(1, len(rows)):
        padded = np.pad(total, REACH, constant_values=-1e9)
        moves = np.lib.stride_tricks.sliding_window_view(padded, 2 * REACH + 1) - cost
        move = moves.argmax(axis=1)
        back[step] = np.arange(places) + move - REACH
        total = moves[np.arange(places), move] + rows[step]
    chosen = np.empty(len(rows), np.intp)
    chosen[-1] = total.argmax()
    for step in range(len(rows) - 1, 0, -1):
        chosen[step - 1] = back[step, chosen[step]]
    return chosen[steps : 2 * steps] if closed else chosen
