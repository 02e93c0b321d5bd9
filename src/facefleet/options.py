"""Defines the options of a fusion, of a search for faces and of aging: names, ranges, defaults and their JSON.

Every other place reads these tables: the API's JSON shape (`gateway/intake/options.py`), the records, the worker, the
engine, the client's keyword arguments and the flags of the command line (`cli/options.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypedDict, TypeVar

from facefleet.assignments import FaceAssignment, check_assignments
from facefleet.option_values import Flag, Index, Number, Values

TargetFace = int | Literal["all"] | None
"""Index of the face to replace, all of them, or None for the largest."""

_Default = TypeVar("_Default")


@dataclass(frozen=True, slots=True)
class Assignments:
    """Several `FaceAssignment`.

    Attributes:
        instead_of: Options that choose in another way; only one of both ways can be used.
    """

    instead_of: tuple[str, ...]

    def check(self, name: str, value: Any, options: Any) -> None:  # noqa: ARG002 - as of the others
        """Refuse too many, a face that is replaced twice, and both ways of choosing at once."""
        check_assignments(value, other_choice=any(getattr(options, other) is not None for other in self.instead_of))


@dataclass(frozen=True, slots=True)
class Option:
    """One row of a table of options.

    Attributes:
        values: Those it can have; None is another one where it is the default.
        about: What it does, for the API's documentation.
        newer: Whether workers of the release before do not know it.
        default: Where it is not given.
    """

    values: Values
    about: str
    newer: bool
    default: object


def _option(default: _Default, values: Values, about: str = "", *, newer: bool = False) -> _Default:
    """A field of a table of options."""
    return field(default=default, metadata={"option": Option(values, about, newer, default)})


@dataclass(frozen=True, slots=True)
class Options:
    """A table of options: each field is one, made by `_option`.

    Raises:
        OptionInvalid: A value is out of its range, not a number, or of another type; or the choices contradict.
    """

    def __post_init__(self) -> None:
        for name, option in self.table().items():
            value = getattr(self, name)
            if value is not None or option.default is not None:
                option.values.check(name, value, self)

    @classmethod
    def table(cls) -> dict[str, Option]:
        """Name → what it is."""
        return {one.name: one.metadata["option"] for one in fields(cls)}

    @classmethod
    def jsonable(cls, values: Mapping[str, Any]) -> dict[str, object]:
        """Some options as JSON; newer ones only where they are used.

        Workers and gateways of the release before do not know the newer ones, and a request sent again must look like
        its first, whichever release took that.
        """
        table = cls.table()
        used = {n: value for n, value in values.items() if not (table[n].newer and value == table[n].default)}
        return {
            name: [one.to_json() for one in value] if isinstance(value, tuple) else value
            for name, value in used.items()
        }

    def to_json(self) -> dict[str, object]:
        """As a record keeps them."""
        return self.jsonable({name: getattr(self, name) for name in self.table()})


@dataclass(frozen=True, slots=True)
class FuseOptions(Options):
    """What a caller of a fusion may choose; see `FuseChoices` for the words."""

    strength: float = _option(
        1.0, Number(0.0, 1.0), "share of the fused face in the blend; 0 leaves the target untouched"
    )
    shape: float = _option(0.5, Number(0.0, 1.0), "share of the source's face shape; 0 keeps the target's")
    source_face: int | None = _option(None, Index(), "index of the face to take; the largest where not given")
    target_face: TargetFace = _option(  # noqa: RUF009 - it is a field
        None, Index(("all",)), "index of the face to replace, or all; the largest where not given"
    )
    faces: tuple[FaceAssignment, ...] = _option(
        (), Assignments(instead_of=("source_face", "target_face")),
        "instead of the two above: which face of which source replaces which", newer=True,
    )  # fmt: skip
    tiles: bool = _option(
        False, Flag(), "find small faces beside large ones, too; slower, and numbers faces anew", newer=True
    )
    age: float = _option(
        0.0, Number(-1.0, 1.0), "experimental: makes the fused face younger (to -1) or older (to 1)", newer=True
    )
    min_strength: float | None = _option(
        None, Number(0.0, 1.0, at_most="strength"),
        "weakest blend to take where the result does not look right, at most `strength`", newer=True,
    )  # fmt: skip

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> FuseOptions:
        """The options of a record; one of a gateway that knew fewer has fewer.

        Raises:
            TypeError: It has one that only a later release knows.
        """
        assignments = tuple(FaceAssignment(**one) for one in record.get("faces", ()))
        return cls(**{**record, "faces": assignments})

    @classmethod
    def of_choices(cls, choices: FuseChoices) -> FuseOptions:
        """The options with their defaults where nothing was chosen."""
        given: dict[str, Any] = {name: value for name, value in choices.items() if value is not None}
        return cls(**{**given, "faces": tuple(given.get("faces", ()))})

    @property
    def weakest(self) -> float:
        """The weakest blend to take: no weaker one than asked for, unless the caller allows it."""
        return self.strength if self.min_strength is None else self.min_strength

    def wanted(self, source: int) -> tuple[int | None, ...]:
        """Indices of the faces that are taken from a source, each once; None is the largest."""
        if not self.faces:
            return (self.source_face,)
        return tuple(dict.fromkeys(one.source_face for one in self.faces if one.source == source))


class FuseChoices(TypedDict, total=False):
    """The options of a fusion as keyword arguments; None is as good as not given: the default.

    Attributes:
        strength: 0 to 1, how much of the fused face is blended in; 0 leaves the target untouched; 1 by default.
        min_strength: 0 to ``strength``, the weakest blend to take where one by ``strength`` would be refused for its
            looks; no weaker one by default.
        shape: 0 to 1, how much of the source's face shape is taken; 0 keeps the target's outline of eyes, nose and
            mouth; 0.5 by default.
        age: -1 to 1, experimental: makes the fused face younger or older.
        source_face: Index of the face to take; the largest by default.
        target_face: Index of the face to replace, or ``"all"``; the largest by default.
        faces: Which face of which source replaces which, instead of the two choices above.
        tiles: Find small faces beside large ones, too; it takes several times as long, and numbers faces anew.
    """

    strength: float | None
    min_strength: float | None
    shape: float | None
    age: float | None
    source_face: int | None
    target_face: TargetFace
    faces: Sequence[FaceAssignment]
    tiles: bool


@dataclass(frozen=True, slots=True)
class DetectOptions(Options):
    """What a caller of a search for faces may choose."""

    tiles: bool = _option(False, Flag(), "find small faces beside large ones, too; as in a fusion")

    @classmethod
    def of_json(cls, record: Mapping[str, Any]) -> DetectOptions:
        """The options of a record; those that only a later release knows change nothing."""
        return cls(tiles=bool(record.get("tiles")))


@dataclass(frozen=True, slots=True)
class AgeOptions(Options):
    """What a caller who wants a face aged may choose, without a fusion.

    Attributes:
        age: How much younger (to -1) or older (to 1) the face is made.
        target_face: Index of the face, or ``"all"``; the largest where not given.
    """

    age: float = _option(0.0, Number(-1.0, 1.0))
    target_face: TargetFace = _option(None, Index(("all",)))  # noqa: RUF009 - it is a field
