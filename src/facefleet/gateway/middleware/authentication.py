"""Authenticates each request before its body is read, and holds it against the permission of its endpoint.

Today every caller on loopback is the one local principal; tokens and API keys take its place here.
"""

from __future__ import annotations

import ipaddress
import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from facefleet.access.principal import LOCAL, Principal
from facefleet.errors.input import ConfigInvalid, NotPermitted, RequestError
from facefleet.gateway.caller import PRINCIPAL
from facefleet.gateway.endpoints import Endpoint, endpoint_of

_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?")
_LOCAL_NAMES = frozenset({"localhost"})


class LocalAuthentication:
    """Gives every request the local principal, except those to public endpoints, which need none.

    Without credentials, the one thing that tells the owner of this machine from a web page open in their browser is the
    name the request was sent to and the page it came from; both must be this machine (DNS rebinding, cross-site forms).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or refuse it."""
        if scope["type"] == "http":
            endpoint = endpoint_of(scope)
            if endpoint is None or not endpoint.public:
                principal = _authenticate(scope)
                scope["state"][PRINCIPAL] = principal
                _authorize(principal, endpoint)
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


def _authenticate(scope: Scope) -> Principal:
    headers = Headers(scope=scope)
    hosts = headers.getlist("host")
    if len(hosts) != 1 and scope["http_version"] != "1.0":  # RFC 9112, section 3.2; the parser does not check it
        raise RequestError("A request has exactly one Host header.", header="host")
    for name, values in (("host", hosts), ("origin", headers.getlist("origin"))):
        for value in values:
            _require_own_name(name, value)
    return LOCAL


def _authorize(principal: Principal, endpoint: Endpoint | None) -> None:
    """Check the permission; what is no endpoint needs none, since the router refuses it."""
    permission = endpoint.permission if endpoint else None
    if permission is not None and permission not in principal.permissions:
        raise NotPermitted(
            f"{principal.subject} may not do this: it needs the permission {permission}.",
            subject=principal.subject, permission=str(permission),
        )  # fmt: skip


def _require_own_name(header: str, value: str) -> None:
    authority = _AUTHORITY.fullmatch(value.removeprefix("http://").removeprefix("https://"))
    if authority is None or not is_loopback(authority["host"].strip("[]")):
        raise RequestError(
            f"Without authentication only this machine may ask; {header} is {value[:200]!r}.", header=header
        )
