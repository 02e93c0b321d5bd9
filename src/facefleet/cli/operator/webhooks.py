"""Implements ``facefleet webhooks``, which prints what receivers of webhooks need."""

from __future__ import annotations

import sys

import typer

from facefleet.cli import output, start
from facefleet.cli.operator.records import DataOption
from facefleet.cli.options import JsonOption
from facefleet.errors.input import ConfigInvalid

app = typer.Typer(help="What receivers of webhooks need.")


@app.command("secret")
def secret(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show the secrets that sign webhooks, the newest first; without any, one is made. Give it to receivers only."""
    from facefleet.webhooks.sign import Signer, secrets_of

    secrets = secrets_of(start.settings(data=data))
    if secrets is None:
        raise ConfigInvalid(
            "There is no secret: several gateways may share these records, so set FACEFLEET_WEBHOOKS__SECRETS for all.",
            setting="webhooks.secrets",
        )
    Signer.of(secrets)
    if as_json:
        output.document({"secrets": secrets.split()})
        return
    sys.stdout.write("\n".join(secrets.split()) + "\n")


@app.callback()
def _group() -> None:
    """With one command typer would leave its name out."""
