"""Refuses requests that come too often: before a credential is looked at, and before the body is read."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from facefleet.errors.access import CsrfTokenInvalid, Unauthenticated
from facefleet.gateway.caller import PRINCIPAL, SOURCE
from facefleet.gateway.endpoints import endpoint_of
from facefleet.gateway.limits.desk import RateDesk
from facefleet.gateway.limits.window import Standing
from facefleet.gateway.problems import ANSWER_HEADERS


class SignInLimit:
    """Stands outside of the authentication: who has failed too often is refused before it looks at the credential.

    A request without a credential tries none, so it does not count. Metrics need one, so it can be guessed there, too.

    Args:
        app: The layers inside.
        desk: Counts.
    """

    def __init__(self, app: ASGIApp, *, desk: RateDesk) -> None:
        self._app = app
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on and count its failure."""
        if scope["type"] != "http" or _probe(scope):
            await self._app(scope, receive, send)
            return
        source = scope["state"][SOURCE]
        self._desk.require_sign_in_left(source)
        try:
            await self._app(scope, receive, send)
        except (Unauthenticated, CsrfTokenInvalid) as refusal:
            if type(refusal) is not Unauthenticated:
                await self._desk.note_failed_sign_in(source)
            raise


class RateLimit:
    """Stands inside of the authentication, which says whose request it is; what machines poll is not limited.

    Args:
        app: What reads the body.
        desk: Counts.
    """

    def __init__(self, app: ASGIApp, *, desk: RateDesk) -> None:
        self._app = app
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on; either answer says where its limits stand."""
        if scope["type"] == "http" and not _public(scope):
            state = scope["state"]
            standings, refusal = await self._desk.admit(state[PRINCIPAL], state[SOURCE])
            if standings:
                state[ANSWER_HEADERS] = _headers(standings)
            if refusal is not None:
                raise refusal
        await self._app(scope, receive, send)


def _probe(scope: Scope) -> bool:
    """Whether it is about the health of the gateway, which nobody shows a credential for."""
    endpoint = endpoint_of(scope)
    return endpoint is not None and endpoint.public and endpoint.polled


def _public(scope: Scope) -> bool:
    """Whether probes and scrapers ask."""
    endpoint = endpoint_of(scope)
    return endpoint is not None and (endpoint.public or endpoint.polled)


def _headers(standings: Sequence[Standing]) -> list[tuple[bytes, bytes]]:
    """The fields of draft-ietf-httpapi-ratelimit-headers-10."""
    policies = (f'"{one.limit.name}";q={one.limit.rate.count};w={one.limit.rate.seconds}' for one in standings)
    limits = (f'"{one.limit.name}";r={one.remaining};t={one.reset}' for one in standings)
    return [(b"ratelimit-policy", ", ".join(policies).encode()), (b"ratelimit", ", ".join(limits).encode())]
