"""Finds the hands before a face, which hardly differ from it by colour: a detector of palms, a model of their joints.

Method: Zhang et al., "MediaPipe Hands: On-device Real-time Hand Tracking" (2020). The detector first runs at half the
side of its input, which is a quarter of the work, and at its own only where that saw anything. What it then takes for a
palm is looked at twice by the model of joints, the second time where the first look put the hand: a hand stays one, a
chin does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from facefleet.engine.models.session import ImageModel, Session, Tensor
from facefleet.engine.steps import topology
from facefleet.engine.steps.detect import anchors, overlaps
from facefleet.engine.steps.geometry import Square, apply_affine
from facefleet.engine.steps.landmarks import crop_tensor
from facefleet.engine.types import Floats, Pixels

LOOKED_AT = 2.6  # sides of the face's box, side of the square in which palms are searched for
GLANCED_AT = 1.56  # likewise, at half the input
GLANCE_SIDE = 96  # px
HINT = 0.12  # score at half the input from which the detector runs at its own; 5 of 320 bare faces have it
LIKELY = 0.35  # score of a palm that gets a closer look
MOST = 2  # palms of one face that do
FIRST, SURE = 0.1, 0.7  # presence of a hand by the first and by the second look; of bare faces, 0.62 at most
REACHING = 2  # joints inside the oval; a hand beside a face covers nothing of it
FINGER = 0.28  # palm lengths, thickness
ARM_WIDE, ARM_LONG = 0.62, 2.5  # palm lengths, drawn from a wrist that is inside the oval
ANCHORS = ((8, 2), (16, 6))
_RAW_LIMIT = 80.0  # keeps exp() in float32
_OVERLAP = 0.3  # intersection over union from which two boxes are one palm
_BOX_NUMBERS = 4  # before the points of a palm: its middle and its size
_PALM_ENDS = (0, 2)  # of its seven points: the wrist and the root of the middle finger
_PALM_SIDE, _PALM_SHIFT = 2.6, 0.5  # boxes of a palm, as the model was trained
_HAND_SIDE, _HAND_SHIFT = 2.0, 0.1  # boxes of the stiff joints, likewise
_JOINTS = 21
_WRIST, _MIDDLE = 0, 9
_STIFF = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
_ROOTS = (5, 9, 13)
_PALM = (0, 1, 5, 9, 13, 17)
_FINGERS = ((1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))


@dataclass(frozen=True, slots=True, eq=False)
class Hand:
    """One hand.

    Attributes:
        joints: ``(21, 2)`` float32 px of the image, from the wrist to the tip of the little finger.
        presence: 0 to 1, how surely it is one.
    """

    joints: Floats
    presence: float

    def reaches(self, oval: Floats) -> bool:
        """Whether it lies before a face: some of its joints do."""
        return sum(_inside(joint, oval) for joint in self.joints) >= REACHING


class Hands:
    """All models.

    Args:
        glance: As ``palms``, for an input of ``GLANCE_SIDE`` px.
        palms: 192 px input, 2016 anchors; outputs 18 numbers and a score of each.
        joints: 224 px input; outputs 21 points and how surely they are a hand's, the first of the single numbers.
    """

    def __init__(self, glance: Session, palms: Session, joints: Session) -> None:
        self._glance = ImageModel(glance)
        self._palms = ImageModel(palms)
        self._joints = ImageModel(joints)
        self._anchors = anchors(self._palms.size, ANCHORS)

    def warm(self) -> None:
        """Run the models on empty input; raises as ``Session``."""
        self._glance.warm()
        self._palms.warm()
        self._joints.warm()

    def find(self, image: Pixels, points: Floats) -> list[Hand]:
        """The hands that lie before a face.

        Args:
            image: ``(H, W, 3)`` uint8 BGR.
            points: ``(468, 2)`` px of it, the landmarks of the face.
        """
        low, high = points.min(axis=0), points.max(axis=0)
        (x, y), side = ((low + high) / 2).tolist(), float((high - low).max())
        if not self._hinted_at(image, Square(x, y, GLANCED_AT * side, 0.0)):
            return []
        places = self._places(image, Square(x, y, LOOKED_AT * side, 0.0))
        hands = [hand for place in places if (hand := self._closer(image, place)) is not None]
        oval = np.asarray(points[list(topology.OVAL)], np.float32)
        return [hand for hand in hands if hand.presence >= SURE and hand.reaches(oval)]

    def _hinted_at(self, image: Pixels, around: Square) -> bool:
        """Whether the detector sees anything like a palm at half its input."""
        scores, _ = _by_anchor(self._glance.run(crop_tensor(image, around, self._glance.size)))
        return bool(scores.max() >= HINT)

    def _places(self, image: Pixels, around: Square) -> list[Square]:
        """Where hands may be, the likeliest first."""
        likely, raw = _by_anchor(self._palms.run(crop_tensor(image, around, self._palms.size)))
        order = np.argsort(-likely)
        hits = order[likely[order] >= LIKELY]
        middles = raw[hits, :2] + self._anchors[hits]
        sizes = raw[hits, 2:_BOX_NUMBERS]
        ends = raw[hits, _BOX_NUMBERS:].reshape(len(hits), 7, 2)[:, _PALM_ENDS] + self._anchors[hits, None]
        affine, scale = around.to_image(self._palms.size), around.side / self._palms.size
        # Model coordinates are edges (0 is the left edge of pixel 0), image coordinates are pixel centres.
        return [
            _upright(
                apply_affine(affine, middles[one, None] - 0.5)[0], apply_affine(affine, ends[one] - 0.5),
                scale * float(sizes[one].max()), _PALM_SIDE, _PALM_SHIFT,
            )
            for one in _apart(middles, sizes)
        ]  # fmt: skip

    def _closer(self, image: Pixels, place: Square) -> Hand | None:
        """The hand at a place by the second look, or None where the first sees none."""
        first = self._look(image, place)
        return self._look(image, _place_of(first.joints)) if first.presence >= FIRST else None

    def _look(self, image: Pixels, place: Square) -> Hand:
        size = self._joints.size
        outputs = self._joints.run(crop_tensor(image, place, size))
        joints = next(each for each in outputs if each.size == 3 * _JOINTS).reshape(_JOINTS, 3)[:, :2]
        joints = np.asarray(joints, np.float32) - np.float32(0.5)
        presence = next(each for each in outputs if each.size == 1)
        return Hand(apply_affine(place.to_image(size), joints), float(presence.ravel()[0]))


def drawn(joints: Floats, oval: Floats, size: tuple[int, int]) -> Pixels:
    """``(h, w)`` uint8, 255 where a hand is, and its forearm where the wrist lies before the face.

    Args:
        joints: ``(21, 2)`` px of what is drawn.
        oval: ``(N, 2)`` px, of the face.
        size: Width and height of what is drawn.
    """
    mask: Pixels = np.zeros((size[1], size[0]), np.uint8)
    along = joints[_MIDDLE] - joints[_WRIST]
    length = float(np.linalg.norm(along))
    thick = max(1, round(FINGER * length))
    palm = np.round(joints[list(_PALM)]).astype(np.int32)
    cv2.fillConvexPoly(mask, cv2.convexHull(palm), 255)
    cv2.polylines(mask, [palm], True, 255, thick)
    cv2.polylines(mask, [np.round(joints[list(one)]).astype(np.int32) for one in _FINGERS], False, 255, thick)
    if _inside(joints[_WRIST], oval):
        arm = np.stack([joints[_WRIST], joints[_WRIST] - np.float32(ARM_LONG) * along])
        cv2.polylines(mask, [np.round(arm).astype(np.int32)], False, 255, max(1, round(ARM_WIDE * length)))
    return mask


def _by_anchor(outputs: tuple[Tensor, ...]) -> tuple[Floats, Floats]:
    """Of the detector: ``(N,)`` scores from 0 to 1, and ``(N, 18)`` numbers, px of its input."""
    scores, raw = sorted((each[0] for each in outputs), key=lambda each: each.shape[-1])
    likely = 1 / (1 + np.exp(-np.clip(scores[:, 0], -_RAW_LIMIT, _RAW_LIMIT)))
    return np.asarray(likely, np.float32), raw


def _inside(point: Floats, oval: Floats) -> bool:
    return cv2.pointPolygonTest(oval, (float(point[0]), float(point[1])), False) > 0


def _apart(middles: Floats, sizes: Floats) -> list[int]:
    """The first boxes that are not the same palm (non-maximum suppression)."""
    corners = np.concatenate([middles - sizes / 2, middles + sizes / 2], axis=1)
    chosen: list[int] = []
    for number, box in enumerate(corners):
        if len(chosen) < MOST and not (chosen and (overlaps(box, corners[chosen]) > _OVERLAP).any()):
            chosen.append(number)
    return chosen


def _place_of(joints: Floats) -> Square:
    """Where the joints of a hand that was seen are looked at again."""
    ends = np.stack([joints[_WRIST], joints[list(_ROOTS)].mean(axis=0)])
    cos, sin = math.cos(_angle(ends)), math.sin(_angle(ends))
    turn = np.array([[cos, -sin], [sin, cos]], np.float32)
    level = joints[list(_STIFF)] @ turn
    low, high = level.min(axis=0), level.max(axis=0)
    return _upright(turn @ ((low + high) / 2), ends, float((high - low).max()), _HAND_SIDE, _HAND_SHIFT)


def _upright(middle: Floats, ends: Floats, side: float, larger: float, shift: float) -> Square:
    """The square in which a hand points up, round a box of it and moved towards its fingers."""
    angle = _angle(ends)
    x = float(middle[0]) + side * shift * math.sin(angle)
    y = float(middle[1]) - side * shift * math.cos(angle)
    return Square(x, y, larger * side, angle)


def _angle(ends: Floats) -> float:
    """Clockwise, from straight up to the line from the wrist to the fingers."""
    across, down = (ends[1] - ends[0]).tolist()
    return math.atan2(across, -down)
