"""Tells which eyes of a face are closed: the face mesh draws the same open lids over them.

Method: Ablavatski et al., "Real-time Pupil Tracking from Monocular Video for Digital Puppetry" (2020), whose model
looks at one eye from near by and draws the edges of its lids where they are.
"""

from __future__ import annotations

import math

import numpy as np

from facefleet.engine.mesh.masks import Parts, softened
from facefleet.engine.models.session import ImageModel, Session
from facefleet.engine.steps.geometry import Square
from facefleet.engine.steps.landmarks import crop_tensor
from facefleet.engine.types import Floats, Pixels

CLOSED = 0.19  # openness over the eye's width; open eyes have over 0.2
SMALL = 25.0  # px, width of an eye on which lowered lids look almost like closed ones:
SMALL_CLOSED = 0.12  # there an eye is closed under this where the other one is wide open, or both are under the next
SMALL_BOTH, WIDE_OPEN = 0.11, 0.25
CROP_MARGIN = 2.3  # eye widths, as the model was trained
LID_MARGIN, LID_FADE = 0.045, 0.02  # face widths round an eye that stays, and over which it does
CORNERS = ((33, 133), (362, 263))  # of the right eye and of the left one, from the left of the image
_CONTOUR = 71  # points, each of three numbers
_LOWER, _UPPER, _ENDS = slice(1, 8), slice(9, 16), (0, 8)  # lids from one corner to the other, and the corners


class Eyelids:
    """The eye contour model.

    Args:
        session: 64 px input, a left eye; outputs 71 points and five of the iris.
    """

    def __init__(self, session: Session) -> None:
        self._model = ImageModel(session)

    def warm(self) -> None:
        """Run the model on empty input; raises as ``Session``."""
        self._model.warm()

    def any_closed(self, patch: Pixels, points: Floats) -> bool:
        """Whether one eye is closed, or both.

        Args:
            patch: ``(h, w, 3)`` uint8 BGR.
            points: ``(468, 2)`` px of the patch.
        """
        lower, higher = sorted(self._openness(patch, points[list(ends)], ends is CORNERS[0]) for ends in CORNERS)
        if min(float(np.linalg.norm(points[one] - points[other])) for one, other in CORNERS) >= SMALL:
            return lower < CLOSED
        return higher < SMALL_BOTH or (lower < SMALL_CLOSED and higher > WIDE_OPEN)

    def _openness(self, patch: Pixels, ends: Floats, mirrored: bool) -> float:
        """Of one eye, over its width."""
        (x, y), (across, down) = ends.mean(axis=0).tolist(), (ends[1] - ends[0]).tolist()
        square = Square(x, y, CROP_MARGIN * math.hypot(across, down), math.atan2(down, across))
        tensor = crop_tensor(patch, square, self._model.size)
        outputs = self._model.run(np.ascontiguousarray(tensor[:, :, ::-1]) if mirrored else tensor)
        contour = next(each for each in outputs if each.size == 3 * _CONTOUR).reshape(_CONTOUR, 3)
        return _opening(contour[:, 1]) * CROP_MARGIN / self._model.size


def _opening(rows: Floats) -> float:
    """Gap between the lids, px, and how far the upper one rises over the corners, less how far the lower one sags.

    The lids of a closed eye meet below the line of its corners.
    """
    lower, upper, line = rows[_LOWER], rows[_UPPER], float(rows[list(_ENDS)].mean())
    gap = (lower - upper)[1:-1].max()
    return float(gap + (line - upper.min()) - (lower.max() - line))


def kept_eyes(parts: Parts) -> Floats:
    """``(h, w)`` float32, 1 over the eyes of a target that stay: both, since eyes of two people make no pair."""
    return softened(parts.eyes, LID_MARGIN * parts.width, LID_FADE * parts.width + 0.3)
