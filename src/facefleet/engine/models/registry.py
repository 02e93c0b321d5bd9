"""Turns names of models into checked files on this machine.

The worker and the command line build one from their settings and hand the files to the engine.

    manifest ──► registry ──► cache (already there and whole?) ──► yes ──► ModelFiles
                                   └─ no ──► sources ──► cache ──────────► ModelFiles
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from facefleet.engine.models import manifest as manifests
from facefleet.engine.models import sources
from facefleet.engine.models.cache import Cache, Check, State, mismatch
from facefleet.engine.models.manifest import Entry, ModelEntry, PinnedFile, SampleEntry
from facefleet.engine.types import ModelFiles
from facefleet.errors.model import ModelLoadFailed, ModelUnknown


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One file of an entry and its place in the cache."""

    path: Path
    pinned: PinnedFile


def quiet(what: str, done: int, total: int | None) -> None:
    """No progress."""


class Registry:
    """The models and sample photos of one manifest, kept in one cache folder."""

    def __init__(self, cache: Path, manifest: Path | None = None, *, progress: sources.Progress = quiet) -> None:
        """Read the manifest; nothing is fetched yet.

        Args:
            cache: Folder for fetched files; made when first needed.
            manifest: An operator's manifest whose entries add to or replace the built-in ones.
            progress: Told about every piece that is fetched.

        Raises:
            ManifestInvalid: The manifest has an error.
        """
        self._cache = Cache(cache)
        self._manifest = manifests.load(manifest)
        self._progress = progress

    def entries(self, names: Iterable[str] | None = None) -> tuple[ModelEntry, ...]:
        """The models of these names; None: all.

        Raises:
            ModelUnknown: A name is not in the manifest.
        """
        return _pick(self._manifest.models, names, "model")

    def sample_entries(self, names: Iterable[str] | None = None) -> tuple[SampleEntry, ...]:
        """The sample photos of these names; None: all.

        Raises:
            ModelUnknown: A name is not in the manifest.
        """
        return _pick(self._manifest.samples, names, "sample")

    def pull(self, names: Iterable[str] | None = None) -> dict[str, ModelFiles]:
        """Fetch what is missing or damaged, check everything.

        Args:
            names: Models; None: all required ones.

        Raises:
            ModelUnknown: A name is not in the manifest.
            ModelFetchFailed: A source does not answer.
            ModelDigestMismatch: A source delivers other bytes than pinned.
            FileUnwritable: The cache folder cannot be written.
        """
        entries = self._chosen(names)
        self._ensure([wanted for entry in entries for wanted in self._model_files(entry)])
        return {entry.name: self._result(entry) for entry in entries}

    def load(self, names: Iterable[str] | None = None) -> dict[str, ModelFiles]:
        """What is in the cache already, checked; never fetches.

        Raises:
            ModelUnknown: A name is not in the manifest.
            ModelLoadFailed: Its files have not been pulled.
            ModelDigestMismatch: A file is damaged; it was removed.
        """
        entries = self._chosen(names)
        for entry in entries:
            for wanted in self._model_files(entry):
                self._refuse(entry.name, wanted)
        return {entry.name: self._result(entry) for entry in entries}

    def samples(self, names: Iterable[str] | None = None) -> dict[str, Path]:
        """Sample photos by name, fetched where missing; None: all. Raises as ``pull``."""
        entries = self.sample_entries(names)
        wanted = {entry.name: self._sample_file(entry) for entry in entries}
        self._ensure(list(wanted.values()))
        return {name: file.path for name, file in wanted.items()}

    def verify(self, names: Iterable[str] | None = None) -> dict[str, tuple[Check, ...]]:
        """Look at every file of these models (None: all) and change nothing.

        Raises:
            ModelUnknown: A name is not in the manifest.
        """
        return {
            entry.name: tuple(self._cache.check(wanted.path, wanted.pinned) for wanted in self._model_files(entry))
            for entry in self.entries(names)
        }

    def _chosen(self, names: Iterable[str] | None) -> tuple[ModelEntry, ...]:
        if names is None:
            return tuple(entry for entry in self.entries() if entry.required)
        return self.entries(names)

    def _model_files(self, entry: ModelEntry) -> list[_Wanted]:
        return [self._wanted("models", entry.name, entry.version, entry.files, pinned) for pinned in entry.files]

    def _sample_file(self, entry: SampleEntry) -> _Wanted:
        return self._wanted("samples", entry.name, "1", (entry.file,), entry.file)

    def _wanted(self, group: str, name: str, version: str, files: Sequence[PinnedFile], pinned: PinnedFile) -> _Wanted:
        return _Wanted(self._cache.path(group, name, version, files, pinned), pinned)

    def _result(self, entry: ModelEntry) -> ModelFiles:
        files = {wanted.pinned.name: wanted.path for wanted in self._model_files(entry)}
        return ModelFiles(entry.name, entry.version, MappingProxyType(files))

    def _refuse(self, name: str, wanted: _Wanted) -> None:
        check = self._cache.check(wanted.path, wanted.pinned)
        if check.state is State.MISSING:
            raise ModelLoadFailed(
                f"The model {name} has not been fetched ({wanted.path}); run `facefleet models pull {name}`.", name=name
            )
        if check.state is State.DAMAGED:
            self._cache.remove(wanted.path)
            raise mismatch(str(wanted.path), wanted.pinned, check.actual)

    def _ensure(self, wanted: list[_Wanted]) -> None:
        if not self._lacking(wanted):  # the usual case needs no lock and no writable folder
            return
        with self._cache.locked(), sources.Fetcher(self._progress) as fetcher:
            for file in self._lacking(wanted):  # again: another process may have filled the cache meanwhile
                self._cache.remove(file.path)
                pieces = fetcher.read(sources.parse(file.pinned.source), file.pinned.name, file.pinned.size)
                self._cache.store(file.path, file.pinned, pieces)

    def _lacking(self, wanted: list[_Wanted]) -> list[_Wanted]:
        return [file for file in wanted if self._cache.check(file.path, file.pinned).state is not State.OK]


def _pick(entries: Mapping[str, Entry], names: Iterable[str] | None, what: str) -> tuple[Entry, ...]:
    if names is None:
        return tuple(entries.values())
    picked = []
    for name in names:
        if name not in entries:
            raise ModelUnknown(
                f"There is no {what} {name!r}; there are {', '.join(entries)}.", name=name, known=list(entries)
            )
        picked.append(entries[name])
    return tuple(picked)
