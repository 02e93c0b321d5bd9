"""Implements ``facefleet demo``, which runs the whole service in a temporary folder for one fusion over HTTP."""

from __future__ import annotations

import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet import files
from facefleet.cli import output, start
from facefleet.cli.options import Force

if TYPE_CHECKING:
    from rich.console import Console

    from facefleet.client import TaskView

SOURCE, TARGET = "astronaut", "grace_hopper"  # both in the public domain, so the result may be shown anywhere
_TIMEOUT_SECONDS = 60.0


def demo(
    out: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Where to save the picture.")] = Path(
        "demo.jpg"
    ),
    force: Force = False,
) -> None:
    """Start everything, fuse two sample photos over HTTP, save the picture, print the timings, stop."""
    from facefleet.cli.local.models import open_registry
    from facefleet.media.sniff import ImageType

    output.check_extension(out, ImageType.JPEG)  # as the target is
    files.check_output(out, overwrite=force)
    console = output.console()
    with output.fetching() as progress:
        registry = open_registry(progress)
        registry.pull()
        photos = registry.samples([SOURCE, TARGET])
    console.print(f"fusing the face of {photos[SOURCE].name} into {photos[TARGET].name}")
    with tempfile.TemporaryDirectory(prefix="facefleet-demo-") as folder:
        fusion = _fuse_over_http(Path(folder), photos[SOURCE], photos[TARGET], console)
    files.write_file(out, fusion.image, overwrite=force)
    for step, took in fusion.view.timings_ms.items():
        console.print(f"  {step:<10}{took:8.1f} ms")
    console.print(f"{out}  {fusion.seconds:.2f} s from submit to result", soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _FetchedResult:
    """A result fetched over HTTP, and how many s it took."""

    view: TaskView
    image: bytes
    seconds: float


def _fuse_over_http(data: Path, source: Path, target: Path, console: Console) -> _FetchedResult:
    import httpx

    from facefleet.client import Client
    from facefleet.launcher.embedded import Service
    from facefleet.trust import trust_in_one

    began, stop = time.monotonic(), Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings = start.settings(data=data, gateway={"port": 0})
    service = Service(settings, stop, logs=data / "logs")
    try:
        addresses = service.start()
        if addresses is None:
            raise KeyboardInterrupt
        console.print(f"the service is ready at {addresses.gateway} after {time.monotonic() - began:.1f} s")
        certificate = settings.gateway.tls_cert_file
        verify = trust_in_one(certificate) if certificate else True
        with httpx.Client(trust_env=False, verify=verify) as http, Client(addresses.gateway, http=http) as client:
            began = time.monotonic()
            task = client.fuse(source, target, consent=True).wait(_TIMEOUT_SECONDS)
            return _FetchedResult(task.view, task.image(), time.monotonic() - began)
    finally:
        service.close()
