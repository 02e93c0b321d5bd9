"""Names the points of the 468-point face mesh that belong together, and loads its mean shape and triangles.

Point numbers are those of MediaPipe's face mesh. "Right" and "left" are the subject's: right is on the image's left.
``topology.json`` holds the mean frontal shape of sample faces made symmetric, its mirror pairs, and a constrained
Delaunay triangulation of it in which the face oval, the rings of the lips and the eyelids are edges.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from facefleet.engine.types import Floats

Indices = npt.NDArray[np.intp]

# Closed loops, in order round the face.
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
LIPS_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
LIPS_OUTER_RIM = (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 408, 304, 303, 302, 11, 72, 73, 74, 184)
LIPS_INNER_RIM = (62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 407, 272, 271, 268, 12, 38, 41, 42, 183)
LIPS_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_BROW = (46, 53, 52, 65, 55, 107, 66, 105, 63, 70)
LEFT_BROW = (276, 283, 282, 295, 285, 336, 296, 334, 293, 300)

LIPS = LIPS_OUTER + LIPS_OUTER_RIM + LIPS_INNER_RIM + LIPS_INNER
# Cheeks and nose down to the mouth: skin on almost every face, whatever its hair, beard or glasses.
CORE_SKIN = (117, 50, 205, 203, 2, 423, 425, 280, 346, 330, 195, 101)
NOSE_TIP = (5, 51, 45, 44, 1, 274, 275, 281)
CHIN_SKIN = (83, 201, 208, 171, 175, 396, 428, 421, 313, 18)
# The loop from one ear along the jaw to the other and back below the eyes: what a mask over mouth and nose covers.
LOWER_FACE = (
    454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234,
    117, 118, 197, 347, 346,
)  # fmt: skip
NOSTRILS = (98, 97, 2, 326, 327, 294, 440, 4, 220, 64)
# Hulls from the outer quarter of a brow and the corner of an eye to the oval.
RIGHT_TEMPLE = (63, 53, 33, 234, 127, 162, 21)
LEFT_TEMPLE = (293, 283, 263, 454, 356, 389, 251)
# Loops between the lower lid and the cheek, and below these.
UNDER_RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 243, 233, 232, 231, 230, 229, 228, 31, 226)
UNDER_LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 463, 453, 452, 451, 450, 449, 448, 261, 446)
BELOW_RIGHT_EYE = (226, 31, 228, 229, 230, 231, 232, 233, 128, 121, 120, 119, 118, 117, 111)
BELOW_LEFT_EYE = (446, 261, 448, 449, 450, 451, 452, 453, 357, 350, 349, 348, 347, 346, 340)
MOUTH_CORNERS = (78, 308)
MOUTH_MIDDLE = (13, 14)  # upper and lower inner lip
FOREHEAD, CHIN = 10, 152
CHEEKS = (234, 454)

# Points that an expression hardly moves: bridge and sides of the nose, corners of the eyes, temples, forehead.
STABLE = (
    1, 4, 5, 6, 195, 197, 168, 8, 9, 151, 10, 33, 133, 263, 362, 98, 327, 48, 278, 129, 358, 114, 343,
    127, 356, 234, 454, 162, 389, 21, 251, 54, 284, 103, 332, 67, 297, 109, 338, 93, 323,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Topology:
    """The mesh itself.

    Attributes:
        mean_shape: ``(468, 3)`` float32, frontal and symmetric; a face is 1000 wide.
        mirror: ``(468,)``, the point on the other side of the face.
        triangles: ``(898, 3)``, clockwise on the screen as seen from the front.
    """

    mean_shape: Floats
    mirror: Indices
    triangles: Indices


@cache
def topology() -> Topology:
    """The mesh, read once."""
    raw = json.loads(resources.files(__package__).joinpath("topology.json").read_text("ascii"))
    return Topology(
        np.array(raw["mean_shape"], np.float32), np.array(raw["mirror"], np.intp), np.array(raw["triangles"], np.intp)
    )


@cache
def oval_distance() -> Floats:
    """``(468,)`` distance of each point of the mean shape from the face oval, in face widths; 0 on the oval."""
    xy = topology().mean_shape[:, :2]
    return _distance(xy, xy[list(OVAL)])


@cache
def nearness(points: tuple[int, ...], reach: float) -> Floats:
    """``(468,)`` weight: 1 at the given points of the mean shape, falling smoothly to 0 at ``reach`` face widths."""
    xy = topology().mean_shape[:, :2]
    return 1 - smoothstep(_distance(xy, xy[list(points)]) / reach)


def smoothstep(t: Floats) -> Floats:
    """0 below 0, 1 above 1, and a cubic without corners between."""
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _distance(points: Floats, others: Floats) -> Floats:
    """Nearest distance in face widths."""
    return np.asarray(np.linalg.norm(points[:, None] - others[None], axis=2).min(axis=1) / 1000, np.float32)
