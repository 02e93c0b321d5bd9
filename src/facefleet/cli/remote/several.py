"""Changes several tasks, templates or batches one after the other and reports the refused ones at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import typer

from facefleet.cli import output
from facefleet.errors.base import FacefleetError

T = TypeVar("T")


def change_each(
    ids: Sequence[str], change: Callable[[str], T], *,
    row: Callable[[T], object], words: Callable[[T], str], as_json: bool, one: str = "task", many: str = "tasks",
) -> None:  # fmt: skip
    """Change one after the other; a refusal does not stop the rest.

    Args:
        ids: Of what is changed.
        change: Changes one of them.
        row: What ``--json`` prints of one that was changed.
        words: The line printed without ``--json``.
        as_json: Whether ``--json`` was given.
        one: What is changed: ``task``, ``template`` or ``batch``.
        many: Its plural.

    Raises:
        FacefleetError: There was only one, and it was refused.
        Exit: With status 1: some were refused.
    """
    done: list[T] = []
    refused: list[FacefleetError] = []
    for one_id in ids:
        try:
            done.append(change(one_id))
        except FacefleetError as error:
            error.detail.setdefault(f"{one}_id", one_id)
            refused.append(error)
    if len(ids) == 1 and refused:
        raise refused[0]
    if as_json:
        errors = [{"code": error.code, "message": error.message, "detail": error.detail} for error in refused]
        output.document({many: [row(changed) for changed in done], "errors": errors})
    else:
        _print_lines(
            [words(changed) for changed in done], [(str(error.detail[f"{one}_id"]), error) for error in refused]
        )
    if refused:
        raise typer.Exit(1)


def _print_lines(done: Sequence[str], refused: Sequence[tuple[str, FacefleetError]]) -> None:
    for line in done:
        output.console().print(output.visible(line), soft_wrap=True)
    for name, error in refused:
        output.failure(name, error.message, error.code)
