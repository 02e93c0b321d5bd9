"""Decides whether a request is one too many: for its tenant, its key, its address, or after too many failed sign-ins.

Tenant, key and address are asked together, after the authentication, which says whose request it is. Failed sign-ins
cost a question only when one fails: an address that has used them up is remembered here until it may try again. Where
nobody answers the question, requests pass, and a metric says so.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from starlette.concurrency import run_in_threadpool

from facefleet.access.policy_lookup import PolicyLookup
from facefleet.access.principal import CredentialKind, Principal
from facefleet.access.rates import UNLIMITED, Rate, Rates
from facefleet.access.roles import Role
from facefleet.config import Settings
from facefleet.errors.limits import RateLimited
from facefleet.errors.outage import OutageError, QueueUnavailable
from facefleet.gateway.limits.shared import SharedLimiter
from facefleet.gateway.limits.window import Limit, Limiter, Standing
from facefleet.observability.metrics import Metrics

_FAILURES = "failures"
_BLOCKED = 10_000  # addresses that are remembered
_NETWORK_BITS = 64  # of IPv6: one customer has at least that
_IPV6 = 6

RatesOf = Callable[[Principal], Awaitable[Rates]]


class RateDesk:
    """Counts requests and failed sign-ins, and refuses those beyond the rates; for one event loop.

    Args:
        limiter: Counts.
        rates_of: The rates of a principal.
        address: Of all requests from one address.
        failures: Of failed sign-ins from one address.
        metrics: Counts refusals, and requests that passed unchecked.
        clock: s, monotonic.
    """

    def __init__(
        self, limiter: Limiter, rates_of: RatesOf, address: Rate | None, failures: Rate | None, metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._limiter = limiter
        self._rates_of = rates_of
        self._address = address
        self._failures = failures
        self._metrics = metrics
        self._clock = clock
        self._blocked: OrderedDict[str, float] = OrderedDict()  # network → when it may try again

    @classmethod
    def build(cls, settings: Settings, policies: PolicyLookup, metrics: Metrics) -> RateDesk:
        """From the settings and policies; where no credentials are asked for, no default of the settings holds."""
        limits = settings.rate_limits

        def rate(name: str) -> Rate | None:
            holds = settings.auth.required or name in limits.model_fields_set
            return Rate.parse_or_none(getattr(limits, name)) if holds else None

        rates = Rates(
            rate("tenant"), rate("key"), {Role(name): Rate.parse(text) for name, text in limits.roles.items()}
        )
        queue = settings.queue
        limiter = SharedLimiter(queue.url.get_secret_value(), prefix=queue.prefix)
        rates_of = partial(_rates_of, policies, rates)
        return cls(limiter, rates_of, rate("address"), rate("failures"), metrics)

    async def admit(self, principal: Principal, source: str) -> tuple[Sequence[Standing], RateLimited | None]:
        """Count a request.

        Returns:
            Where each of its limits stands, none where nothing is limited or nobody could say; and the refusal, where
            it is one too many.
        """
        limits = self._limits(principal, source, await self._rates_of(principal))
        if not limits:
            return [], None
        try:
            fits, standings = await self._limiter.take(limits)
        except QueueUnavailable:
            self._metrics.rates_unchecked.inc()
            return [], None
        return standings, None if fits else self._refusal(max(standings, key=lambda one: one.wait))

    def require_sign_in_left(self, source: str) -> None:
        """Refuse who has failed too often.

        Raises:
            RateLimited: No credential is looked at for the moment.
        """
        wait = self._blocked.get(_network(source), 0.0) - self._clock()
        if wait > 0:
            self._metrics.rate_limited.labels(_FAILURES).inc()
            raise RateLimited(
                "Too many credentials from this address were refused; try again later.",
                limit=_FAILURES, retry_after=int(wait) + 1,
            )  # fmt: skip

    async def note_failed_sign_in(self, source: str) -> None:
        """Count a credential that was refused; the address may have used up its failures by it."""
        if self._failures is None or not source:
            return
        network = _network(source)
        try:
            _, (standing,) = await self._limiter.take([Limit(_FAILURES, network, self._failures)])
        except QueueUnavailable:
            self._metrics.rates_unchecked.inc()
            return
        if standing.wait:
            self._blocked[network] = self._clock() + standing.wait
            self._blocked.move_to_end(network)
            if len(self._blocked) > _BLOCKED:
                self._blocked.popitem(last=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._limiter.close()

    def _limits(self, principal: Principal, source: str, rates: Rates) -> list[Limit]:
        tenant = principal.tenant
        of_key = principal.credential.kind is CredentialKind.KEY
        who = f"{tenant}\n{principal.credential.id if of_key else principal.subject}"
        wanted = (
            ("tenant", tenant, rates.tenant),
            ("key", who, rates.key),
            ("address", _network(source), self._address if source else None),
        )
        return [Limit(name, whose, rate) for name, whose, rate in wanted if rate]

    def _refusal(self, worst: Standing) -> RateLimited:
        limit = worst.limit
        self._metrics.rate_limited.labels(limit.name).inc()
        return RateLimited(
            f"More than {limit.rate.count:,} requests in {limit.rate.seconds:,} s; go on in {worst.wait} s.",
            limit=limit.name, retry_after=worst.wait,
        )  # fmt: skip


async def _rates_of(policies: PolicyLookup, usual: Rates, principal: Principal) -> Rates:
    """The rates of the principal's policy, and the usual ones where it says nothing or cannot be read."""
    try:
        policy = policies.of(principal) if policies.fresh else await run_in_threadpool(policies.of, principal)
    except OutageError:
        return UNLIMITED.of(principal.roles, usual)
    return policy.rates.of(principal.roles, usual)


def _network(source: str) -> str:
    """The address, of six the network it is in: who has one such address has all of that network."""
    address = ipaddress.ip_address(source) if source else None
    if address is None or address.version != _IPV6:
        return source
    return str(ipaddress.ip_network((address, _NETWORK_BITS), strict=False))
