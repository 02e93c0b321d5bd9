"""Implements ``facefleet config``, which shows the effective settings and where each comes from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from facefleet.cli import output, start
from facefleet.cli.options import JsonOption

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

_PREFIX = "FACEFLEET_"
_MASK = "**********"


@dataclass(frozen=True, slots=True)
class Row:
    """One setting.

    Attributes:
        name: ``section.field``.
        value: Effective; a secret that somebody set shows as stars.
        default: What holds where nothing is set.
        set: Whether the environment or the settings file sets it.
        variable: The environment variable that sets it.
        description: What it does, with its unit.
    """

    name: str
    value: object
    default: object
    set: bool
    variable: str
    description: str


def config(as_json: JsonOption = False) -> None:
    """Show every setting: its value, its default, the variable that sets it, and what it does."""
    rows = list(_rows(start.settings(), ()))
    if as_json:
        output.document({"settings": [asdict(row) for row in rows]})
        return
    _print_table(rows)


def _rows(section: BaseModel, path: tuple[str, ...]) -> Iterator[Row]:
    from pydantic import BaseModel

    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _rows(value, (*path, name))
        else:
            yield _row(value, field, (*path, name), name in section.model_fields_set)


def _row(value: object, field: FieldInfo, path: tuple[str, ...], is_set: bool) -> Row:
    variable = _PREFIX + "__".join(path).upper()
    default = field.get_default(call_default_factory=True, validated_data={})
    return Row(
        ".".join(path),
        _plain(value, mask=is_set),
        _plain(default, mask=False),
        is_set,
        variable,
        field.description or "",
    )


def _plain(value: Any, *, mask: bool) -> object:
    from pydantic import SecretStr

    if isinstance(value, SecretStr):
        return _MASK if mask and value.get_secret_value() else value.get_secret_value()
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _print_table(rows: list[Row]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    for column in ("variable", "value", "", "what it does"):
        table.add_column(column, overflow="fold", no_wrap=column == "variable")
    for section, group in itertools.groupby(rows, lambda row: row.name.rpartition(".")[0]):
        table.add_row(f"{section or 'general'}", "", "", "", style="bold")
        for row in group:
            origin = f"set; default {_shown(row.default)}" if row.set else "default"
            table.add_row(f"  {row.variable}", _shown(row.value), origin, row.description)
    output.console().print(table)


def _shown(value: object) -> str:
    return "–" if value in (None, "") else str(value)
