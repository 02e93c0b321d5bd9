"""Holds the faces of a photo as a server reports them: frozen values made of JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from facefleet.client.parsing import malformed_response, parse
from facefleet.client.responses import Document

Point: TypeAlias = "tuple[float, float]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The box around a face, in px of the upright image."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """The pose of a head, in degrees.

    Attributes:
        yaw: Positive when the face is turned to the right side of the image.
        pitch: Positive when it looks up.
        roll: Positive when the head is tilted clockwise.
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One face of a photo.

    Attributes:
        index: By which ``source_face``, ``target_face`` and assignments name it.
        score: 0 to 1, how sure the server is.
        landmarks5: Eye, eye, nose tip, mouth corner, mouth corner, the left one in the image first; px.
        usable_as_source: Whether it can be taken.
        usable_as_target: Whether it can be replaced.
        reasons: Codes of what speaks against either.
        raw: All of it as the server wrote it.
    """

    index: int
    box: Box
    score: float
    pose: Pose
    landmarks5: tuple[Point, ...]
    usable_as_source: bool = True
    usable_as_target: bool = True
    reasons: tuple[str, ...] = ()
    raw: Document = field(default_factory=dict, repr=False)

    TIMES: ClassVar[tuple[str, ...]] = ()


def faces(documents: Sequence[Document]) -> list[Face]:
    """Faces out of their JSON.

    Raises:
        ServerUnreachable: They are none; whatever answered is no gateway.
    """
    try:
        return [_face(one) for one in documents]
    except (KeyError, TypeError, ValueError) as error:
        raise malformed_response(error) from None


def _face(document: Document) -> Face:
    box, pose = document["box"], document["pose"]
    return parse(
        Face, document,
        box=Box(x=box["x"], y=box["y"], width=box["width"], height=box["height"]),
        pose=Pose(yaw=pose["yaw"], pitch=pose["pitch"], roll=pose["roll"]),
        landmarks5=tuple((x, y) for x, y in document["landmarks5"]), reasons=tuple(document.get("reasons", ())),
    )  # fmt: skip
