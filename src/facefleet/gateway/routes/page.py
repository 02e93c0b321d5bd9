"""Serves ``/``: the page for visitors without code, from files of this package; it uses the API like any client.

The address of everything but ``/`` holds a digest of all the files, so that browsers keep them for good and never mix
two releases.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response

from facefleet.errors.lookup import RouteNotFound

FOLDER = "web"
_INDEX = "index.html"
_PLACE = "{{web}}"  # in the index: where the other files are
_STORE = "{{store}}"  # there: the origin of the object store, where photos and results can go past the gateway
_PRELOAD = "{{preload}}"  # in the index: modules, so that a browser need not find them one by one
_DIGEST_CHARS = 16
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


@dataclass(frozen=True, slots=True)
class File:
    """One file of the page, as it is sent.

    Attributes:
        body: Its bytes.
        packed: The same, compressed once for all readers (gzip).
        media_type: By its name.
    """

    body: bytes
    packed: bytes
    media_type: str

    @classmethod
    def of(cls, name: str, body: bytes) -> File:
        """Compress it; the same bytes always give the same."""
        return cls(body, gzip.compress(body, mtime=0), _MEDIA_TYPES[name[name.rindex(".") :]])


@dataclass(frozen=True, slots=True)
class Site:
    """All files of the page.

    Attributes:
        index: The page itself.
        files: What it loads, by path below the folder.
        digest: Of all of them and of the store; part of their address.
        store: Origin of the object store, where the page may send photos to and fetch results from; or empty.
    """

    index: File
    files: Mapping[str, File]
    digest: str
    store: str

    @classmethod
    def load(cls, store: str = "") -> Site:
        """Read them from the package."""
        contents = dict(sorted(_read(resources.files("facefleet.gateway") / FOLDER)))
        contents[_INDEX] = contents[_INDEX].replace(_STORE.encode(), store.encode())
        digest = hashlib.sha256(b"".join(name.encode() + body for name, body in contents.items()))
        short = digest.hexdigest()[:_DIGEST_CHARS]
        index = _filled(contents.pop(_INDEX).decode(), f"/page/{short}", sorted(contents))
        files = {name: File.of(name, body) for name, body in contents.items()}
        return cls(File.of(_INDEX, index.encode()), files, short, store)

    @property
    def security(self) -> Mapping[str, str]:
        """The headers that protect the page. Pictures are shown from memory, so only what connects names the store."""
        connect = f"connect-src 'self' {self.store}".rstrip()
        return {
            "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
            f"img-src 'self' blob: data:; {connect}; media-src blob:; manifest-src 'self'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }


def router(site: Site) -> APIRouter:
    """The routes of the page."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/", methods=["GET", "HEAD"])
    async def index(request: Request) -> Response:
        return _answer(request, site, site.index, _ASK_AGAIN)

    @routes.api_route("/page/{digest}/{name:path}", methods=["GET", "HEAD"])
    async def file(request: Request, digest: str, name: str) -> Response:
        asked = site.files.get(name)
        if asked is None:
            raise RouteNotFound(f"The page has no file {name[:64]!r}.")
        # While replicas are renewed, the page of one release may ask a gateway of the other: better its file than none.
        return _answer(request, site, asked, _FOR_GOOD if digest == site.digest else "no-store")

    return routes


def _read(folder: Traversable, place: str = "") -> Iterator[tuple[str, bytes]]:
    """Path below the folder → bytes, of every file in it."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _read(entry, f"{place}{entry.name}/")
        else:
            yield place + entry.name, entry.read_bytes()


def _filled(index: str, place: str, names: list[str]) -> str:
    modules = [name for name in names if name.endswith(".js") and f"/{name}" not in index]
    preload = "\n".join(f'<link rel="modulepreload" href="{place}/{name}">' for name in modules)
    return index.replace(_PRELOAD, preload).replace(_PLACE, place)


def _answer(request: Request, site: Site, file: File, cache: str) -> Response:
    packed = "gzip" in request.headers.get("accept-encoding", "")
    tag = f'"{site.digest}{"-gzip" if packed else ""}"'
    headers = {**site.security, "Cache-Control": cache, "ETag": tag, "Vary": "Accept-Encoding"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
    # For HEAD the server sends the headers of this and drops the bytes.
    return Response(file.packed if packed else file.body, headers=headers, media_type=file.media_type)
