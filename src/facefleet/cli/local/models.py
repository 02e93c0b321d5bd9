"""Implements ``facefleet models``, which lists, fetches and checks the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from facefleet.cli import output, start
from facefleet.cli.options import JsonOption

if TYPE_CHECKING:
    from facefleet.engine.models.cache import Check
    from facefleet.engine.models.manifest import ModelEntry
    from facefleet.engine.models.registry import Registry
    from facefleet.engine.models.sources import Progress

app = typer.Typer(help="List, fetch and check the models' weights.")

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Models; none: all.", show_default=False)]


@app.callback(invoke_without_command=True)
def _models(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """List the models of the manifest, their licences, and whether they are here."""
    registry = open_registry()
    checks = registry.verify()
    rows = [_row(entry, checks[entry.name]) for entry in registry.entries()]
    if as_json:
        output.document({"models": rows})
        return
    _print_table(rows)


@app.command()
def pull(
    names: Names = None,
    every: Annotated[bool, typer.Option("--all", help="The optional ones too; else only the required.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch models that are missing or damaged; what is here and whole is not fetched again."""
    with output.fetching() as progress:
        registry = open_registry(progress)
        wanted = names or ([entry.name for entry in registry.entries()] if every else None)
        pulled = registry.pull(wanted)
    if as_json:
        rows = [
            {"name": m.name, "version": m.version, "files": {name: str(path) for name, path in m.files.items()}}
            for m in pulled.values()
        ]
        output.document({"models": rows})
        return
    for model in pulled.values():
        for path in model.files.values():
            output.console().print(f"{model.name} {model.version}  {path}", soft_wrap=True)


@app.command()
def verify(names: Names = None, as_json: JsonOption = False) -> None:
    """Hold every fetched file against its digest; status 1 if one is damaged or a required one is missing."""
    registry = open_registry()
    checks = registry.verify(names or None)
    needed = {entry.name for entry in registry.entries(names or None) if entry.required or names}
    good = all(_good(check, name in needed) for name, of_model in checks.items() for check in of_model)
    if as_json:
        rows = [_check_row(name, check) for name, of_model in checks.items() for check in of_model]
        output.document({"ok": good, "files": rows})
    else:
        for name, of_model in checks.items():
            for check in of_model:
                output.console().print(_check_line(name, check, name in needed), soft_wrap=True)
    raise typer.Exit(0 if good else 1)


def open_registry(progress: Progress | None = None) -> Registry:
    """The registry of the effective settings."""
    from facefleet.engine.models.registry import Registry, quiet

    engine = start.settings().engine
    return Registry(engine.cache, engine.manifest, progress=progress or quiet)


def _good(check: Check, needed: bool) -> bool:
    return check.state == "ok" or (check.state == "missing" and not needed)


def _row(entry: ModelEntry, checks: tuple[Check, ...]) -> dict[str, object]:
    files = [
        {
            "name": f.name,
            "path": str(c.path),
            "size": f.size,
            "sha256": f.sha256,
            "source": f.source,
            "state": str(c.state),
        }
        for f, c in zip(entry.files, checks, strict=True)
    ]
    return {
        "name": entry.name, "version": entry.version, "kind": entry.kind, "runtime": str(entry.runtime),
        "required": entry.required, "licence": entry.licence, "commercial": entry.commercial, "notes": entry.notes,
        "size": sum(file.size for file in entry.files), "state": _worst(checks), "files": files,
    }  # fmt: skip


def _worst(checks: tuple[Check, ...]) -> str:
    states = {str(check.state) for check in checks}
    return next((state for state in ("damaged", "missing") if state in states), "ok")


def _check_row(name: str, check: Check) -> dict[str, object]:
    return {
        "model": name, "file": check.path.name, "path": str(check.path), "state": str(check.state),
        "expected": check.expected, "actual": check.actual or None,
    }  # fmt: skip


def _check_line(name: str, check: Check, needed: bool) -> str:
    line = f"{check.state:8} {name}  {check.path}"
    if check.state == "damaged":
        return f"{line}\n         expected sha256 {check.expected}\n         actual   sha256 {check.actual}"
    if check.state == "missing":
        return f"{line}  ({'run' if needed else 'optional:'} `facefleet models pull {name}`)"
    return line


def _print_table(rows: list[dict[str, object]]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    for column in ("name", "version", "kind", "runtime", "required", "state", "licence", "commercial"):
        table.add_column(column, overflow="fold")
    table.add_column("size", justify="right")
    for row in rows:
        cells = [row["name"], row["version"], row["kind"], row["runtime"], "yes" if row["required"] else "no"]
        cells += [row["state"], row["licence"], row["commercial"], f"{row['size']:,}"]
        table.add_row(*(str(cell) for cell in cells))
    output.console().print(table)
