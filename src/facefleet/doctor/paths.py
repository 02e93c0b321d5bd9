"""Looks at folders: whether a file can be made in them, and how much space is free."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from facefleet import files
from facefleet.config import Settings
from facefleet.doctor.contract import Paths
from facefleet.doctor.report import Finding, State, hold
from facefleet.doctor.sizes import shown_size

_LITTLE_SPACE, _NO_SPACE = 2_000_000_000, 100_000_000  # bytes free
_FREE = "Free some disk space."


def data_folder(settings: Settings) -> Finding:
    """The folder of what is embedded: records, objects and queue of one machine."""
    if settings.records.url.get_secret_value() and settings.objects.url.get_secret_value():
        return Finding("data folder", State.SKIPPED, "not used: records and objects are elsewhere")
    return _folder("data folder", settings.data, "Make it writable or set FACEFLEET_DATA.", State.BROKEN)


def model_cache(settings: Settings) -> Finding:
    """The folder that models are fetched into; to be asked where one is missing, since a volume may be read-only."""
    advice = "Models cannot be fetched into it: put them there, make it writable, or set FACEFLEET_ENGINE__CACHE."
    return _folder("model cache", settings.engine.cache, advice, State.WARNING)


def _folder(check: str, folder: Path, advice: str, closed: State) -> Finding:
    """The folder may not be there yet: then its nearest existing parent must let it be made."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if why := _refusal(there):
        return Finding(check, closed, f"{folder}: {why}", advice)
    free = shutil.disk_usage(there).free
    space = f"{folder}, {shown_size(free)} free"
    if free < _LITTLE_SPACE:
        return Finding(check, State.BROKEN if free < _NO_SPACE else State.WARNING, space, _FREE)
    return Finding(check, State.OK, space)


def wanted(paths: Paths) -> Iterator[Finding]:
    """The folders that the contract names."""
    for path in paths.writable:
        yield from _writable(path, paths.free)
    for path in paths.read_only:
        why = _refusal(path)
        finding = Finding(f"path {path}", State.OK, why or "a file can be made in it")
        kept, advice = bool(why), "Mount it read-only (readOnlyRootFilesystem of a pod, --read-only of a container)."
        yield hold(finding, "paths.read_only", path, kept=kept and path.is_dir(), advice=advice)


def _writable(path: Path, least: int | None) -> Iterator[Finding]:
    why = _refusal(path)
    finding = Finding(f"path {path}", State.OK, why or "a file can be made in it")
    advice = f"Mount a volume or a tmpfs there that uid {os.getuid()} may write to."
    yield hold(finding, "paths.writable", path, kept=not why, advice=advice)
    if least is not None and not why:
        free = shutil.disk_usage(path).free
        finding = Finding(f"path {path}", State.OK, f"{shown_size(free)} free")
        yield hold(finding, "paths.free", shown_size(least), kept=free >= least, advice=_FREE)


def _refusal(folder: Path) -> str:
    """Why no file can be made in a folder; empty where one was made, and removed again."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".facefleet-probe-"):
            return ""
    except OSError as error:
        return files.reason(error)
