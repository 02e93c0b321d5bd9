"""Commands that change several tasks: each is tried, and what was refused is told at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import typer

from facefleet.cli import output
from facefleet.errors import FacefleetError

T = TypeVar("T")


def each(
    task_ids: Sequence[str], change: Callable[[str], T], *,
    row: Callable[[T], object], words: Callable[[T], str], as_json: bool,
) -> None:  # fmt: skip
    """Change one after the other.

    Args:
        task_ids: Of the tasks.
        change: What is done to one of them.
        row: What ``--json`` says of one that was changed.
        words: What a person is told of it.
        as_json: Whether ``--json`` was given.

    Raises:
        FacefleetError: There was only one, and it was refused.
        Exit: With status 1: some were refused.
    """
    done: list[T] = []
    refused: list[FacefleetError] = []
    for task_id in task_ids:
        try:
            done.append(change(task_id))
        except FacefleetError as error:
            error.detail.setdefault("task_id", task_id)
            refused.append(error)
    if len(task_ids) == 1 and refused:
        raise refused[0]
    if as_json:
        errors = [{"code": why.code, "message": why.message, "detail": why.detail} for why in refused]
        output.document({"tasks": [row(one) for one in done], "errors": errors})
    else:
        _say([words(one) for one in done], refused)
    if refused:
        raise typer.Exit(1)


def _say(done: Sequence[str], refused: Sequence[FacefleetError]) -> None:
    for line in done:
        output.console().print(output.visible(line), soft_wrap=True)
    for why in refused:
        line = output.visible(f"{why.detail['task_id']}: {why.message} [{why.code}]")
        output.console(stderr=True).print(line, style="red", soft_wrap=True)
