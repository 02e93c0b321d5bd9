"""Who asks. Today every caller on loopback is the one local principal; tokens and API keys take its place here."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from facefleet.errors.input import ConfigInvalid, RequestError

_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?")
_LOCAL_NAMES = frozenset({"localhost"})


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller.

    Attributes:
        tenant: Whose bytes the caller's uploads are.
        subject: Who it is.
        operator: Whether it may look after the tasks of all tenants, the lanes and the door.
    """

    tenant: str
    subject: str
    operator: bool = False


LOCAL = Principal(tenant="local", subject="local", operator=True)


class LocalAuthentication:
    """Gives every request the local principal.

    Without credentials, the one thing that tells the owner of this machine from a web page open in their browser is the
    name the request was sent to and the page it came from; both must be this machine (DNS rebinding, cross-site forms).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or refuse it."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            for name in ("host", "origin"):
                for value in headers.getlist(name):
                    _require_own_name(name, value)
            scope.setdefault("state", {})["principal"] = LOCAL
        await self._app(scope, receive, send)


def require_loopback(host: str) -> None:
    """Refuse to listen where others can reach us without authentication.

    Raises:
        ConfigInvalid: The address is not a loopback address.
    """
    if not is_loopback(host):
        raise ConfigInvalid(
            f"gateway.host is {host}: without authentication the gateway listens on loopback only; use 127.0.0.1.",
            setting="gateway.host",
        )


def is_loopback(host: str) -> bool:
    """Whether an address or name can only be this machine."""
    try:
        return host in _LOCAL_NAMES or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _require_own_name(header: str, value: str) -> None:
    found = _AUTHORITY.fullmatch(value.removeprefix("http://").removeprefix("https://"))
    if found is None or not is_loopback(found["host"].strip("[]")):
        raise RequestError(
            f"Without authentication only this machine may ask; {header} is {value[:200]!r}.", header=header
        )
