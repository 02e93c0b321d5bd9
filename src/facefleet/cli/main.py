"""Lists the commands of the command line and turns errors into lines, JSON and exit statuses.

    0    done
    1    an error of the tree (facefleet.errors), or a check that failed
    2    the command line itself cannot be understood, or an option has a value it cannot have
    3    a line of the contract that ``doctor`` was given is broken
    130  stopped by Ctrl-C, as ``interrupted``

With ``--json`` stdout carries exactly one JSON document, also for errors: ``{"error": {"code", "message", "detail"}}``.
Commands import what they need when they run, so that ``--help`` stays fast.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from facefleet.cli import output
from facefleet.cli.local import age, faces, fuse, models, samples
from facefleet.cli.operator import audit, keys, lanes, maintenance, policies, tasks, tenants, webhooks
from facefleet.cli.remote import batch, batches, cancel_and_erase, get, submit, templates, usage, wait
from facefleet.cli.service import config, demo, doctor, gateway, migrate, up, worker
from facefleet.errors.base import FacefleetError, InternalError
from facefleet.errors.client import Interrupted
from facefleet.errors.input import ConfigInvalid, FileUnwritable, OptionInvalid, RequestError

_INTERRUPTED = 130
_USAGE = 2

app = typer.Typer(
    name="facefleet",
    help="Fuse the face of one photo into another, here or as a service.",
    pretty_exceptions_enable=False,
)
app.command("fuse")(fuse.fuse)
app.command("age")(age.age)
app.command("faces")(faces.faces)
app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("submit")(submit.submit)
app.command("batch")(batch.batch)
app.command("wait")(wait.wait)
app.command("events")(wait.events)
app.command("get")(get.get)
app.command("list")(get.list_tasks)
app.command("cancel")(cancel_and_erase.cancel)
app.command("erase")(cancel_and_erase.erase)
app.command("usage")(usage.usage)
app.add_typer(templates.app, name="templates")
app.add_typer(batches.app, name="batches")
app.command("gateway")(gateway.gateway)
app.command("worker")(worker.worker)
app.command("migrate")(migrate.migrate)
app.add_typer(tasks.app, name="tasks")
app.add_typer(keys.app, name="keys")
app.add_typer(lanes.app, name="lanes")
app.add_typer(maintenance.app, name="maintenance")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(audit.app, name="audit")
app.add_typer(tenants.app, name="tenants")
app.add_typer(policies.app, name="policies")
app.command("samples")(samples.samples)
app.add_typer(models.app, name="models")
app.command("doctor")(doctor.doctor)
app.command("config")(config.config)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"facefleet {version('facefleet')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", help="Print the version and leave.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        arguments: Without the program's name; those of this process where not given.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    _open_streams()
    try:
        status = _run(given, as_json="--json" in given)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        return _discard_output()
    except OSError as error:  # stdout is a full disk
        _discard_output()
        sys.stderr.write(f"error: The output cannot be written: {error.strerror}. [{FileUnwritable.code}]\n")
        return 1


def _open_streams() -> None:
    """Let output to a closed stream vanish, and spell out characters that a terminal cannot show."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 - for as long as we run
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _run(given: list[str], *, as_json: bool) -> int:
    try:
        status = typer.main.get_command(app).main(given, prog_name="facefleet", standalone_mode=False)
        if status == _INTERRUPTED:  # what the framework makes of a KeyboardInterrupt
            raise KeyboardInterrupt
        return status if isinstance(status, int) else 0
    except OSError as error:
        if error.filename is None:  # no file of a command's, so it is stdout
            raise
        return _report(_unexpected(error), as_json)
    except FacefleetError as error:
        return _report(error, as_json)
    except typer.TyperException as error:
        return _report(_usage(error, given), as_json)
    except (KeyboardInterrupt, typer.Abort):
        return _report(Interrupted("Stopped by Ctrl-C."), as_json)
    except Exception as error:  # noqa: BLE001 - the last place before the user
        return _report(_unexpected(error), as_json)


def _report(error: FacefleetError, as_json: bool) -> int:
    if as_json:
        document = {"code": error.code, "message": error.message, "detail": error.detail}
        sys.stdout.write(json.dumps({"error": document}, indent=2, default=str) + "\n")
    elif isinstance(error, Interrupted):
        _print_interrupted(error)
    else:
        line = f"error: {output.visible(error.message)} [{error.code}]"
        output.console(stderr=True).print(line, style="red", soft_wrap=True)
    if isinstance(error, Interrupted):
        return _INTERRUPTED
    return _USAGE if isinstance(error, RequestError) else 1


def _print_interrupted(stopped: Interrupted) -> None:
    """Print only what goes on at a server: whoever pressed Ctrl-C knows the rest."""
    if stopped.detail:
        output.console(stderr=True).print(output.visible(stopped.message), soft_wrap=True)


def _usage(error: typer.TyperException, given: Sequence[str]) -> RequestError:
    """An error of the framework as one of ours; only the name of its class tells what kind it is."""
    kind = type(error).__name__
    message = f"{error.format_message().rstrip('.')}. See `{_path(error, given)} --help`."
    if kind in ("BadParameter", "NoSuchOption", "BadOptionUsage"):
        return OptionInvalid(message)
    return RequestError(message)


def _path(error: typer.TyperException, given: Sequence[str]) -> str:
    """The command that was meant; the framework does not name it for an option without its value."""
    context = getattr(error, "ctx", None)
    if context is not None:
        return str(context.command_path)
    words, commands = ["facefleet"], _commands(typer.main.get_command(app))
    for word in given:
        if word not in commands:
            break
        words.append(word)
        commands = _commands(commands[word])
    return " ".join(words)


def _commands(command: object) -> Mapping[str, object]:
    """The commands of a group by name; none of a command."""
    return getattr(command, "commands", {})


def _unexpected(error: Exception) -> FacefleetError:
    if isinstance(error, ModuleNotFoundError) and not (error.name or "facefleet").startswith("facefleet"):
        return ConfigInvalid(
            f"This command needs {error.name}, which is not installed; run `pip install 'facefleet[all]'`.",
            module=error.name,
        )
    _log(error)
    return InternalError(f"{type(error).__name__}: {error}", type=type(error).__name__)


def _log(error: Exception) -> None:
    """Log the traceback where the log level is `debug`."""
    from facefleet.cli.start import debugging

    if debugging():
        from facefleet.observability.logs import logger

        logger(__name__).error("unexpected", exc_info=error)


def _discard_output() -> int:
    """Discard what is left in the output buffer, since its reader has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
