"""Refuses faces that cannot be fused well: a typed refusal is better than an ugly picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType

from facefleet.assignments import SOURCE_ROLES
from facefleet.engine.photo_role import IMAGE, TARGET
from facefleet.engine.types import Face, Faces, Skipped
from facefleet.errors.input import (
    FaceError,
    FaceIndexInvalid,
    FaceNotFound,
    FaceOutOfFrame,
    FacePoseUnsupported,
    FaceTooSmall,
    FusionQualityLow,
)
from facefleet.options import TargetFace

MIN_FACE_PX = 34  # short side of the box; below, the landmark model guesses
MAX_SOURCE_YAW = 35.0  # degrees; a source in profile has no second half to show
MAX_TARGET_YAW = 50.0  # degrees
MAX_OUTSIDE = 0.12  # share of the landmarks beyond the edge


@dataclass(frozen=True, slots=True)
class Fitness:
    """What a face can be used for.

    Attributes:
        source: It can be taken.
        target: It can be replaced.
        reasons: Codes of what speaks against either, each once.
    """

    source: bool
    target: bool
    reasons: tuple[str, ...]


def fitness(face: Face, faces: Faces) -> Fitness:
    """What a face of a photo can be used for; a fusion decides by the same rules."""
    source = [error.code for error in _objections(face, faces, "source", MAX_SOURCE_YAW)]
    target = [error.code for error in _objections(face, faces, TARGET, MAX_TARGET_YAW)]
    return Fitness(not source, not target, tuple(dict.fromkeys(source + target)))


def choose_source(faces: Faces, index: int | None, number: int = 0) -> Face:
    """The face to take.

    Args:
        faces: Of the photo.
        index: Of the face; the largest where not given.
        number: Of the source.

    Raises:
        FaceError: There is none, or it cannot be fused.
    """
    role = SOURCE_ROLES[number]
    face = _pick(faces, index, role)
    _check(face, faces, role, MAX_SOURCE_YAW)
    return face


def choose_targets(faces: Faces, which: TargetFace, role: str = TARGET) -> tuple[Face, ...]:
    """The faces to replace; or to make older, of a photo that has another role than the target's.

    With ``"all"``, faces that cannot be fused are left as they are, unless that is true of every one.

    Raises:
        FaceError: There is none, or it cannot be fused.
    """
    if which != "all":
        face = _pick(faces, which, role)
        _check(face, faces, role, MAX_TARGET_YAW)
        return (face,)
    first = _pick(faces, None, role)
    fit = tuple(face for face in faces.faces if fitness(face, faces).target)
    if not fit:
        _check(first, faces, role, MAX_TARGET_YAW)
    return fit


def not_sought(faces: Faces) -> str:
    """The sentence that says which faces a fusion could use and nobody looked for, or nothing."""
    size = ceil(faces.smallest)
    if size <= MIN_FACE_PX:
        return ""
    return f" Faces under {size} px were not looked for: set the option tiles (--tiles on the command line)."


def skipped(
    faces: Faces, done: Iterable[Face], which: TargetFace, refused: Mapping[int, str] = MappingProxyType({})
) -> tuple[Skipped, ...]:
    """Of ``"all"``, the faces that were not replaced, and why: one that could be did not look right.

    Args:
        faces: Of the target.
        done: Those replaced.
        which: Was asked for.
        refused: Index to code of those refused for another reason on the way.
    """
    if which != "all":
        return ()
    replaced = {face.index for face in done}
    left = (face for face in faces.faces if face.index not in replaced)
    return tuple(Skipped(face.index, refused.get(face.index) or _reason(face, faces)) for face in left)


def _reason(face: Face, faces: Faces) -> str:
    for objection in _objections(face, faces, TARGET, MAX_TARGET_YAW):
        return objection.code
    return FusionQualityLow.code


def _photo(role: str) -> str:
    return "photo" if role == IMAGE else f"{role} photo"  # with one photo there is nothing to tell apart


def _pick(faces: Faces, index: int | None, image: str) -> Face:
    if not faces.faces:
        text = f"No face was found in the {_photo(image)}; use one that shows a face.{not_sought(faces)}"
        raise FaceNotFound(text, image=image)
    if index is not None and index >= len(faces.faces):
        raise FaceIndexInvalid(
            f"The {_photo(image)} has no face {index}: it has {len(faces.faces)}, counted from 0.{not_sought(faces)}",
            image=image, index=index, faces=len(faces.faces),
        )  # fmt: skip
    return faces.faces[index or 0]


def _check(face: Face, faces: Faces, image: str, max_yaw: float) -> None:
    for objection in _objections(face, faces, image, max_yaw):
        raise objection


def _objections(face: Face, faces: Faces, image: str, max_yaw: float) -> Iterator[FaceError]:
    """What speaks against a face, the gravest first."""
    if face.box.short_side < MIN_FACE_PX:
        size = round(face.box.short_side)
        yield FaceTooSmall(
            f"Face {face.index} of the {_photo(image)} is {size} px; it must be at least {MIN_FACE_PX} px.",
            image=image, index=face.index, size=size, min_size=MIN_FACE_PX,
        )  # fmt: skip
    outside = _outside(face, faces)
    if outside > MAX_OUTSIDE:
        yield FaceOutOfFrame(
            f"Face {face.index} of the {_photo(image)} is cut by its edge ({outside:.0%} of it is outside).",
            image=image, index=face.index, outside=round(outside, 3), max_outside=MAX_OUTSIDE,
        )  # fmt: skip
    if abs(face.pose.yaw) > max_yaw:
        yield FacePoseUnsupported(
            f"Face {face.index} of the {_photo(image)} is turned {abs(face.pose.yaw):.0f}°; the limit is "
            f"{max_yaw:.0f}°.",
            image=image, index=face.index, yaw=round(face.pose.yaw, 1), max_yaw=max_yaw,
        )  # fmt: skip


def _outside(face: Face, faces: Faces) -> float:
    """Share of the landmarks beyond the edge of the photo."""
    x, y = face.landmarks[:, 0], face.landmarks[:, 1]
    return float(((x < 0) | (y < 0) | (x > faces.width - 1) | (y > faces.height - 1)).mean())
