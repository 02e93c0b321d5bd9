"""Writes the reference pages whose facts live in the code: settings, errors and the lines of a contract.

Run it after a change of one; ``--check`` only tells whether the pages are current, with status 1 if not.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from facefleet.config import Settings
from facefleet.doctor.contract import Contract
from facefleet.errors.base import FacefleetError
from facefleet.errors.tree import tree

HERE = Path(__file__).parent

SETTINGS_HEAD = """# Settings

Each setting is an environment variable; `facefleet config` shows the effective values, secrets masked. A file named by
`FACEFLEET_CONFIG` may hold the same as TOML (`[gateway]`, `port = 9000`); the variable wins over the file, a flag of
the command line over both. An unknown setting or a value out of its range stops a program before it starts.

| variable | default | meaning |
|---|---|---|
"""

ERRORS_HEAD = """# Errors

The gateway answers every failure with a [problem document](http-api.md#errors) (RFC 9457): `type` (a link to the code
on the gateway's own page `/docs/errors`), `title`, `status`, `detail` (what happened and what to do), `instance`, and
ours: `code` (stable), `retryable` (whether the same request can succeed later; then there is a `Retry-After`), `field`,
`errors` (each offending field), `context` (facts such as limits). The command line prints the same codes; a task that
failed carries one in `error.code`.

| code | status | retryable | meaning |
|---|---|---|---|
"""


CONTRACT_HEAD = """# Contract

The lines that the TOML file of `facefleet doctor --contract FILE` may have. A line that is not there asks for nothing;
one that does not exist is refused. [Doctor](../guides/doctor.md) says what becomes of a broken one. Versions are one or
more comparisons (`>=`, `<=`, `==`, `>`, `<`), separated by commas; sizes are bytes or texts such as `"1 GiB"`.
A server is `"optional"`, `"required"` or `"strict"`: it may fail, must work, or must work without a warning.

| line | asks for |
|---|---|
"""


def settings_page() -> str:
    """One row a setting."""
    return SETTINGS_HEAD + "".join(f"{row}\n" for row in _settings(Settings, "FACEFLEET_"))


def errors_page() -> str:
    """One row a code."""
    leaves = [cls for cls in tree() if "code" in vars(cls) and cls is not FacefleetError]
    rows = (f"| `{c.code}` | {c.status} | {'yes' if c.retryable else ''} | {_first_line(c)} |\n" for c in leaves)
    return ERRORS_HEAD + "".join(rows)


def contract_page() -> str:
    """One row a line."""
    return CONTRACT_HEAD + "".join(
        f"| `{section}.{name}` | {line.description} |\n"
        for section, field in Contract.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for name, line in field.annotation.model_fields.items()
    )


def _settings(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _settings(field.annotation, f"{variable}__")
        else:
            yield f"| `{variable}` | {_default(field)} | {field.description or ''} |"


def _default(field: FieldInfo) -> str:
    if isinstance(field.default, Path):  # differs by user and system
        return "the user's cache folder" if "fetched" in (field.description or "") else "the user's data folder"
    shown = getattr(field.default, "get_secret_value", lambda: field.default)()
    if isinstance(shown, tuple):  # as a variable holds it
        shown = list(shown)
    return "" if shown in (None, "") else f"`{shown}`"


def _first_line(cls: type[FacefleetError]) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]


def main() -> int:
    """Write or check the pages."""
    stale = []
    pages = {"settings.md": settings_page(), "errors.md": errors_page(), "contract.md": contract_page()}
    for name, text in pages.items():
        path = HERE / name
        if path.is_file() and path.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.write_text(text)
    if stale and "--check" in sys.argv:
        sys.stderr.write(f"not current: {', '.join(stale)}; run python docs/reference/generate.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
