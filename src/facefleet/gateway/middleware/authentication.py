"""Authenticates each request before its body is read, and holds it against the permission of its endpoint.

One of two layers authenticates: ``Authentication`` where tokens or API keys are configured, else
``LocalAuthentication``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from functools import partial

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from facefleet.access.authenticator import Authenticator
from facefleet.access.principal import LOCAL, Principal
from facefleet.access.reasons import Reason
from facefleet.errors.access import CsrfTokenInvalid, NotPermitted, Unauthenticated
from facefleet.errors.base import FacefleetError
from facefleet.errors.input import ConfigInvalid, RequestError
from facefleet.errors.outage import IssuerUnavailable, OutageError
from facefleet.gateway.caller import PRINCIPAL, SOURCE, STILL
from facefleet.gateway.credentials import bearer_of, require_csrf_token, session_of
from facefleet.gateway.endpoints import Endpoint, endpoint_of
from facefleet.observability.logs import logger
from facefleet.observability.metrics import Metrics

_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?")
_LOCAL_NAMES = frozenset({"localhost"})

_log = logger(__name__)


class Authentication:
    """Gives every request the principal of its bearer credential or session, except those to public endpoints.

    Args:
        app: The layers inside.
        authenticator: Finds the principal.
        metrics: Counts those who are not let in.
    """

    def __init__(self, app: ASGIApp, *, authenticator: Authenticator, metrics: Metrics) -> None:
        self._app = app
        self._authenticator = authenticator
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or refuse it."""
        if scope["type"] == "http":
            endpoint = endpoint_of(scope)
            if endpoint is None or not endpoint.public:
                headers = Headers(scope=scope)
                _hosts(scope, headers)
                principal = await self._principal(scope, headers)
                scope["state"] |= {PRINCIPAL: principal, STILL: partial(self._still, scope, headers, endpoint)}
        await self._app(scope, receive, send)

    async def _principal(self, scope: Scope, headers: Headers) -> Principal:
        try:
            return await self._found(scope, headers)
        except (Unauthenticated, CsrfTokenInvalid, OutageError) as error:
            self._note(error, scope)
            raise

    async def _found(self, scope: Scope, headers: Headers) -> Principal:
        secret = session_of(scope, headers)
        if secret is None:
            return await self._authenticator.authenticate(bearer_of(headers))
        principal = await self._authenticator.authenticate_session(secret)
        require_csrf_token(scope, headers, secret)
        return principal

    async def _still(self, scope: Scope, headers: Headers, endpoint: Endpoint | None) -> bool:
        """Whether the request would be let in now."""
        try:
            _authorize(await self._found(scope, headers), endpoint)
        except (Unauthenticated, CsrfTokenInvalid, NotPermitted, OutageError):
            return False
        return True

    def _note(self, error: FacefleetError, scope: Scope) -> None:
        """Count and log a refusal; neither the credential nor a part of it that is secret gets there."""
        reason = str(error.detail.get("reason", _away(error)))
        self._metrics.authentication_failures.labels(reason).inc()
        _log.warning(
            "authentication.refused", reason=reason, source=scope["state"][SOURCE], key_id=error.detail.get("key_id")
        )


class LocalAuthentication:
    """Gives every request the local principal, except those to public endpoints, which need none.

    Without credentials, the one thing that tells the owner of this machine from a web page open in their browser is the
    name the request was sent to and the page it came from. The name must be this machine's (DNS rebinding); the page,
    too (cross-site forms), or one that the operator lets in.

    Args:
        app: The layers inside.
        origins: Of the pages that are let in, written as browsers send them.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str] = ()) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or refuse it."""
        if scope["type"] == "http":
            endpoint = endpoint_of(scope)
            if endpoint is None or not endpoint.public:
                headers = Headers(scope=scope)
                foreign = [origin for origin in headers.getlist("origin") if origin not in self._origins]
                for name, values in (("host", _hosts(scope, headers)), ("origin", foreign)):
                    for value in values:
                        _require_own_name(name, value)
                scope["state"] |= {PRINCIPAL: LOCAL, STILL: _always}
        await self._app(scope, receive, send)


class Authorization:
    """Holds the principal against the permission of the endpoint.

    The rate limits stand between the authentication and this, so that a refusal counts, too: each is written down.

    Args:
        app: The layers inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or refuse it."""
        if scope["type"] == "http":
            endpoint = endpoint_of(scope)
            if endpoint is None or not endpoint.public:
                _authorize(scope["state"][PRINCIPAL], endpoint)
        await self._app(scope, receive, send)


async def _always() -> bool:
    """What needs no credential does not end."""
    return True


def require_loopback(host: str) -> None:
    """Refuse to listen where others can reach us without authentication.

    Raises:
        ConfigInvalid: The address is not a loopback address.
    """
    if not is_loopback(host):
        raise ConfigInvalid(
            f"gateway.host is {host}: without credentials the gateway listens on loopback only. Use 127.0.0.1, or take "
            "API keys (FACEFLEET_AUTH__KEYS=true) or tokens (FACEFLEET_AUTH__JWKS_URL, FACEFLEET_AUTH__TOKEN_SECRET).",
            setting="gateway.host",
        )


def is_loopback(host: str) -> bool:
    """Whether an address or name can only be this machine."""
    try:
        return host in _LOCAL_NAMES or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _hosts(scope: Scope, headers: Headers) -> list[str]:
    """The name that the request was sent to; HTTP/1.0 need not say it.

    Raises:
        RequestError: There are several, or none (RFC 9112, section 3.2; the parser does not check it).
    """
    hosts = headers.getlist("host")
    if len(hosts) != 1 and scope["http_version"] != "1.0":
        raise RequestError("A request has exactly one Host header.", header="host")
    return hosts


def _authorize(principal: Principal, endpoint: Endpoint | None) -> None:
    """Check the permission; what is no endpoint needs none, since the router refuses it."""
    permission = endpoint.permission if endpoint else None
    if permission is not None and permission not in principal.permissions:
        raise NotPermitted(
            f"{principal.subject} may not do this: it needs the permission {permission}.",
            subject=principal.subject, permission=str(permission),
        )  # fmt: skip


def _away(error: FacefleetError) -> Reason:
    return Reason.ISSUER_AWAY if isinstance(error, IssuerUnavailable) else Reason.RECORDS_AWAY


def _require_own_name(header: str, value: str) -> None:
    authority = _AUTHORITY.fullmatch(value.removeprefix("http://").removeprefix("https://"))
    if authority is None or not is_loopback(authority["host"].strip("[]")):
        raise RequestError(
            f"Without credentials only this machine may ask; {header} is {value[:200]!r}.", header=header
        )
