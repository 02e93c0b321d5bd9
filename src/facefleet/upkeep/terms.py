"""Finds how long photos, results and records are kept: what a tenant's policy says, else what the settings say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from facefleet import config
from facefleet.access.policy import Policies, Policy
from facefleet.tasks.records.ages import Age


@dataclass(frozen=True, slots=True)
class Terms:
    """How long each is kept after a task has ended; ``orphans`` is the least age of an object without a record."""

    inputs: Age
    results: Age
    rows: Age
    orphans: timedelta


def terms_of(kept: config.Retention, policies: Policies) -> Terms:
    """The terms of all tenants.

    A record does not tell which plan the token of its task named: a plan counts for the tenants that operators gave it.
    """
    of_tenants = {name: policies.of(name, None) for name in policies.tenants}

    def age(seconds: float, keep: Callable[[Policy], float | None]) -> Age:
        usual = timedelta(seconds=keep(policies.default) or seconds)
        own = {name: timedelta(seconds=keep(policy) or seconds) for name, policy in of_tenants.items()}
        return Age(usual, {name: one for name, one in own.items() if one != usual})

    return Terms(
        inputs=age(kept.inputs, lambda policy: policy.keep_inputs),
        results=age(kept.results, lambda policy: policy.keep_results),
        rows=age(kept.rows, lambda policy: policy.keep_rows),
        orphans=timedelta(seconds=kept.orphans),
    )
