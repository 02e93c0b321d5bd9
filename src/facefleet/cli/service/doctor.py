"""Implements ``facefleet doctor``, which tries everything that facefleet needs and says what to do where it fails.

Nothing is fetched and nothing is changed, but for a probe file in the folders that must be writable and a probe object
in the store, which are removed at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facefleet.cli import output, start
from facefleet.cli.options import JsonOption
from facefleet.errors.base import FacefleetError

if TYPE_CHECKING:
    from facefleet.config import Settings
    from facefleet.doctor.contract import Accelerator, Contract, Demand, Models
    from facefleet.doctor.examination import Check
    from facefleet.doctor.report import Finding, Report

_IMPORT_SECONDS = 60.0  # from a cold disk
_INFERENCE_SECONDS = 60.0
_PULL = "Run `facefleet models pull`."
_INSTALL = "pip install 'facefleet[engine]'"
_ADVICE = {
    "broker": "Check FACEFLEET_QUEUE__URL, its password, and that the broker runs.",
    "records": "Check FACEFLEET_RECORDS__URL, its password, and that the database runs.",
    "store": "Check FACEFLEET_OBJECTS__URL, the endpoint and the keys, and that the bucket exists.",
}
_COLOURS = {"ok": "green", "warning": "yellow", "broken": "red", "skipped": "dim"}


def doctor(
    contract: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Hold this machine to a contract; status 3 if a line is broken.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check machine, packages, settings, models and servers; status 1 if something is broken, 3 if the contract is."""
    from importlib.metadata import version

    from facefleet.doctor.contract import Contract, read_contract
    from facefleet.doctor.report import Report

    wanted = read_contract(contract) if contract else Contract()
    report = Report(version("facefleet"), str(contract or ""), list(_examine(wanted)))
    if as_json:
        output.document(report.document())
    else:
        _print(report)
    raise typer.Exit(report.status)


def _examine(wanted: Contract) -> Iterator[Finding]:
    """First what needs no settings; it imports the packages, so that no server's time limit is spent on them."""
    from facefleet.doctor import cuda, machine, packages, paths
    from facefleet.doctor.confinement import look as confinement
    from facefleet.doctor.examination import LIMIT_SECONDS, Check, examine
    from facefleet.doctor.report import Finding, State

    driver = ("accelerator.driver", wanted.accelerator.driver) if wanted.accelerator.driver else ("", "")
    folders = ("paths.writable", "an answer") if wanted.paths.writable else ("", "")
    yield from examine([
        Check("machine", lambda: machine.look(wanted)),
        Check("paths", lambda: paths.wanted(wanted.paths), LIMIT_SECONDS, *folders),
        Check("confinement", lambda: confinement(wanted.confinement)),
        Check("accelerator.driver", lambda: [cuda.look(wanted.accelerator, cuda.driver())], LIMIT_SECONDS, *driver),
        Check("packages", packages.look, _IMPORT_SECONDS),
    ])  # fmt: skip
    try:
        settings = start.settings()
    except FacefleetError as error:
        yield Finding("settings", State.BROKEN, error.message, "Correct it; `facefleet config` lists all settings.")
        return
    yield Finding("settings", State.OK, "readable")
    yield from examine([*_engine(settings, wanted), *_servers(settings, wanted)])


def _engine(settings: Settings, wanted: Contract) -> Iterator[Check]:
    from facefleet.doctor.examination import Check

    digests = ("models.digests", "true") if wanted.models.digests else ("", "")
    yield Check("models", lambda: _models(settings, wanted.models), _INFERENCE_SECONDS, *digests, advice=_PULL)
    provider = wanted.accelerator.provider
    line = ("accelerator.provider", provider) if provider else ("", "")
    yield Check(
        "accelerator.provider", lambda: _accelerator(wanted.accelerator), _INFERENCE_SECONDS, *line, advice=_INSTALL
    )


def _models(settings: Settings, wanted: Models) -> Iterable[Finding]:
    from facefleet.doctor import models

    return models.look(settings, wanted)


def _accelerator(wanted: Accelerator) -> Iterable[Finding]:
    from facefleet.doctor import accelerator, cuda

    return accelerator.look(wanted, cuda.driver())


def _servers(settings: Settings, wanted: Contract) -> Iterator[Check]:
    """Advice and line are for a server that does not answer."""
    from facefleet.doctor import paths
    from facefleet.doctor.contract import Demand
    from facefleet.doctor.examination import LIMIT_SECONDS, Check
    from facefleet.doctor.report import State

    yield Check("data folder", lambda: [paths.data_folder(settings)])
    looks = {
        "broker": (_broker, wanted.servers.broker),
        "records": (_records, wanted.servers.records),
        "store": (_store, wanted.servers.store),
    }
    for name, (look, asked) in looks.items():
        line = (f"servers.{name}", str(asked)) if asked else ("", "")
        otherwise = State.WARNING if asked is Demand.OPTIONAL else State.BROKEN
        yield Check(name, partial(look, settings, asked), LIMIT_SECONDS, *line, _ADVICE[name], otherwise)
    yield Check("store.clock", lambda: _store_clock(settings, wanted.servers.store))


def _broker(settings: Settings, wanted: Demand | None) -> Iterable[Finding]:
    from facefleet.doctor import broker

    return broker.look(settings, wanted)


def _records(settings: Settings, wanted: Demand | None) -> Iterable[Finding]:
    from facefleet.doctor import records

    return records.look(settings, wanted)


def _store(settings: Settings, wanted: Demand | None) -> Iterable[Finding]:
    from facefleet.doctor import store

    return store.look(settings, wanted)


def _store_clock(settings: Settings, wanted: Demand | None) -> Iterable[Finding]:
    from facefleet.doctor import store

    return store.look_at_clock(settings, wanted)


def _print(report: Report) -> None:
    console = output.console()
    wide = max(len(finding.check) for finding in report.findings)
    for finding in report.findings:
        console.print(f"{finding.state:8}", style=_COLOURS[finding.state], end="  ")
        console.print(f"{output.visible(finding.check):{wide}}  {output.visible(finding.found)}", soft_wrap=True)
        indent = " " * (wide + 12)
        if finding.line and finding.state != "ok":
            console.print(f"{indent}contract: {finding.line} = {output.visible(finding.wanted)}", soft_wrap=True)
        if finding.advice:
            console.print(f"{indent}→ {finding.advice}", soft_wrap=True)
    counts = {state: sum(finding.state == state for finding in report.findings) for state in _COLOURS}
    console.print(", ".join(f"{count} {state}" for state, count in counts.items() if count))
