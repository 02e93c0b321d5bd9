"""Implements ``facefleet tasks``, with which operators list and change the tasks of every tenant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet.cli import output
from facefleet.cli.operator.records import DataOption, format_seconds, open_control, origin
from facefleet.cli.options import JsonOption
from facefleet.cli.remote.several import change_each
from facefleet.errors.input import OptionInvalid

if TYPE_CHECKING:
    from facefleet.tasks.task import Task
    from facefleet.tasks.transitions import State
    from facefleet.upkeep.operations import Control

app = typer.Typer(help="Look at tasks, end them, begin them anew, hold them.")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Of the task.", show_default=False)]
IdsArgument = Annotated[list[str], typer.Argument(metavar="ID...", help="Of the tasks.", show_default=False)]


@app.command("list")
def newest(
    state: Annotated[str | None, typer.Option(metavar="STATE", help="Only these.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest first.")] = 20,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the newest tasks of all tenants."""
    with open_control(data) as control:
        tasks = control.tasks.newest(limit, _state(state))
    if as_json:
        output.document({"tasks": [_row(task) for task in tasks]})
        return
    from rich.table import Table

    table = Table("task", "state", "age", "tenant", "lane", "runs", "", box=None)
    for task in tasks:
        age = format_seconds((datetime.now(UTC) - task.created_at).total_seconds())
        error = task.failure.code if task.failure else ""
        words = " ".join(filter(None, (error, "hold" if task.hold else "", "erased" if task.erased_at else "")))
        table.add_row(task.id, task.state, age, task.tenant, task.route.lane, str(task.fence), words)
    output.console().print(table)


@app.command("show")
def show(task_id: IdArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show everything that the record of a task says."""
    with open_control(data) as control:
        row = _row(control.tasks.get(task_id))
    if as_json:
        output.document(row)
        return
    for name, value in row.items():
        output.console().print(f"{name:18} {output.visible(str('' if value is None else value))}", soft_wrap=True)


@app.command("requeue")
def requeue(task_ids: IdsArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Queue failed or canceled tasks again, with all their budgets and their time."""
    with open_control(data) as control:
        _each(task_ids, lambda task_id: control.tasks.requeue(task_id, origin()), as_json=as_json)


@app.command("cancel")
def cancel(task_ids: IdsArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """End tasks that have not ended; a run under way stops after its present step."""
    with open_control(data) as control:
        _each(task_ids, lambda task_id: control.cancel(task_id, origin()), as_json=as_json)


@app.command("hold")
def hold(
    task_ids: IdsArgument,
    off: Annotated[bool, typer.Option("--off", help="End the hold.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put tasks under legal hold: nothing of them is deleted, not even on request."""
    with open_control(data) as control:
        _each(task_ids, _holding(control, on=not off), as_json=as_json)


def _holding(control: Control, *, on: bool) -> Callable[[str], Task]:
    return lambda task_id: control.tasks.hold(task_id, origin(), on=on)


def _each(task_ids: list[str], change: Callable[[str], Task], *, as_json: bool) -> None:
    def words(task: Task) -> str:
        return f"{task.id} is {task.state}{' and held' if task.hold else ''}"

    change_each(task_ids, change, row=_row, words=words, as_json=as_json)


def _state(name: str | None) -> State | None:
    from facefleet.tasks.transitions import State

    if name is None:
        return None
    if name not in list(State):
        raise OptionInvalid(f"There is no state {name[:64]!r}; states are {', '.join(State)}.", option="state")
    return State(name)


def _row(task: Task) -> dict[str, object]:
    """The record as it is; object keys and all, since an operator may have to find them."""
    return asdict(task)
