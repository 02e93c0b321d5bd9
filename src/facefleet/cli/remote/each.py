"""Commands that change several tasks, templates or batches: each is tried, and what was refused is told at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import typer

from facefleet.cli import output
from facefleet.errors.base import FacefleetError

T = TypeVar("T")


def each(
    ids: Sequence[str], change: Callable[[str], T], *,
    row: Callable[[T], object], words: Callable[[T], str], as_json: bool, one: str = "task", many: str = "tasks",
) -> None:  # fmt: skip
    """Change one after the other.

    Args:
        ids: Of what is changed.
        change: What is done to one of them.
        row: What ``--json`` says of one that was changed.
        words: What a person is told of it.
        as_json: Whether ``--json`` was given.
        one: What each of them is.
        many: Its plural.

    Raises:
        FacefleetError: There was only one, and it was refused.
        Exit: With status 1: some were refused.
    """
    done: list[T] = []
    refused: list[FacefleetError] = []
    for each_id in ids:
        try:
            done.append(change(each_id))
        except FacefleetError as error:
            error.detail.setdefault(f"{one}_id", each_id)
            refused.append(error)
    if len(ids) == 1 and refused:
        raise refused[0]
    if as_json:
        errors = [{"code": why.code, "message": why.message, "detail": why.detail} for why in refused]
        output.document({many: [row(changed) for changed in done], "errors": errors})
    else:
        _say([words(changed) for changed in done], [(str(why.detail[f"{one}_id"]), why) for why in refused])
    if refused:
        raise typer.Exit(1)


def _say(done: Sequence[str], refused: Sequence[tuple[str, FacefleetError]]) -> None:
    for line in done:
        output.console().print(output.visible(line), soft_wrap=True)
    for name, why in refused:
        output.failure(name, why.message, why.code)
