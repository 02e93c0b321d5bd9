"""Says for whom a request is answered: the principal that authentication found, and the permission it was let in by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import Scope

from facefleet.access.permissions import Permission
from facefleet.access.principal import Principal
from facefleet.gateway.endpoints import endpoint_of
from facefleet.gateway.problems import TRACE_ID
from facefleet.tasks.audit import Origin

PRINCIPAL = "principal"  # in the state of a request: set by authentication, read here
SOURCE = "source"  # there, too: the address that the request came from
SECURE = "secure"  # there, too: whether the client came by TLS, to us or to a trusted proxy
STILL = "still"  # there, too: whether the credential that was shown is good by now

Still = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal that asks an endpoint.

    Attributes:
        principal: Who asks.
        permission: That of the endpoint, which the principal has.
        origin: The same for the audit log: who asks, from where, in which trace.
        still: Whether it may go on being answered: an answer can take long enough for its credential to end.
    """

    principal: Principal
    permission: Permission
    origin: Origin
    still: Still

    @property
    def tenant(self) -> str:
        """Whose tasks, templates and batches it sees."""
        return self.principal.tenant

    @property
    def subject(self) -> str:
        """Who is written down as having asked."""
        return self.principal.subject

    @property
    def credential(self) -> str | None:
        """The id of the key or token that it showed, if that has one."""
        return self.origin.credential


async def caller_of(request: Request) -> Caller:
    """The caller of a route; the authentication layer has refused it before if it may not ask.

    Raises:
        LookupError: The route is public or not in the table of endpoints, so that nobody was authenticated for it.
    """
    endpoint = endpoint_of(request.scope)
    if endpoint is None or endpoint.permission is None:
        raise LookupError(f"{request.method} {request.url.path} has no permission in the table of endpoints.")
    state = request.scope["state"]
    return Caller(state[PRINCIPAL], endpoint.permission, origin_of(request.scope), state[STILL])


def origin_of(scope: Scope) -> Origin:
    """Who sent a request, for the audit log; somebody was authenticated for it."""
    state = scope["state"]
    principal: Principal = state[PRINCIPAL]
    credential = principal.credential.id or None
    return Origin(principal.subject, principal.tenant, credential, state[SOURCE] or None, state[TRACE_ID])


AsCaller = Annotated[Caller, Depends(caller_of)]
"""The type of a route's parameter that is its caller."""
