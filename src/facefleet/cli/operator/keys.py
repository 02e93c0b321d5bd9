"""Implements ``facefleet keys``, with which operators make, list, rotate and revoke the API keys of every tenant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet.access.permissions import Permission
from facefleet.access.roles import Role
from facefleet.cli import output, start
from facefleet.cli.operator.records import DataOption, open_database, origin
from facefleet.cli.options import JsonOption
from facefleet.clock import now

if TYPE_CHECKING:
    from facefleet.access.api_key import ApiKey
    from facefleet.access.key_desk import KeyDesk
    from facefleet.access.key_maker import NewKey
    from facefleet.config import Settings

app = typer.Typer(
    help="API keys of tenants: make, list, rotate, revoke. The gateway asks for them by FACEFLEET_AUTH__KEYS."
)

_DAY_HOURS = 24

TenantOption = Annotated[str, typer.Option("--tenant", help="Whose photos and tasks its holder works with.")]
KeyArgument = Annotated[str, typer.Argument(metavar="ID", help="Of the key, as `list` shows it.", show_default=False)]


@contextmanager
def open_keys(settings: Settings) -> Iterator[KeyDesk]:
    """Open the keys of the settings' records.

    Raises:
        ConfigInvalid: There are no records here, or no secret to hash keys with.
        RecordsUnavailable: They do not answer, or are of another release.
    """
    from facefleet.access.key_desk import KeyDesk

    with open_database(settings) as database:
        yield KeyDesk.build(settings, database, now)


@app.command("create")
def create(
    tenant: TenantOption,
    roles: Annotated[list[Role], typer.Option("--role", help="What its holder is; may be given several times.")],
    name: Annotated[str, typer.Option(help="In your own words.")] = "made by an operator",
    permissions: Annotated[
        list[Permission] | None, typer.Option("--permission", help="Only these of its roles' permissions.")
    ] = None,
    days: Annotated[float | None, typer.Option(help="How long it works; for ever where not given.")] = None,
    test: Annotated[bool, typer.Option("--test", help="A key for trying out the service: ff_test_…")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is shown this once; only a hash of it is kept."""
    from facefleet.access.key_maker import KeyRequest

    request = KeyRequest(
        tenant=tenant, name=name, roles=frozenset(roles), scope=frozenset(permissions) if permissions else None,
        expires_at=None if days is None else now() + timedelta(days=days), test=test,
    )  # fmt: skip
    with open_keys(start.settings(data=data)) as desk:
        _print_new(desk.maker.create(request, origin(), frozenset(Permission)), as_json=as_json)


@app.command("list")
def list_keys(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this one's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show keys, the newest first, those that have ended included."""
    with open_keys(start.settings(data=data)) as desk:
        keys = desk.records.page(tenant, None, limit).rows
    if as_json:
        output.document({"keys": [_row(key) for key in keys]})
        return
    from rich.table import Table

    table = Table("id", "tenant", "begins with", "roles", "status", "last used", "name", box=None)
    for key in keys:
        used = f"{key.used_at:%Y-%m-%d %H:%M}" if key.used_at else ""
        words = key.tenant, key.prefix, ", ".join(sorted(key.roles)), key.state(now()), used, key.name
        table.add_row(key.id, *(output.visible(word) for word in words))
    output.console().print(table)


@app.command("revoke")
def revoke(key_id: KeyArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """End a key; a few seconds later no gateway takes it."""
    with open_keys(start.settings(data=data)) as desk:
        key = desk.records.revoke(None, key_id, origin())
    if as_json:
        output.document(_row(key))
    else:
        output.console().print(f"{key.id} of {output.visible(key.tenant)} is revoked")


@app.command("rotate")
def rotate(
    key_id: KeyArgument,
    hours: Annotated[float, typer.Option("--overlap-hours", help="How long both keys work.")] = _DAY_HOURS,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key in the place of another; both work for a time. It is shown this once."""
    with open_keys(start.settings(data=data)) as desk:
        made = desk.maker.rotate(None, key_id, timedelta(hours=hours), origin(), frozenset(Permission))
    _print_new(made, as_json=as_json)


def _print_new(made: NewKey, *, as_json: bool) -> None:
    if as_json:
        replaced = _row(made.replaced) if made.replaced else None
        output.document(_row(made.key) | {"key": made.text.text, "replaces": replaced})
        return
    console = output.console()
    console.print(made.text.text, soft_wrap=True, highlight=False)
    console = output.console(stderr=True)
    console.print(f"{made.key.id} of {output.visible(made.key.tenant)}; keep the key, it is not shown again")
    if made.replaced is not None and made.replaced.expires_at is not None:
        console.print(f"{made.replaced.id} works until {made.replaced.expires_at:%Y-%m-%d %H:%M} UTC")


def _row(key: ApiKey) -> dict[str, object]:
    """The key as the API shows it, and whose it is."""
    row = asdict(key) | {"roles": sorted(key.roles), "permissions": sorted(key.permissions), "test": key.test}
    del row["scope"]
    return row | {"status": key.state(now())}
