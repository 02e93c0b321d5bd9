"""An issuer of tokens: its keys, the tokens that it signs, and a real server with its key set."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

ISSUER, AUDIENCE = "https://issuer.example", "facefleet"
SECRET = "a shared secret of more than 32 bytes"


@cache
def key_of(algorithm: str, number: int = 0) -> Key:
    """A private key, the same each time."""
    match algorithm:
        case "RS256":
            return RSAKey.generate_key(2048, auto_kid=False)
        case "ES256":
            return ECKey.generate_key("P-256", auto_kid=False)
        case "EdDSA" | "Ed25519":
            return OKPKey.generate_key("Ed25519", auto_kid=False)
    raise LookupError(algorithm, number)


def public(key: Key, kid: str | None, **more: Any) -> dict[str, Any]:
    """As the issuer publishes it."""
    named = {"kid": kid} if kid is not None else {}
    return {**key.as_dict(private=False), **named, **more}


def claims(now: datetime, /, **changes: Any) -> dict[str, Any]:
    """Those of a good token; a change to None leaves one out."""
    at = int(now.timestamp())
    good = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "tenant": "acme", "roles": ["member"],
        "iat": at, "nbf": at, "exp": at + 600, "jti": "t-1",
    }  # fmt: skip
    return {name: value for name, value in (good | changes).items() if value is not None}


def sign(content: object, key: Key, algorithm: str, kid: str | None = None, /, **header: Any) -> str:
    """A token."""
    named = {"kid": kid} if kid is not None else {}
    return sign_raw(json.dumps({"alg": algorithm, **named, **header}), json.dumps(content), key, algorithm)


def sign_raw(header: str, payload: str | bytes, key: Key, algorithm: str) -> str:
    """A token of any header and payload, signed as if they were good ones."""
    content = payload if isinstance(payload, bytes) else payload.encode()
    signed = f"{b64(header.encode())}.{b64(content)}"
    return f"{signed}.{b64(JWSRegistry.algorithms[algorithm].sign(signed.encode(), key))}"


def shared() -> Key:
    """The key of the shared secret."""
    return OctKey.import_key(SECRET)


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class KeyServer:
    """A server with a key set on loopback; what it answers can be changed at any time.

    Attributes:
        asked: How often.
    """

    port: int = 0
    asked: int = 0
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the set is."""
        return f"http://127.0.0.1:{self.port}/keys"

    def publish(self, *keys: Mapping[str, Any]) -> None:
        """Answer with these keys from now on."""
        self.body = json.dumps({"keys": keys}).encode()

    @contextmanager
    def running(self) -> Iterator[KeyServer]:
        """Serve, on the same port as before if there was one."""
        answer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer.asked += 1
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", self.port), Handler) as server:
            self.port = server.server_address[1]
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()
