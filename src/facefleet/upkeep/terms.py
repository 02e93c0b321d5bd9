"""Finds how long photos, results and records are kept: what a tenant's policy says, else what the settings say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from facefleet import config
from facefleet.access.policy import Policies, Policy
from facefleet.tasks.records.ages import Age

_K = TypeVar("_K")


@dataclass(frozen=True, slots=True)
class Terms:
    """How long each is kept after a task has ended; ``orphans`` is the least age of an object without a record."""

    inputs: Age
    results: Age
    rows: Age
    orphans: timedelta


def terms_of(kept: config.Retention, policies: Policies) -> Terms:
    """The terms of all tenants, and of the plans that records name."""
    of_tenants = {name: policies.of(name, None) for name in policies.tenants}
    of_plans = {name: policies.of("", name) for name in policies.plans}
    of_pairs = {(name, plan): policies.of(name, plan) for name in of_tenants for plan in of_plans}

    def age(seconds: float, keep: Callable[[Policy], float | None]) -> Age:
        def ages(of: Mapping[_K, Policy]) -> dict[_K, timedelta]:
            return {name: timedelta(seconds=keep(policy) or seconds) for name, policy in of.items()}

        usual = timedelta(seconds=keep(policies.default) or seconds)
        own, plans = ages(of_tenants), {name: one for name, one in ages(of_plans).items() if one != usual}
        return Age(
            usual,
            # Where a plan has an age, every tenant that has a policy is named: its own comes before the plan's.
            own={name: one for name, one in own.items() if plans or one != usual},
            plans=plans,
            pairs={(name, plan): one for (name, plan), one in ages(of_pairs).items() if one != own[name]},
        )

    return Terms(
        inputs=age(kept.inputs, lambda policy: policy.keep_inputs),
        results=age(kept.results, lambda policy: policy.keep_results),
        rows=age(kept.rows, lambda policy: policy.keep_rows),
        orphans=timedelta(seconds=kept.orphans),
    )
