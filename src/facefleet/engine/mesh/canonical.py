"""Every face in one small frame: turned, straightened and scaled to the mean shape, its colours beside its own skin's.

What is said here of a pixel does not depend on size, pose and light, so that a few numbers learned from built scenes
can tell what belongs to a face (``occlusion.py``).
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from facefleet.engine.mesh.median import median
from facefleet.engine.mesh.raster import paint
from facefleet.engine.steps import topology
from facefleet.engine.types import Floats, Pixels

WIDTH, HEIGHT = 56, 64  # px of the frame
RIM = 3  # px
MARGIN = 2.0  # px between the widest part of the face and the frame's edge
TEXTURE = 1.5  # px of half the resolution
DETAIL, WORDS = 15, 21  # planes
LIGHT_UNIT, COLOUR_UNIT = 0.4, 0.12  # logarithms that count as one
FURTHEST = 5.0  # units
_HALF = HEIGHT // 2, WIDTH // 2
_LOGS = np.log(np.arange(256, dtype=np.float32) + np.float32(24))

_SKIN = (*topology.CORE_SKIN, *topology.CHIN_SKIN, 9, 8, 151, 108, 337, 69, 299)
_PLACES = (
    topology.RIGHT_EYE + topology.LEFT_EYE,
    topology.RIGHT_BROW + topology.LEFT_BROW,
    topology.NOSE_TIP + topology.NOSTRILS,
    topology.LIPS_OUTER,
    topology.LIPS_INNER,
    (168, 6, 197, 195, 5),
)


@cache
def points() -> Floats:
    """``(468, 2)`` px of the frame: the mean shape."""
    xy = topology.topology().mean_shape[:, :2]
    low, high = xy[:, 0].min(), xy[:, 0].max()
    scale = (WIDTH - 1 - 2 * MARGIN) / (high - low)
    oval = xy[list(topology.OVAL)]
    middle = np.array([(low + high) / 2, (oval[:, 1].min() + oval[:, 1].max()) / 2], np.float32)
    return np.asarray((xy - middle) * scale + np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2]), np.float32)


@cache
def inside() -> npt.NDArray[np.bool_]:
    """``(HEIGHT, WIDTH)``, the pixels that belong to the face."""
    return np.asarray(_owners() >= 0)


@cache
def inner() -> npt.NDArray[np.bool_]:
    """``(HEIGHT, WIDTH)``, the face without its rim, where hair and what is behind the head show through."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RIM + 1, 2 * RIM + 1))
    whole = np.asarray(inside(), np.uint8)
    return np.asarray(cv2.erode(whole, disc, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0)


def near_side(yaw: float, reach: float) -> npt.NDArray[np.bool_]:
    """``(HEIGHT, WIDTH)``, what lies nearer to the camera than a limit on the far side of a turned face.

    Args:
        yaw: Of the head, degrees; over 0, the far side is that to the right.
        reach: Where the limit is: 1 at the far edge of the frame, 0 in the middle of the face, -1 at the near edge.
    """
    to_the_far_side = np.linspace(-1, 1, WIDTH) * (1 if yaw > 0 else -1)
    return np.broadcast_to(to_the_far_side <= reach, (HEIGHT, WIDTH))


def straightened(pixels: Pixels, landmarks: Floats) -> Pixels:
    """``(HEIGHT, WIDTH, C)`` of the type of ``pixels``, the face in the frame.

    Args:
        pixels: ``(h, w, C)``.
        landmarks: ``(468, 2)`` px of these.
    """
    corners, shares = _barycentric()
    x, y = (
        sum(share * along.take(corner) for share, corner in zip(shares, corners, strict=True)).reshape(HEIGHT, WIDTH)
        for along in np.ascontiguousarray(landmarks[:, :2].T)
    )
    return np.asarray(cv2.remap(pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def described(face: Pixels, template: Floats) -> tuple[Floats, Floats]:
    """What is known of each four pixels: their colours; and likeness to the mean face, symmetry, texture, place, light.

    Args:
        face: ``(HEIGHT, WIDTH, 3)`` uint8 BGR, straightened.
        template: ``(HEIGHT / 2, WIDTH / 2)`` float32, lightness of the mean face in units.

    Returns:
        ``(HEIGHT / 2, WIDTH / 2, DETAIL)``, of which neighbours matter, and ``(HEIGHT / 2, WIDTH / 2, WORDS)``, of
        which they do not; both float32.
    """
    units, overall = units_of(face)
    units, overall = units * np.float32(0.5), overall * np.float32(0.5)
    fours = units.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 3).transpose(0, 2, 1, 3, 4).reshape(*_HALF, 12)
    half = (fours[..., :3] + fours[..., 3:6] + fours[..., 6:9] + fours[..., 9:]) * np.float32(0.25)
    light = np.ascontiguousarray(2 * half[..., 0])
    others = ((template, 1.5), (template, 3.0), (np.ascontiguousarray(light[:, ::-1]), 1.5))
    alike = np.stack([*(_alike(light, other, sigma) for other, sigma in others), template * np.float32(0.5)], axis=2)
    whole = np.broadcast_to(overall, (*_HALF, len(overall)))
    words = np.concatenate([alike, _spread(half), places(), whole], axis=2)
    return np.concatenate([fours, half[:, ::-1]], axis=2), np.asarray(words, np.float32)


def lightness(face: Pixels) -> Floats:
    """``(HEIGHT, WIDTH)`` float32: of a straightened face in units, from which the template is made."""
    return np.ascontiguousarray(units_of(face)[0][..., 0])


def units_of(face: Pixels) -> tuple[Floats, Floats]:
    """Lightness and two log ratios of the channels, each from the skin's own; and what holds for the whole face.

    Args:
        face: ``(HEIGHT, WIDTH, 3)`` uint8 BGR, straightened.

    Returns:
        ``(HEIGHT, WIDTH, 3)`` and ``(6,)`` float32.
    """
    planes = logarithms(face)
    skin = planes[_skin()]
    usual = median(skin)
    away = median(np.abs(skin - usual))
    scale = np.array([LIGHT_UNIT, COLOUR_UNIT, COLOUR_UNIT], np.float32)
    units = np.clip((planes - usual) / scale, -FURTHEST, FURTHEST)
    return np.asarray(units, np.float32), np.concatenate([(usual - 4) * (0.5, 3, 3), away / scale]).astype(np.float32)


def logarithms(pixels: Pixels) -> Floats:
    """``(h, w, 3)`` float32: the logarithm of lightness, and those of red over green and of green over blue."""
    blue, green, red = cv2.split(cv2.LUT(pixels, _LOGS))
    return np.asarray(cv2.merge([0.25 * blue + 0.5 * green + 0.25 * red, red - green, green - blue]), np.float32)


def _blurred(planes: Floats, sigma: float) -> Floats:
    """A mean over a square of that standard deviation."""
    side = 2 * round((np.sqrt(12 * sigma**2 + 1) - 1) / 2) + 1
    return np.asarray(cv2.blur(planes, (side, side), borderType=cv2.BORDER_REPLICATE), np.float32)


def _spread(planes: Floats) -> Floats:
    """Standard deviation round each pixel."""
    mean = _blurred(planes, TEXTURE)
    return np.sqrt(np.maximum(_blurred(planes * planes, TEXTURE) - mean * mean, 0))


def _alike(one: Floats, other: Floats, sigma: float) -> Floats:
    """Covariance of two faces round each pixel over their mean variance, -1 to 1."""
    products = np.asarray(cv2.merge([one, other, one * one + other * other, one * other]), np.float32)
    a, b, squares, both = cv2.split(_blurred(products, sigma))
    return np.asarray(2 * (both - a * b) / (squares - a * a - b * b + np.float32(0.04)), np.float32)


@cache
def places() -> Floats:
    """``(HEIGHT / 2, WIDTH / 2, 8)`` float32: how near to each part of a face, how far to the side, how far down."""
    x, y = np.meshgrid(np.linspace(-1, 1, WIDTH), np.linspace(-1, 1, HEIGHT))
    whole = np.stack([*part_planes(), np.abs(x), y])
    half = whole.reshape(len(whole), HEIGHT // 2, 2, WIDTH // 2, 2).mean(axis=(2, 4))
    return np.ascontiguousarray(half.transpose(1, 2, 0), np.float32)


@cache
def part_planes() -> Floats:
    """``(6, HEIGHT, WIDTH)`` float32: how near to eyes, brows, nose, lips, mouth and bridge of the nose."""
    planes = []
    for place in _PLACES:
        mask: Pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
        for half in (place[: len(place) // 2], place[len(place) // 2 :]) if len(place) in (20, 32) else (place,):
            cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points()[list(half)]).astype(np.int32)), 255)
        planes.append(cv2.GaussianBlur(mask, (0, 0), 1.5).astype(np.float32) / 255)
    return np.stack(planes)


def skin_colour(planes: Floats) -> Floats:
    """``(C,)``, the median of ``(HEIGHT, WIDTH, C)`` where most faces show skin."""
    return median(planes[_skin()])


@cache
def _skin() -> npt.NDArray[np.bool_]:
    """Round the points where most faces show skin."""
    mask: Pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x, y in np.round(points()[list(_SKIN)]).astype(int).tolist():
        cv2.circle(mask, (x, y), 2, 1, -1)
    return np.asarray(mask > 0)


@cache
def _owners() -> topology.Indices:
    triangles = topology.topology().triangles
    return paint(points(), triangles, np.arange(len(triangles)), (WIDTH, HEIGHT))


@cache
def _barycentric() -> tuple[topology.Indices, Floats]:
    """``(3, N)`` corners and shares of the triangle of each pixel; outside the face, of the nearest pixel inside."""
    triangles = topology.topology().triangles
    owners = _owners()
    outside = np.asarray(owners < 0, np.uint8)
    _, labels = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    rows, columns = np.nonzero(owners >= 0)
    nearest = np.zeros(labels.max() + 1, np.intp)
    nearest[labels[rows, columns]] = np.arange(len(rows))
    nearest = nearest[labels.ravel()]
    corners = triangles[owners[rows[nearest], columns[nearest]]]
    a, b, c = (points()[corners[:, corner]].astype(np.float64) for corner in range(3))
    at = np.stack([columns[nearest], rows[nearest]], axis=1)
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    second = ((at - a)[:, 0] * (c - a)[:, 1] - (at - a)[:, 1] * (c - a)[:, 0]) / area
    third = ((b - a)[:, 0] * (at - a)[:, 1] - (b - a)[:, 1] * (at - a)[:, 0]) / area
    shares = np.stack([1 - second - third, second, third]).astype(np.float32)
    return np.ascontiguousarray(corners.T), shares
