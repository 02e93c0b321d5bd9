"""Implements ``facefleet policies``: what tenants and plans may, looked at and changed while the service runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facefleet.cli import output, start
from facefleet.cli.operator.records import DataOption, open_database, origin
from facefleet.cli.options import JsonOption
from facefleet.clock import now
from facefleet.errors.input import OptionInvalid

if TYPE_CHECKING:
    from facefleet.access.policy import Scope
    from facefleet.access.policy_lookup import PolicyLookup
    from facefleet.access.policy_records import PolicyRecords

app = typer.Typer(help="What tenants and plans may: look at it, change it while the service runs.")

ValuesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="VALUE=…", help="backlog=500 lane=interactive kinds=fuse,detect; with nothing after it: null.",
        show_default=False,
    ),
]  # fmt: skip
ScopeArgument = Annotated[str, typer.Argument(metavar="tenant|plan", help="Whose policy.", show_default=False)]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of the tenant or plan.", show_default=False)]

_TABLES = {"bounds": '{"strength": {"max": 0.8}}', "role_rates": '{"viewer": "60/60s"}'}  # values that are JSON


@dataclass(frozen=True, slots=True)
class _Opened:
    records: PolicyRecords
    lookup: PolicyLookup


@app.command("list")
def list_policies(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List what operators have set; what the file says is not among it."""
    with _open(data) as opened:
        stored = opened.records.all()
    if as_json:
        rows = [asdict(one) | {"policy": one.policy.given()} for one in stored]
        output.document({"policies": rows})
        return
    from rich.table import Table

    table = Table("", "name", "policy", "changed", "by", box=None)
    for one in stored:
        given = ", ".join(f"{name}={_text(value)}" for name, value in one.policy.given().items())
        table.add_row(
            one.scope, one.name, output.visible(given), f"{one.at:%Y-%m-%d %H:%M} UTC", output.visible(one.by)
        )
    output.console().print(table)


@app.command("show")
def show(scope: ScopeArgument, name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show everything that a tenant or plan may, from file and records."""
    with _open(data) as opened:
        _print(opened.lookup, _scope(scope), name, as_json=as_json)


@app.command("set")
def set_values(
    scope: ScopeArgument,
    name: NameArgument,
    values: ValuesArgument,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set values of a policy; those that were set before and are not named stay. Gateways follow within 10 s."""
    from facefleet.access.policy import check_name, read_policy

    with _open(data) as opened:
        which = _scope(scope)
        before = next((r.policy.given() for r in opened.records.all() if (r.scope, r.name) == (which, name)), {})
        policy = read_policy(which, before | dict(map(_value, values)))
        opened.lookup.read_now().require_plan(policy)
        opened.records.put(which, check_name(name), policy, origin())
        _print(opened.lookup, which, name, as_json=as_json)


@app.command("clear")
def clear(scope: ScopeArgument, name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Take back what operators set for a tenant or plan: the file holds again."""
    with _open(data) as opened:
        opened.records.clear(_scope(scope), name, origin())
        _print(opened.lookup, _scope(scope), name, as_json=as_json)


@contextmanager
def _open(data: Path | None) -> Iterator[_Opened]:
    from facefleet.access.policy_lookup import PolicyLookup
    from facefleet.access.policy_records import PolicyRecords

    settings = start.settings(data=data)
    with open_database(settings) as database:
        records = PolicyRecords(database, now)
        yield _Opened(records, PolicyLookup(settings.policies.file, records.all))


def _scope(text: str) -> Scope:
    from facefleet.access.policy import Scope

    try:
        return Scope(text)
    except ValueError:
        raise OptionInvalid(f"{text[:64]!r} is neither tenant nor plan.", field="scope") from None


def _value(pair: str) -> tuple[str, Any]:
    """The value of ``name=value``: numbers, lists with commas, tables as JSON, texts."""
    name, is_given, text = pair.partition("=")
    if not is_given:
        raise OptionInvalid(f"{pair[:64]!r} is not NAME=VALUE.", field=name[:64])
    if name in _TABLES and text:
        return name, _json(name, text)
    if name in {"kinds", "options", "attest", "labels"}:
        return name, None if text == "" else text.split(",")
    if text.isdigit() and name not in {"tenant_rate", "key_rate"}:
        return name, int(text)
    return name, text or None


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise OptionInvalid(f"{name} is JSON, such as {_TABLES[name]}.", field=name) from None


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _print(lookup: PolicyLookup, scope: Scope, name: str, *, as_json: bool) -> None:
    effective = lookup.read_now().effective(scope, name).model_dump(mode="json")
    if as_json:
        output.document({"scope": scope, "name": name, "policy": effective})
        return
    from rich.table import Table

    table = Table(box=None, show_header=False)
    for field, value in effective.items():
        table.add_row(field, "" if value is None else output.visible(_text(value)))
    output.console().print(table)
