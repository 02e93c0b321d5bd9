"""Says what a client announces of a photo that goes to the object store by itself, and how the server has it sent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from facefleet.client.parsing import malformed_response
from facefleet.client.photos import Content, size_of
from facefleet.client.requests import ApiRequest
from facefleet.client.responses import Document
from facefleet.errors.input import ImageTypeUnsupported

UPLOAD_FROM_BYTES = 2_000_000
"""Where a photo goes by itself unless the caller says otherwise: below 1.5 MB a form costs a gateway less."""

_HEAD_BYTES = 128  # enough to tell the type: an AVIF may name twenty brands before its own


@dataclass(frozen=True, slots=True)
class Facts:
    """What is announced of a photo.

    Attributes:
        size: Bytes.
        media_type: By the first bytes.
        sha256: In hexadecimal.
    """

    size: int
    media_type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Destination:
    """Where and how one photo is sent.

    Attributes:
        direct: Whether that is the store itself; else it is a path of the server.
        url: Of the store, with a signature; or a path.
        headers: To send with it.
    """

    direct: bool
    url: str
    headers: Mapping[str, str]


def facts_of(content: Content) -> Facts:
    """Read a photo once, piece by piece.

    Raises:
        ImageTypeUnsupported: No server takes a file that begins like this.
        FileUnreadable: The file cannot be read any more.
    """
    if isinstance(content, bytes):
        head, digest = content[:_HEAD_BYTES], hashlib.sha256(content)
    else:
        content.seek(0)
        head = content.read(_HEAD_BYTES)
        content.seek(0)
        digest = hashlib.file_digest(content, "sha256")  # type: ignore[arg-type]  # it is read as a raw file is
    return Facts(size_of(content), _type_of(head), digest.hexdigest())


def announcement(facts: Facts) -> ApiRequest:
    """``POST /v1/uploads``; sent twice, it announces twice, and what is not used goes by itself."""
    document = {"size": facts.size, "type": facts.media_type, "sha256": facts.sha256}
    return ApiRequest("POST", "/v1/uploads", json=document)


def destination(document: Document) -> Destination:
    """Where the server has a photo sent, out of its JSON.

    Raises:
        ServerUnreachable: It is no such document.
    """
    try:
        return Destination(bool(document["direct"]), str(document["url"]), dict(document["headers"]))
    except (KeyError, TypeError, ValueError) as error:
        raise malformed_response(error) from None


def sending(to: Destination, content: Content, facts: Facts) -> ApiRequest:
    """The request that sends the photo; a second one changes nothing."""
    headers = {**to.headers, "Content-Length": str(facts.size)}
    return ApiRequest("PUT", to.url, headers=headers, content=content)


def _type_of(head: bytes) -> str:
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp" and (b"avif" in head or b"avis" in head):
        return "image/avif"
    raise ImageTypeUnsupported("The file is not a JPEG, PNG, WebP or AVIF image; convert it first.")
