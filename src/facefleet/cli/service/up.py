"""Implements ``facefleet up``, which runs the whole service on this machine until Ctrl-C."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet.cli import output, start
from facefleet.cli.operator.keys import open_keys
from facefleet.cli.operator.records import origin

if TYPE_CHECKING:
    from rich.console import Console

    from facefleet.config import Settings

TENANTS = ("studio", "agency")  # two that do not see each other


def up(
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of records, objects and queue; it survives.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Of the gateway; 0 takes any free one.")] = None,
    with_keys: Annotated[
        bool, typer.Option("--keys", help="Ask for API keys; at the first start, make and show those of two tenants.")
    ] = False,
) -> None:
    """Run the whole service here: queue, records, objects, a worker, a gateway. Ctrl-C stops it; nothing is lost."""
    from facefleet.launcher.embedded import Service

    began = time.monotonic()
    auth = {"keys": True if with_keys else None}
    settings = start.settings(data=data, gateway={"port": port}, auth=auth, log_level="info")
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a closed terminal is a way to stop it, too
        signal.signal(number, lambda *_: stop.set())
    service = Service(settings, stop)
    console = output.console()
    try:
        addresses = service.start()
        if addresses is not None:
            console.print(f"facefleet is ready at {addresses.gateway} ({time.monotonic() - began:.1f} s)")
            if with_keys:
                _show_keys(settings, addresses.gateway, console)
            console.print(f"metrics at {addresses.metrics} and {addresses.worker}/metrics; Ctrl-C stops")
            service.run()
    finally:
        service.close()
    console.print("facefleet has stopped")


def _show_keys(settings: Settings, address: str, console: Console) -> None:
    """Show a key of each tenant once, when it is made at the first start."""
    from facefleet.access.key_maker import KeyRequest
    from facefleet.access.permissions import Permission
    from facefleet.access.roles import Role

    with open_keys(settings) as desk:
        for tenant in TENANTS:
            if desk.records.page(tenant, None, 1).rows:
                console.print(f"tenant {tenant} has its keys; see `facefleet keys list --tenant {tenant}`")
                continue
            request = KeyRequest(tenant=tenant, name="first key", roles=frozenset({Role.TENANT_ADMIN}))
            made = desk.maker.create(request, origin(), frozenset(Permission))
            console.print(f"tenant {tenant}, shown this once: {made.text.text}", soft_wrap=True, highlight=False)
    console.print(f"for the command line: export FACEFLEET_CLIENT__URL={address} FACEFLEET_CLIENT__API_KEY=ff_live_…")
