"""Finds thin lines in a picture and the best paths along them, by which glasses are found."""

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
_NOWHERE = -1e9  # contrast beyond the last place
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
        origin: Of the part looked at, px.
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

    def neighbours(self, points: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Of some points of the path, in order, those that are followed by the next one, and these."""
        after = np.roll(points, -1)
        step = after - points
        follow = (step == 1) | (self.closed and step == 1 - len(self.x))
        return points[follow], after[follow]


def ridges(pixels: Pixels, origin: tuple[int, int]) -> Ridges:
    """The lines of a part of a picture: second derivatives across them at three widths, in lightness and colour.

    Args:
        pixels: ``(h, w, 3)`` uint8 BGR.
        origin: Of the part in the picture, px.
    """
    lab = cv2.cvtColor(pixels, cv2.COLOR_BGR2LAB)
    planes = np.asarray(lab, np.float32) * np.float32(_COLOUR)
    planes[..., 0] = cv2.LUT(lab[..., 0], _LOGS)
    contrast, mean, apart, xy, widest = (np.zeros(lab.shape[:2], np.float32) for _ in range(5))
    for sigma in SIGMAS:
        width = np.full_like(widest, sigma)
        lines = _lines(np.asarray(cv2.GaussianBlur(planes, (0, 0), sigma), np.float32), 0.5 * sigma**2)
        for line in zip(*(cv2.split(each) for each in lines), strict=True):
            better = cv2.compare(line[0], contrast, cv2.CMP_GT)
            for new, best in zip((*line, width), (contrast, mean, apart, xy, widest), strict=True):
                cv2.copyTo(new, better, best)
    # Twice the angle across: of the eigenvector that belongs to the eigenvalue furthest from zero.
    sign = np.copysign(1 / np.maximum(cv2.magnitude(apart, xy), np.float32(1e-6)), mean)
    return Ridges(contrast, np.asarray(apart * sign), np.asarray(xy * sign), widest, origin)


def _lines(planes: Floats, scale: float) -> tuple[Floats, Floats, Floats, Floats]:
    """``(h, w, 3)`` each, of the Hessian: contrast, half the sum of its diagonal, half the difference, and the rest."""
    xx, yy, xy = (cv2.Sobel(planes, cv2.CV_32F, *order, ksize=3, scale=scale) for order in ((2, 0), (0, 2), (1, 1)))
    mean, apart = cv2.addWeighted(xx, 0.5, yy, 0.5, 0), cv2.addWeighted(xx, 0.5, yy, -0.5, 0)
    # The greater eigenvalue less the smaller: a spot has two, a line one.
    contrast = 2 * np.minimum(np.abs(mean), cv2.magnitude(apart, xy))
    return contrast, np.asarray(mean, np.float32), np.asarray(apart, np.float32), np.asarray(xy, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Of B chains of N steps the M places of each, ``(B, N, M)``.

    Attributes:
        x: px.
        y: px.
        angle: ``(N,)`` radians: the way the places of a step lie.
        worth: Contrast there, of a line across that way.
        sigma: Of the line, px.
    """

    x: Numbers
    y: Numbers
    angle: Numbers
    worth: Numbers
    sigma: Numbers

    def weakest(self, percentile: float) -> float:
        """Contrast that no path through the first chain can have more of, see ``Path.weakest``."""
        return float(np.percentile(self.worth[0].max(axis=1), percentile))


def places(seen: Ridges, x: Numbers, y: Numbers, angle: Numbers) -> Places:
    """What the lines are worth at some places.

    Args:
        seen: The lines.
        x: ``(B, N, M)`` px.
        y: The same.
        angle: ``(N,)`` radians.
    """
    _, _, number = x.shape
    flat = x.reshape(-1, number), y.reshape(-1, number)
    contrast, cos, sin, sigma = (
        _sampled(each, seen.origin, *flat).reshape(x.shape) for each in (seen.contrast, seen.cos, seen.sin, seen.sigma)
    )
    alike = cos * np.cos(2 * angle)[:, None] + sin * np.sin(2 * angle)[:, None]
    return Places(x, y, angle, contrast * np.clip(0.5 + alike, 0, 1), sigma)


def best_paths(through: Places, *, closed: bool) -> list[Path]:
    """The chains that have most contrast across them (dynamic programming).

    Args:
        through: One place of each step.
        closed: The last step is next to the first.
    """
    chosen = _chosen(np.minimum(through.worth, HIGHEST), closed=closed)
    at = np.arange(through.x.shape[1])
    paths = []
    for one, on in enumerate(chosen):
        x, y, worth, sigma = (each[one][at, on] for each in (through.x, through.y, through.worth, through.sigma))
        paths.append(Path(x, y, through.angle, worth, sigma, closed))
    return paths


def _sampled(plane: Floats, origin: tuple[int, int], x: Numbers, y: Numbers) -> Numbers:
    places = (np.asarray(x - origin[0], np.float32), np.asarray(y - origin[1], np.float32))
    return np.asarray(cv2.remap(plane, *places, cv2.INTER_LINEAR), np.float64)


def _chosen(worth: Numbers, *, closed: bool) -> npt.NDArray[np.intp]:
    """``(B, N)``: of each chain and step the place on the path worth most.

    A closed one is gone round twice, from half a round before its first step: by then it has forgotten its start.
    """
    chains, steps, places = worth.shape
    lead = steps // 2 if closed else 0
    rows = np.concatenate([worth[:, steps - lead :], worth, worth[:, :lead]], axis=1).transpose(1, 0, 2)
    best = np.full((len(rows), chains, places + 2 * REACH), _NOWHERE)
    best[0, :, REACH:-REACH] = rows[0]
    for before, here, row in zip(best, best[1:, :, REACH:-REACH], rows[1:], strict=False):
        here[:] = before[:, REACH:-REACH]
        for aside in range(1, REACH + 1):
            up, down = before[:, REACH - aside : -REACH - aside], before[:, REACH + aside : places + REACH + aside]
            np.maximum(here, np.maximum(up, down) - BEND * aside, out=here)
        here += row
    moves = np.arange(-REACH, REACH + 1)
    chosen = np.empty((len(rows), chains), np.intp)
    chosen[-1] = best[-1, :, REACH:-REACH].argmax(axis=1)
    every = np.arange(chains)[:, None]
    for step in range(len(rows) - 1, lead, -1):
        on = chosen[step]
        near = best[step - 1][every, on[:, None] + REACH + moves] - BEND * np.abs(moves)
        chosen[step - 1] = on + moves[near.argmax(axis=1)]
    return chosen[lead : lead + steps].T
