"""What lies before a face, and so which of its features are hidden: decided before a fusion, of source and target.

A hidden feature of a target stays as it is. One of a source is not given: the target's own stays. Where too little of
a face is left, it is refused (``steps/gate.py`` has the other refusals).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from facefleet.engine.mesh import canonical, evidence, masks
from facefleet.engine.mesh.median import median
from facefleet.engine.mesh.occlusion import judge, near, scale_of
from facefleet.engine.mesh.raster import paint
from facefleet.engine.steps import topology
from facefleet.engine.types import Floats, Pixels, Pose
from facefleet.errors.input import FaceOccluded

LIKELY, FAINT = 0.65, 0.2  # from which a pixel may belong to a thing, and beside surer ones does
NEIGHBOURHOOD = 6  # px of the frame round surer pixels in which fainter ones belong to the thing
ENOUGH = -0.12  # log odds from which an area is a thing,
ENOUGH_TILTED = 0.5  # of a face that looks up or down: the ones learned from do not
# Mean sureness from which a large area is a thing whatever its edge, such as a cup of two colours.
SURE, SURE_TILTED = 0.86, 0.94
LARGE = 0.03  # share of the face
TILTED = 15.0  # degrees
# Degrees of yaw from which the far edge of the mesh may show what is behind the head, and from which its far half may.
TURNED, HALF_TURNED = 26.0, 38.0
SHOWN = 0.5  # share of an area that must lie on the near side of that
BESIDE = 0.6  # less is enough for further areas: a patch has a strap, a hand has fingers
CLEAR = 0.83  # mean sureness of a thing's pixels under which its outline cannot be told
LEAST = 0.004  # share of the face that a thing covers at least
HIDDEN_GIVING, HIDDEN_TAKING = 0.12, 0.5  # share of a feature from which all of it counts as hidden
MOST = 0.6  # share of the face that may be hidden
FEWEST = 2  # features of four that must show
MARGIN = 0.03  # face widths round a thing, where its shadow and edge are
SOFT = 0.012  # face widths
REACH = 0.12  # face widths round a thing in which more of it is looked for by its colours
ALIKE, UNLIKE = 2.0, 3.0  # standard deviations from the thing's colours at most, from the skin's at least
LEAST_SPREAD = np.array([0.08, 0.03, 0.03], np.float32)  # logarithms
SUSPECTED = 0.03  # share of the face that may faintly belong to a thing from which hands are searched for

SearchForHands = Callable[[], Pixels | None]
"""``(h, w)`` uint8 at the working size, 255 where hands are, or None where there is none."""

Mask = npt.NDArray[np.bool_]


class Feature(Enum):
    """What a face is known by."""

    RIGHT_EYE = "right eye"
    LEFT_EYE = "left eye"
    NOSE = "nose"
    MOUTH = "mouth"


_EYES = frozenset({Feature.RIGHT_EYE, Feature.LEFT_EYE})
_POINTS = {
    Feature.RIGHT_EYE: topology.RIGHT_EYE,
    Feature.LEFT_EYE: topology.LEFT_EYE,
    Feature.NOSE: topology.NOSE_TIP + topology.NOSTRILS,
    Feature.MOUTH: topology.LIPS_OUTER,
}
_WITH_BROWS = {
    Feature.RIGHT_EYE: topology.RIGHT_EYE + topology.RIGHT_BROW + topology.UNDER_RIGHT_EYE,
    Feature.LEFT_EYE: topology.LEFT_EYE + topology.LEFT_BROW + topology.UNDER_LEFT_EYE,
    Feature.NOSE: topology.NOSE_TIP + topology.NOSTRILS + (48, 278, 197),
    Feature.MOUTH: topology.LIPS_OUTER,
}
_BROWS = (topology.RIGHT_BROW, topology.LEFT_BROW)


@dataclass(frozen=True, slots=True, eq=False)
class Covered:
    """What lies before a face.

    Attributes:
        mask: ``(h, w)`` float32 at the working size, 1 where a thing is, or all of a feature that it hides.
        share: Of the face that things hide.
        hidden: The features of which too much is hidden.
        blurred: The features on which it cannot be told where the thing ends.
        by_hand: Whether hands are among the things.
        brow_hidden: Whether hands hide a brow.
    """

    mask: Floats
    share: float
    hidden: tuple[Feature, ...]
    blurred: tuple[Feature, ...] = ()
    by_hand: bool = False
    brow_hidden: bool = False

    @property
    def brows(self) -> bool:
        """Whether a brow is hidden, by itself or with its eye."""
        return self.brow_hidden or Feature.RIGHT_EYE in self.hidden or Feature.LEFT_EYE in self.hidden

    @property
    def maybe_frame(self) -> bool:
        """Whether it may be a frame of glasses: eyes alone are hidden, both, or one by what has no clear outline."""
        touched = {*self.hidden, *self.blurred}
        return not self.by_hand and touched <= _EYES and bool(len(touched) == len(_EYES) or self.blurred)

    @property
    def too_much(self) -> bool:
        """Whether what shows of the face is too little to be known by."""
        return self.share > MOST or len(Feature) - len(self.hidden) < FEWEST

    @property
    def refused(self) -> bool:
        """Whether the face cannot be used."""
        return self.too_much or bool(self.blurred)


def find_covered(
    small: Pixels,
    points: Floats,
    parts: masks.Parts,
    pose: Pose,
    *,
    replaced: bool,
    hands: SearchForHands | None = None,
) -> Covered | None:
    """What lies before a face, or None.

    Args:
        small: ``(h, w, 3)`` uint8 BGR at the working size.
        points: ``(468, 2)`` px of it.
        parts: Of it.
        pose: Of the head.
        replaced: Whether another face comes over it: of its features, what shows is still replaced.
        hands: Searches for hands before it; asked where anything is suspected, since it takes time.
    """
    shown = canonical.near_side(pose.yaw, 1 - (abs(pose.yaw) - TURNED) / (HALF_TURNED - TURNED))
    if not shown.any():
        return None
    face = canonical.straightened(near(small, points), points * np.float32(scale_of(points)))
    said = judge()(face)
    limit = HIDDEN_TAKING if replaced else HIDDEN_GIVING
    things = _things(said, face, shown, tilted=abs(pose.pitch) >= TILTED)
    covered = None if things is None else _by_things(things, limit, small, points, parts)
    hand = hands() if hands is not None and _suspected(said) else None
    return covered if hand is None else _with_hand(covered, hand, points, parts, replaced=replaced)


def refuse_hidden(what: Covered | None, index: int, image: str) -> None:
    """Refuse a face of which too little shows, or of which it cannot be told what shows.

    Args:
        what: Lies before it.
        index: Of the face.
        image: The photo's name in messages.

    Raises:
        FaceOccluded: Too much of it is hidden, or the outline of what hides a feature is uncertain.
    """
    if what is None or not what.refused:
        return
    if what.too_much:
        said, features = "hides too much of it", what.hidden
    else:
        said, features = "hides it in part, and where it ends cannot be told", what.blurred
    parts = [feature.value for feature in features]
    named = ", ".join(parts) or f"{what.share:.0%} of it"
    raise FaceOccluded(
        f"Something lies before face {index} of the {image} photo and {said} ({named}); use a photo that shows the "
        "face.",
        image=image, index=index, parts=parts, hidden=round(what.share, 2), max_hidden=MOST,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Things:
    """The things before a face in the canonical frame; the mean of how sure that is of their pixels."""

    mask: Mask
    sureness: float


def _suspected(said: Floats) -> bool:
    """Whether there may be something, if not enough to be called a thing: the skin of a hand hardly differs."""
    return float((said[canonical.inner()] > FAINT).mean()) >= SUSPECTED


def _by_things(things: _Things, limit: float, small: Pixels, points: Floats, parts: masks.Parts) -> Covered:
    """What things hide, features from a share on."""
    hidden = _touched(things.mask, limit)
    blurred = _touched(things.mask, HIDDEN_GIVING) if things.sureness < CLEAR else ()
    share = float(things.mask[canonical.inside()].mean())
    return Covered(_laid(things.mask, hidden, small, points, parts), share, hidden, blurred)


def _with_hand(
    covered: Covered | None, hand: Pixels, points: Floats, parts: masks.Parts, *, replaced: bool
) -> Covered | None:
    """What hands hide besides; where they end is known."""
    limit = HIDDEN_TAKING if replaced else HIDDEN_GIVING
    share = _share(hand, parts.face > 0)
    if share < LEAST:
        return covered
    touched = {one: _share(hand, _area(chosen, points, hand.shape)) for one, chosen in _POINTS.items()}
    hidden = tuple(feature for feature in Feature if touched[feature] > limit)
    brows = [brow for brow in _BROWS if _share(hand, _area(brow, points, hand.shape)) > limit]
    if brows and not replaced:
        brows = list(_BROWS)  # those of two people make no pair
    mask = masks.grown(hand, MARGIN * parts.width)
    _add_hulls(mask, brows + [_WITH_BROWS[feature] for feature in hidden], points, parts.width)
    soft = _softened(mask, parts.width)
    by_hand = Covered(soft, share, hidden, by_hand=True, brow_hidden=bool(brows))
    return by_hand if covered is None else _joined(by_hand, covered, touched)


def _joined(by_hand: Covered, others: Covered, touched: dict[Feature, float]) -> Covered:
    """Both; where a hand hides a feature, it does not matter where another thing over it ends."""
    return replace(
        by_hand,
        mask=np.maximum(by_hand.mask, others.mask),
        share=max(by_hand.share, others.share),
        hidden=tuple(feature for feature in Feature if feature in {*by_hand.hidden, *others.hidden}),
        blurred=tuple(feature for feature in others.blurred if touched[feature] <= HIDDEN_GIVING),
    )


def _touched(things: Mask, limit: float) -> tuple[Feature, ...]:
    """The features of which things hide more than a share."""
    return tuple(feature for feature, area in _areas().items() if float(things[area].mean()) > limit)


def _things(said: Floats, face: Pixels, shown: Mask, *, tilted: bool) -> _Things | None:
    """The connected areas that are things by all that is known of them, or None.

    Those of which most is not ``shown`` by the photo are left out: there, what is behind the head is in the frame.
    """
    areas = [area for area in candidates(said) if float(shown[area].mean()) > SHOWN]
    if not areas:
        return None
    odds = _odds(areas, said, face, SURE_TILTED if tilted else SURE)
    enough = ENOUGH_TILTED if tilted else ENOUGH
    if odds.max() <= enough:
        return None
    sure = np.logical_or.reduce([area for area, odd in zip(areas, odds, strict=True) if odd > enough - BESIDE])
    things = np.asarray(_with_faint(sure, said), np.uint8)
    grown = cv2.dilate(things, np.ones((2 * canonical.RIM + 1, 2 * canonical.RIM + 1), np.uint8)) > 0
    mask = np.asarray(np.where(canonical.inner(), things > 0, grown & canonical.inside()))
    return _Things(mask, float(said[sure].mean()))


def _odds(areas: list[Mask], said: Floats, face: Pixels, sure: float) -> Floats:
    """``(N,)``, log odds of each area being a thing; no doubt of a large one of whose pixels the mean is ``sure``."""
    weights = judge().areas
    odds = known_of(areas, said, face) @ weights[:-1] + weights[-1]
    whole = canonical.inner().sum()
    certain = [float(said[area].mean()) > sure and area.sum() > LARGE * whole for area in areas]
    return np.where(certain, np.inf, odds)


def _with_faint(sure: Mask, said: Floats) -> Mask:
    """With the fainter pixels that hang together with surer ones and are not far from them (hysteresis)."""
    side = 2 * NEIGHBOURHOOD + 1
    near_by = cv2.dilate(np.asarray(sure, np.uint8), np.ones((side, side), np.uint8)) > 0
    _, labels = cv2.connectedComponents(np.asarray((said > FAINT) & near_by & canonical.inner() | sure, np.uint8))
    return np.isin(labels, np.unique(labels[sure]))


def candidates(said: Floats) -> list[Mask]:
    """The connected areas that may be things, each ``(HEIGHT, WIDTH)``.

    Args:
        said: ``(HEIGHT, WIDTH)`` float32, how surely something lies before each pixel.
    """
    likely = np.asarray((said > LIKELY) & canonical.inner(), np.uint8)
    count, labels = cv2.connectedComponents(likely)
    size = np.bincount(labels.ravel(), minlength=count)
    least = LEAST * canonical.inner().sum()
    return [labels == number for number in range(1, count) if size[number] >= least]


def known_of(areas: list[Mask], said: Floats, face: Pixels) -> Floats:
    """``(N, COUNT)`` float32, what speaks for each area being a thing."""
    edges = evidence.edges_of(canonical.units_of(face)[0])
    return np.stack([evidence.numbers(area, said, edges) for area in areas])


def _laid(things: Mask, hidden: tuple[Feature, ...], small: Pixels, points: Floats, parts: masks.Parts) -> Floats:
    """The things at the working size, with a margin, and all of the hidden features."""
    size, width = (small.shape[1], small.shape[0]), parts.width
    x, y = _places(points[:, :2], size)
    there = cv2.remap(np.asarray(things, np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    mask = np.asarray(there > 0.4, np.uint8) * np.uint8(255)
    mask = masks.grown(_with_alike(mask, small, parts), MARGIN * width)
    _add_hulls(mask, [_WITH_BROWS[feature] for feature in hidden], points, width)
    return _softened(mask, width)


def _add_hulls(mask: Pixels, hulls: list[tuple[int, ...]], points: Floats, width: float) -> None:
    """Draw all of what is hidden in part into a mask."""
    for chosen in hulls:
        hull = cv2.convexHull(np.round(points[list(chosen), :2]).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, 255)
        cv2.polylines(mask, [hull], True, 255, 2 * max(1, round(MARGIN * width)) + 1)


def _softened(mask: Pixels, width: float) -> Floats:
    return masks.softened(mask, 0.5 * SOFT * width, SOFT * width + 0.3)


def _with_alike(mask: Pixels, small: Pixels, parts: masks.Parts) -> Pixels:
    """The things with what is beside them, has their colours and not those of skin."""
    near = masks.grown(mask, REACH * parts.width)
    planes = canonical.logarithms(small)
    own, skin = planes[mask > 0], planes[(parts.core > 0) & (parts.features == 0) & (near == 0)]
    if len(skin) < 32:
        skin = planes[(parts.inner > 0) & (parts.features == 0) & (near == 0)]
    if len(own) < 16 or len(skin) < 32:
        return mask
    alike = (_away(planes, own) < ALIKE) & (_away(planes, skin) > UNLIKE) & (near > 0) & (parts.face > 0)
    joined = np.asarray(alike | (mask > 0), np.uint8)
    joined = np.asarray(cv2.morphologyEx(joined, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), np.uint8)
    count, labels = cv2.connectedComponents(joined)
    wanted = np.bincount(labels[mask > 0], minlength=count) > 0
    wanted[0] = False
    return np.asarray(wanted[labels], np.uint8) * np.uint8(255)


def _away(planes: Floats, sample: Floats) -> Floats:
    """Standard deviations of each pixel from the colours of a sample (Mahalanobis)."""
    middle = median(sample)
    near = sample - middle
    spread = near.T @ near / len(near) + np.diag(LEAST_SPREAD**2)
    whiten = np.linalg.cholesky(np.linalg.inv(spread.astype(np.float64)))
    turned = cv2.transform(planes - middle, np.asarray(whiten.T, np.float32))
    return np.asarray(np.sqrt(np.square(turned).sum(axis=2)), np.float32)


def _places(points: Floats, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Where each pixel of the picture lies in the canonical frame; each ``(h, w)`` float32 px."""
    triangles = topology.topology().triangles
    owner = paint(points, triangles, np.arange(len(triangles)), size)
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    area = np.where(np.abs(area) < 1e-3, np.float32(1e-3), area)
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    dx, dy = x - a[owner, 0], y - a[owner, 1]
    second = (dx * (c - a)[owner, 1] - dy * (c - a)[owner, 0]) / area[owner]
    third = ((b - a)[owner, 0] * dy - (b - a)[owner, 1] * dx) / area[owner]
    p, q, r = (canonical.points()[triangles[:, corner]] for corner in range(3))
    at = p[owner] + second[..., None] * (q - p)[owner] + third[..., None] * (r - p)[owner]
    at[owner < 0] = -1e4
    return np.ascontiguousarray(at[..., 0], np.float32), np.ascontiguousarray(at[..., 1], np.float32)


def _share(mask: Pixels, area: Mask) -> float:
    """Of an area, which may be outside of the picture."""
    return float((mask[area] > 0).mean()) if area.any() else 0.0


@cache
def _areas() -> dict[Feature, Mask]:
    """Of each feature, in the canonical frame."""
    shape = (canonical.HEIGHT, canonical.WIDTH)
    return {feature: _area(chosen, canonical.points(), shape) for feature, chosen in _POINTS.items()}


def _area(chosen: tuple[int, ...], points: Floats, shape: tuple[int, ...]) -> Mask:
    """The hull of some points."""
    mask: Pixels = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points[list(chosen), :2]).astype(np.int32)), 1)
    return np.asarray(mask > 0)
