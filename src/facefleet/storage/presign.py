"""Signs an address of the object store by which a client puts one photo there, and nothing else.

obstore signs the name of the host alone, so whoever has its address may put any bytes there. Here the length, the type
and the SHA-256 of the photo are signed, too (AWS Signature Version 4, query parameters): the store refuses what is not
exactly that. Where and as whom is taken from the address that obstore makes; only the secret is needed beside it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit, urlunsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store
from pydantic import SecretStr

from facefleet.errors.outage import StoreUnavailable

_METHOD: Literal["PUT"] = "PUT"
_ALGORITHM = "AWS4-HMAC-SHA256"
_SIGNATURE = "X-Amz-Signature"


@dataclass(frozen=True, slots=True)
class SignedUpload:
    """How a client sends a photo to the store: by ``PUT``, with these headers, and with its exact length.

    Attributes:
        headers: Without ``Content-Length``, which every client sets by itself.
    """

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class UploadSigner:
    """Signs for one store.

    Attributes:
        backend: At the endpoint that clients can reach.
        secret_key: Of the credentials that the backend has.
    """

    backend: S3Store
    secret_key: SecretStr

    def sign(self, key: str, *, size: int, media_type: str, sha256: str, seconds: float) -> SignedUpload:
        """Sign one upload.

        Args:
            key: Of the object.
            size: Bytes.
            media_type: Of the photo.
            sha256: Of the photo, in hexadecimal.
            seconds: For which the address is good.

        Raises:
            StoreUnavailable: obstore cannot sign.
        """
        try:
            address = urlsplit(obstore.sign(self.backend, _METHOD, key, timedelta(seconds=seconds)))
        except (BaseError, OSError) as error:
            raise StoreUnavailable("No address can be signed; try again.", cause=type(error).__name__) from error
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        headers = {"Content-Type": media_type, "x-amz-checksum-sha256": checksum}
        signed = headers | {"Content-Length": str(size), "Host": address.netloc}
        return SignedUpload(sign_address(address, signed, self.secret_key.get_secret_value()), headers)


def sign_address(address: SplitResult, headers: Mapping[str, str], secret: str) -> str:
    """The address with a signature over these headers, in place of the one that it has."""
    lower = dict(sorted((name.lower(), value) for name, value in headers.items()))
    query = dict(parse_qsl(address.query, keep_blank_values=True)) | {"X-Amz-SignedHeaders": ";".join(lower)}
    del query[_SIGNATURE]
    text = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items()))
    lines = (*(f"{name}:{value}" for name, value in lower.items()), "", ";".join(lower), "UNSIGNED-PAYLOAD")
    request = "\n".join((_METHOD, address.path, text, *lines))
    scope = query["X-Amz-Credential"].partition("/")[2]
    digest = hashlib.sha256(request.encode()).hexdigest()
    to_sign = "\n".join((_ALGORITHM, query["X-Amz-Date"], scope, digest))
    signature = _mac(_signing_key(secret, scope), to_sign).hex()
    return urlunsplit(address._replace(query=f"{text}&{_SIGNATURE}={signature}"))


def _signing_key(secret: str, scope: str) -> bytes:
    """The key of a scope: day, region, service and a fixed end, each hashed with the key before it."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
