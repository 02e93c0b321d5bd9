"""Exports everything that is kept about a tenant or a subject into a folder: rows as JSON Lines, and the photos."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping

from facefleet.clock import Clock
from facefleet.errors.input import FileExists
from facefleet.errors.task import ObjectMissing
from facefleet.files import unwritable, whole_file
from facefleet.storage.keys import place_of, tenant_prefix
from facefleet.storage.store import Store
from facefleet.tasks.audit import Action, Origin
from facefleet.tasks.holdings import Holder, Holding, Holdings
from facefleet.tasks.records.audit_log import AuditLog

OBJECTS = "objects"  # the folder of photos and results, named by their keys
_OWNERS = (Holding.TASKS, Holding.BATCHES, Holding.TEMPLATES, Holding.UPLOADS)  # whose ids are in the keys of objects


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote.

    Attributes:
        rows: File → rows in it.
        objects: Photos and results.
        bytes: Of them.
    """

    rows: Mapping[str, int]
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Export:
    """Reads records and store."""

    holdings: Holdings
    store: Store
    audit_log: AuditLog
    clock: Clock

    def write(self, holder: Holder, folder: Path, origin: Origin) -> Exported:
        """Write everything into a new folder; the audit log says so before the first byte is written.

        Args:
            holder: About whom.
            folder: Made here; may be there already, if it is empty.
            origin: Who asks for it.

        Raises:
            FileExists: The folder has something in it.
            FileUnwritable: It cannot be written.
            OutageError: Records or store went away; the folder is not complete, and has no ``export.json``.
        """
        _make(folder)
        named = holder.subject if holder.subject is not None else holder.tenant
        self.audit_log.record(origin, Action.TENANT_EXPORT, named, tenant=holder.tenant)
        owners: set[str] = set()
        rows = {}
        for holding in Holding:
            file = f"{holding.value}.jsonl"
            rows[file] = _write_lines(folder / file, self._noted(holder, holding, owners))
        sizes = [self._write_object(folder, key) for key in self._keys(holder, owners)]
        done = Exported(rows, sum(size is not None for size in sizes), sum(size or 0 for size in sizes))
        summary = {
            "tenant": holder.tenant, "subject": holder.subject, "exported_at": self.clock(),
            "rows": done.rows, "objects": done.objects, "bytes": done.bytes,
        }  # fmt: skip
        _write_lines(folder / "export.json", [summary])
        return done

    def _noted(self, holder: Holder, holding: Holding, owners: set[str]) -> Iterator[RowMapping]:
        for row in self.holdings.rows(holder, holding):
            if holding in _OWNERS:
                owners.add(row["id"])
            yield row

    def _keys(self, holder: Holder, owners: set[str]) -> Iterator[str]:
        """The keys of all objects of a tenant, or of those whose records are a subject's."""
        for key in self.store.list(tenant_prefix(holder.tenant)):
            place = place_of(key)
            if holder.subject is None or (place is not None and place.owner in owners):
                yield key

    def _write_object(self, folder: Path, key: str) -> int | None:
        """Write an object and return its size; none where it was deleted meanwhile."""
        try:
            download = self.store.stream(key)
        except ObjectMissing:
            return None
        path = folder / OBJECTS / key
        _make_parents(path)
        with whole_file(path, overwrite=False) as stream:
            for chunk in download.chunks:
                stream.write(chunk)
        return download.size


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # it will hold people's photos
        if any(folder.iterdir()):
            raise FileExists(f"{folder} is not empty; name a new folder.", path=str(folder))
    except OSError as error:
        raise unwritable(folder, error) from None


def _make_parents(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None


def _write_lines(path: Path, rows: Iterable[Any]) -> int:
    """Write a line of JSON for each row; returns how many."""
    count = 0
    with whole_file(path, overwrite=False) as stream:
        for count, row in enumerate(rows, start=1):  # noqa: B007 - the last number is returned
            stream.write(json.dumps(dict(row), ensure_ascii=False, default=_plain).encode() + b"\n")
    return count


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
