"""Aligns the source's mesh to the target: in the target's pose, blended with the target's own shape."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from facefleet.engine.mesh.median import median
from facefleet.engine.steps import topology
from facefleet.engine.steps.geometry import fit_similarity
from facefleet.engine.types import Face, Floats

OVAL_FADE = 0.22  # face widths from the oval over which the source's shape takes over
LIPS_REACH = 0.16  # face widths round the lips that move with them as one
MOUTH_OPEN = 0.08  # inner lip gap over mouth width from which a mouth shows its inside
MOUTH_ALIKE = 0.045  # two mouths whose openings differ less are alike
MOUTH_WIDE = 0.3  # from here the landmark model loses the lower lip
MOUTH_APART = 0.25  # lips whose openings differ more cannot stand in for each other


class Mouth(Enum):
    """Whose mouth the result shows."""

    SOURCE = "source"
    """All of the source's: both are closed, or open alike."""

    INSIDE_KEPT = "inside_kept"
    """The source's lips round the inside of the target's mouth."""

    KEPT = "kept"
    """The target's lips too: the openings are too far apart to draw one's lips round the other's."""


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """What the warp needs.

    Attributes:
        source: ``(468, 2)`` float32 px of the source image: where to read.
        geometry: ``(468, 3)`` float32 px of the target image: where to write.
        scale: Target px per source px.
        mouth: Whose mouth to show.
    """

    source: Floats
    geometry: Floats
    scale: float
    mouth: Mouth


def align(source: Face, target: Face, shape: float) -> Alignment:
    """Turn the source's mesh into the target's pose (Procrustes over the stable points) and mix the two shapes.

    The mix falls to zero at the face oval, so that the fused face meets the target's outline. Lips move as one group:
    moving them point by point would mix two expressions and fold the corners.

    Args:
        source: Face to take.
        target: Face to replace.
        shape: Share of the source's shape, 0 to 1.
    """
    stable = list(topology.STABLE)
    pose = fit_similarity(source.landmarks[stable], target.landmarks[stable])
    mouth = choose_mouth(mouth_opening(source.landmarks), mouth_opening(target.landmarks))
    move = (pose(source.landmarks) - target.landmarks)[:, :2]
    move = _as_group(move, topology.LIPS, LIPS_REACH, still=mouth is not Mouth.SOURCE)
    fade = topology.smoothstep(topology.oval_distance() / OVAL_FADE)
    move = _unfolded(target.landmarks[:, :2], np.asarray(shape * fade[:, None] * move, np.float32))
    geometry = target.landmarks.copy()
    geometry[:, :2] += move
    return Alignment(source.landmarks[:, :2], geometry, pose.scale, mouth)


def mouth_opening(landmarks: Floats) -> float:
    """Gap between the inner lips over the width of the mouth."""
    upper, lower = landmarks[list(topology.MOUTH_MIDDLE)]
    right, left = landmarks[list(topology.MOUTH_CORNERS)]
    return float(np.linalg.norm(lower - upper) / max(float(np.linalg.norm(left - right)), 1e-6))


def choose_mouth(source_opening: float, target_opening: float) -> Mouth:
    """Whose mouth suits two openings."""
    apart = abs(source_opening - target_opening)
    if apart < MOUTH_ALIKE:
        return Mouth.SOURCE
    wide = max(source_opening, target_opening) > MOUTH_WIDE
    if apart < MOUTH_APART and target_opening > MOUTH_OPEN and not wide:
        return Mouth.INSIDE_KEPT
    return Mouth.KEPT


def _as_group(move: Floats, points: tuple[int, ...], reach: float, *, still: bool) -> Floats:
    """Replace the moves of a group by their mean (or by none), fading into its surroundings."""
    together = np.zeros(2, np.float32) if still else move[list(points)].mean(axis=0)
    weight = topology.nearness(points, reach)[:, None]
    return np.asarray((1 - weight) * move + weight * together, np.float32)


def _unfolded(target: Floats, move: Floats) -> Floats:
    """Shorten the moves until no triangle that faced the camera is turned over or squashed flat."""
    triangles = topology.topology().triangles
    before = signed_areas(target, triangles)
    facing = before > median(np.abs(before)) * 0.1
    for _ in range(6):
        after = signed_areas(target + move, triangles)
        folded = triangles[facing & (after < 0.15 * before)]
        if not folded.size:
            break
        calm = np.ones(len(move), np.float32)
        calm[np.unique(folded)] = 0.5
        move = np.asarray(move * calm[:, None], np.float32)
    return move


def signed_areas(points: Floats, triangles: topology.Indices) -> Floats:
    """Twice the area of each triangle, px²; over 0 where it faces the camera."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    ab, ac = b - a, c - a
    return np.asarray(ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0], np.float32)
