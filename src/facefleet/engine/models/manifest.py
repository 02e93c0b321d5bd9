"""Reads the manifest: which models and sample photos there are, their licences, sources and digests.

A built-in TOML file is read first; an operator's file adds entries or replaces them by name. Everything is checked
here, so the rest of the engine only meets entries that are complete.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from facefleet.engine.models import sources
from facefleet.errors.model import ManifestInvalid

_BUILT_IN = "manifest.toml"
_STRICT = ConfigDict(extra="forbid")


def _known_source(text: str) -> str:
    sources.parse(text)
    return text


# One path component that starts with a letter or digit: no separators, no "..", no hidden files.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=100)]
Text = Annotated[str, Field(min_length=1, max_length=300)]
Commercial = Literal["yes", "no", "unknown"]


class Runtime(StrEnum):
    """What runs a model's first file."""

    LITERT = "litert"
    ONNX = "onnx"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """One file, by content.

    Attributes:
        name: File name in the cache; no folders.
        sha256: Hex digest its bytes must have.
        size: bytes.
        source: Where to fetch it (``sources.parse``).
    """

    __pydantic_config__ = _STRICT

    name: Name
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(gt=0, strict=True)]
    source: Annotated[str, AfterValidator(_known_source)]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model.

    Attributes:
        name: Unique; what the engine asks for.
        version: Goes into the record of every task that used it.
        kind: What it does, such as ``face_detector``.
        runtime: What runs it.
        required: Whether a worker needs it to be ready.
        licence: SPDX identifier where there is one, else a few words.
        commercial: Whether the licence allows commercial use.
        notes: One line: what it is and whom to credit.
        files: The first is the one the runtime opens.
    """

    __pydantic_config__ = _STRICT

    name: Name
    version: Name
    kind: Name
    runtime: Runtime
    licence: Text
    commercial: Commercial
    notes: Text
    files: Annotated[tuple[PinnedFile, ...], Field(min_length=1)]
    required: Annotated[bool, Field(strict=True)] = False


@dataclass(frozen=True, slots=True)
class SampleEntry:
    """One sample photo.

    Attributes:
        name: Unique among the samples.
        description: Who is seen, for whom chooses one by words.
        public_domain: Whether the photo and results made from it may be published.
        licence: SPDX identifier where there is one, else a few words; ``unknown`` where nothing is said.
        commercial: Whether the licence allows commercial use.
        notes: One line: credit and caution.
        file: The photo.
    """

    __pydantic_config__ = _STRICT

    name: Name
    description: Text
    public_domain: Annotated[bool, Field(strict=True)]
    licence: Text
    commercial: Commercial
    notes: Text
    file: PinnedFile


@dataclass(frozen=True, slots=True)
class Manifest:
    """Every entry by name."""

    models: MappingProxyType[str, ModelEntry]
    samples: MappingProxyType[str, SampleEntry]


Entry = TypeVar("Entry", ModelEntry, SampleEntry)


def load(extra: Path | None = None) -> Manifest:
    """The built-in manifest, with an operator's entries added or put in place of those of the same name.

    Raises:
        ManifestInvalid: A file cannot be read, or an entry is wrong; ``detail`` names file, entry and field.
    """
    built_in = resources.files(__package__) / _BUILT_IN
    manifest = _parse(built_in.read_text("utf-8"), f"built-in {_BUILT_IN}")
    if extra is None:
        return manifest
    try:
        text = extra.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ManifestInvalid(f"The manifest {extra} cannot be read: {reason}.", file=str(extra)) from None
    own = _parse(text, str(extra))
    return Manifest(
        MappingProxyType({**manifest.models, **own.models}), MappingProxyType({**manifest.samples, **own.samples})
    )


def _parse(text: str, file: str) -> Manifest:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ManifestInvalid(f"The manifest {file} is not TOML: {error}.", file=file) from None
    if unknown := sorted(set(document) - {"models", "samples"}):
        raise ManifestInvalid(
            f"The manifest {file} has a table {unknown[0]!r}; there are models and samples.",
            file=file,
            entry=unknown[0],
        )
    return Manifest(_entries(document, "models", ModelEntry, file), _entries(document, "samples", SampleEntry, file))


def _entries(document: dict[str, Any], table: str, kind: type[Entry], file: str) -> MappingProxyType[str, Entry]:
    adapter: TypeAdapter[Entry] = TypeAdapter(kind)
    rows = document.get(table, {})
    if not isinstance(rows, dict):
        raise ManifestInvalid(f"In the manifest {file}, {table} is not a table.", file=file, entry=table)
    return MappingProxyType({name: _entry(adapter, name, row, f"{table}.{name}", file) for name, row in rows.items()})


def _entry(adapter: TypeAdapter[Entry], name: str, row: Any, where: str, file: str) -> Entry:
    if not isinstance(row, dict):
        raise ManifestInvalid(f"In the manifest {file}, {where} is not a table.", file=file, entry=where)
    try:
        entry = adapter.validate_python({"name": name, **row})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "?"
        raise ManifestInvalid(
            f"In the manifest {file}, {where}: {field}: {first['msg']}.", file=file, entry=where, field=field
        ) from None
    _check_names(entry, name, where, file)
    return entry


def _check_names(entry: ModelEntry | SampleEntry, name: str, where: str, file: str) -> None:
    if entry.name != name:
        raise ManifestInvalid(
            f"In the manifest {file}, {where}: name: {entry.name!r} differs from the table's.",
            file=file, entry=where, field="name",
        )  # fmt: skip
    names = [pinned.name for pinned in entry.files] if isinstance(entry, ModelEntry) else []
    if len(set(names)) < len(names):
        raise ManifestInvalid(
            f"In the manifest {file}, {where}: files: two files have one name.", file=file, entry=where, field="files"
        )
