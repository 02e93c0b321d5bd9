"""Implements ``facefleet tenants``: who is in the records, and everything about somebody, out or away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet.cli import output, start
from facefleet.cli.operator.records import DataOption, open_database, origin
from facefleet.cli.options import JsonOption
from facefleet.clock import now
from facefleet.errors.input import OptionInvalid

if TYPE_CHECKING:
    from facefleet.storage.store import Store
    from facefleet.tasks.holdings import Holder, Holdings
    from facefleet.tasks.tables.database import Database
    from facefleet.upkeep.erasure import Erasure

app = typer.Typer(help="Who is in the records; everything about somebody, out or away.")

TenantArgument = Annotated[
    str, typer.Argument(metavar="TENANT", help="As `tenants list` names it.", show_default=False)
]
SubjectOption = Annotated[
    str | None, typer.Option("--subject", metavar="SUBJECT", help="Only what this subject of the tenant made.")
]


@app.command("list")
def list_tenants(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List every tenant that the records know, with how much is kept about it."""
    from facefleet.tasks.holdings import Holdings

    with open_database(start.settings(data=data)) as database:
        found = Holdings(database).tenants()
    if as_json:
        output.document({"tenants": [asdict(one) for one in found]})
        return
    from rich.table import Table

    names = "tasks", "erased", "held", "batches", "templates", "uploads", "keys", "sessions", "entries"
    table = Table("tenant", box=None)
    for name in names:
        table.add_column(name, justify="right")
    for one in found:
        table.add_row(output.visible(one.tenant), *(f"{getattr(one, name):,}" for name in names))
    output.console().print(table)


@app.command("export")
def export(
    tenant: TenantArgument,
    out: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new folder.", show_default=False)],
    subject: SubjectOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write everything that is kept about a tenant into a folder: rows, audit entries among them, and photos."""
    from facefleet.tasks.records.audit_log import AuditLog
    from facefleet.upkeep.export import Export

    with _opened(tenant, subject, data) as (database, store, holdings, holder):
        done = Export(holdings, store, AuditLog(database, now), now).write(holder, out, origin())
    if as_json:
        output.document({"folder": str(out)} | asdict(done))
        return
    rows = sum(done.rows.values())
    words = f"{holder}: {rows:,} rows and {done.objects:,} photos and results ({done.bytes:,} bytes) in {out}"
    output.console().print(output.visible(words), soft_wrap=True)


@app.command("erase")
def erase(
    tenant: TenantArgument,
    subject: SubjectOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it only what would go is shown.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase everything of a tenant but what is under legal hold; receipts and audit entries stay for their time."""
    with _opened(tenant, subject, data) as (database, store, holdings, holder):
        if not yes:
            _show_erasable(holdings, holder, as_json=as_json)
            return
        done = _erasure(database, store, holdings, data).run(holder, origin())
    if as_json:
        output.document(asdict(done))
    else:
        counts = (
            f"{done.tasks:,} tasks, {done.batches:,} batches, {done.templates:,} templates, {done.uploads:,} uploads"
        )
        words = f"{holder}: erased {counts}; revoked {done.keys:,} keys, ended {done.sessions:,} sessions"
        output.console().print(output.visible(words), soft_wrap=True)
        for task_id in done.held:
            output.failure(task_id, "under legal hold, and therefore kept", "task_held")
    if done.held:
        raise typer.Exit(1)


@contextmanager
def _opened(
    tenant: str, subject: str | None, data: Path | None
) -> Iterator[tuple[Database, Store, Holdings, Holder]]:  # fmt: skip
    """Records and store of the settings, and about whom something is kept.

    Raises:
        OptionInvalid: There is nothing about the tenant.
    """
    from facefleet.storage.opening import open_store
    from facefleet.tasks.holdings import Holder, Holdings

    settings = start.settings(data=data)
    with open_database(settings) as database:
        holdings = Holdings(database)
        if tenant not in {one.tenant for one in holdings.tenants()}:
            raise OptionInvalid(f"Nothing is kept about a tenant {tenant[:64]!r}.", option="tenant")
        yield database, open_store(settings.objects_url, settings.objects), holdings, Holder(tenant, subject)


def _erasure(database: Database, store: Store, holdings: Holdings, data: Path | None) -> Erasure:
    from prometheus_client import CollectorRegistry

    from facefleet.access.key_records import KeyRecords
    from facefleet.access.session_records import SessionRecords
    from facefleet.observability.metrics import Metrics
    from facefleet.tasks.records.audit_log import AuditLog
    from facefleet.tasks.records.repository import TaskRepository
    from facefleet.upkeep.erasure import Erasure
    from facefleet.upkeep.retention import Retention

    terms = start.settings(data=data).retention
    retention = Retention.build(terms, database, store, Metrics(CollectorRegistry()), now)
    records, keys, audit_log = TaskRepository(database, now), KeyRecords(database, now), AuditLog(database, now)
    return Erasure(holdings, records, retention, keys, SessionRecords(database, now), audit_log)


def _show_erasable(holdings: Holdings, holder: Holder, *, as_json: bool) -> None:
    from facefleet.tasks.holdings import Holding

    kinds = Holding.TASKS, Holding.BATCHES, Holding.TEMPLATES, Holding.UPLOADS, Holding.KEYS, Holding.SESSIONS
    counts = {kind.value: sum(1 for _ in holdings.rows(holder, kind, erasable=True)) for kind in kinds}
    if as_json:
        output.document({"erasable": counts})
        return
    found = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    output.console().print(output.visible(f"{holder}: {found} would be erased; --yes does it"), soft_wrap=True)
