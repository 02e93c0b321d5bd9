"""Defines options that several commands have: those of a fusion, in one bundle, and small ones such as `--json`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from facefleet.cli.assignments import parse_assignments
from facefleet.options import FuseChoices, FuseOptions, TargetFace

Tiles = Annotated[bool, typer.Option("--tiles", help="Find small faces beside large ones, too; slower.")]
Force = Annotated[bool, typer.Option("--force", help="Write over an existing file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
ConsentReference = Annotated[
    str | None,
    typer.Option("--consent-reference", metavar="TEXT", help="Where you keep the consent of the people shown."),
]
OwnPhoto = Annotated[bool, typer.Option("--own-photo", help="You attest that the person whose photo it is, is you.")]
Guardian = Annotated[bool, typer.Option("--guardian", help="You attest that a guardian has agreed for a minor.")]

_DEFAULTS = FuseOptions()
_SEVERAL_SOURCES = ("more_sources", "assign")


@dataclass(frozen=True, slots=True)
class FusionFlags:
    """The flags of a fusion that were given.

    Attributes:
        choices: The options of the fusion.
        more_sources: Sources 1, 2, …
    """

    choices: FuseChoices
    more_sources: tuple[Path, ...] = ()


def _flags(
    strength: Annotated[
        float, typer.Option(metavar="0..1", help="How much of the fused face is blended in.")
    ] = _DEFAULTS.strength,
    min_strength: Annotated[
        float | None,
        typer.Option(
            metavar="0..1", help="The weakest blend to take where one by --strength would be refused for its looks."
        ),
    ] = None,
    shape: Annotated[
        float, typer.Option(metavar="0..1", help="How much of the source's face shape is taken.")
    ] = _DEFAULTS.shape,
    source_face: Annotated[
        int | None, typer.Option(metavar="N", help="Index by `facefleet faces`; default: the largest.")
    ] = None,
    target_face: Annotated[
        str | None, typer.Option(metavar="N|all", help="Index by `facefleet faces`, or all; default: the largest.")
    ] = None,
    more_sources: Annotated[
        list[Path] | None, typer.Option("--source", metavar="MORE", help="Sources 1, 2, …; SOURCE is 0. Repeat it.")
    ] = None,
    assign: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE[:FACE]=TARGETFACE", help="Which face replaces which, as 1:0=2. Repeat it."),
    ] = None,
    tiles: Tiles = False,
    age: Annotated[
        float, typer.Option(metavar="-1..1", help="Experimental: make the fused face younger (-) or older (+).")
    ] = _DEFAULTS.age,
) -> FusionFlags:
    """The flags of a fusion in the order of ``--help``, and what they choose."""
    choices: FuseChoices = {
        "strength": strength, "min_strength": min_strength, "shape": shape, "age": age, "source_face": source_face,
        "target_face": _target_face(target_face), "faces": parse_assignments(assign or ()), "tiles": tiles,
    }  # fmt: skip
    return FusionFlags(choices, tuple(more_sources or ()))


def fusion_flags(*, several_sources: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the flags of a fusion in the place of its parameter ``fusion``, which gets their `FusionFlags`.

    Args:
        several_sources: Whether one fusion can have several sources; then there are flags that give and assign them.
    """
    flags = _parameters(_flags)
    if not several_sources:
        flags = {name: flag for name, flag in flags.items() if name not in _SEVERAL_SOURCES}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**given: Any) -> None:
            chosen = {name: given.pop(name) for name in flags}
            command(**given, fusion=_flags(**chosen))

        parameters: dict[str, inspect.Parameter] = {}
        for name, parameter in _parameters(command).items():
            parameters |= flags if name == "fusion" else {name: parameter}
        run.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
        run.__annotations__ = {name: parameter.annotation for name, parameter in parameters.items()}
        return run

    return decorate


def _parameters(function: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """The parameters of a function, their annotations evaluated where they were written; by keyword, in any order."""
    hints = get_type_hints(function, include_extras=True)
    return {
        name: parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(function).parameters.items()
    }


def _target_face(text: str | None) -> TargetFace:
    """A number where it is one; anything else is for the options to judge."""
    try:
        return int(text) if text is not None else None
    except ValueError:
        return text  # type: ignore[return-value]
