"""Looks at the broker: whether it answers, its version, its clock, and the settings by which it loses messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing

from facefleet.config import Settings
from facefleet.doctor.address import compare_clock, shown
from facefleet.doctor.contract import Demand
from facefleet.doctor.demands import demand
from facefleet.doctor.report import Finding, State
from facefleet.errors.outage import QueueUnavailable
from facefleet.queue.broker import Broker, BrokerFacts

_KEEPS = "noeviction"
_REFUSED = ("NoPermissionError", "ResponseError")  # a managed broker, or an access list, may hide its settings


def look(settings: Settings, wanted: Demand | None, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """The broker of the settings; one that nobody has set and that is not there is skipped.

    Args:
        settings: Address and prefix.
        wanted: By the contract; none: it asks for nothing.
        now: s since the epoch of Unix.
    """
    url = settings.queue.url.get_secret_value()
    with closing(Broker(url, prefix=settings.queue.prefix)) as broker:
        try:
            broker.ping()
        except QueueUnavailable:
            if "url" in settings.queue.model_fields_set or wanted in (Demand.REQUIRED, Demand.STRICT):
                raise
            yield Finding("broker", State.SKIPPED, "FACEFLEET_QUEUE__URL is not set; `facefleet up` starts a broker")
            return
        yield from (demand(one, "servers.broker", wanted) for one in _findings(broker, shown(url), now))


def _findings(broker: Broker, address: str, now: Callable[[], float]) -> Iterator[Finding]:
    try:
        facts = broker.facts()
    except QueueUnavailable as error:
        if error.detail.get("cause") not in _REFUSED:
            raise
        advice = "Let this account use INFO, or see to maxmemory-policy noeviction and appendonly yes yourself."
        yield Finding("broker", State.WARNING, f"{address} answers, and does not tell its settings", advice)
        return
    yield Finding("broker", State.OK, f"{facts.product} at {address}")
    yield eviction(facts)
    yield durability(facts)
    yield compare_clock("broker.clock", facts.clock, now())


def eviction(facts: BrokerFacts) -> Finding:
    """Whether the broker deletes messages when its memory is full."""
    limit = f"maxmemory {facts.max_memory} bytes" if facts.max_memory else "no maxmemory"
    found = f"maxmemory-policy {facts.policy}, {limit}"
    if facts.policy == _KEEPS:
        return Finding("broker.eviction", State.OK, found)
    advice = f"Set maxmemory-policy {_KEEPS}: when its memory is full, this broker deletes waiting messages."
    return Finding("broker.eviction", State.WARNING, found, advice)


def durability(facts: BrokerFacts) -> Finding:
    """Whether the broker still has its messages after a restart."""
    if facts.append_only:
        return Finding("broker.durability", State.OK, "append-only file on")
    advice = "Set appendonly yes: a restart forgets what waits, and it is late until the sweeper sends it again."
    return Finding("broker.durability", State.WARNING, "append-only file off", advice)
