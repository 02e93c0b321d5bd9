"""Terms: the settings, the default policy, plans and tenants, in the order in which they count."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from facefleet import config
from facefleet.access.policy import Policies, Policy, TenantPolicy
from facefleet.tasks.records.ages import Age
from facefleet.upkeep.terms import terms_of

KEPT = config.Retention(inputs=10, results=20, rows=30, orphans=40)


def seconds(count: int) -> timedelta:
    return timedelta(seconds=count)


def test_settings_hold_where_no_policy_says_otherwise() -> None:
    terms = terms_of(KEPT, Policies(tenants={"studio": TenantPolicy(backlog=1)}))
    assert (terms.inputs, terms.results, terms.rows) == (Age(seconds(10)), Age(seconds(20)), Age(seconds(30)))
    assert terms.orphans == seconds(40)


def test_default_plan_and_tenant_come_before_them() -> None:
    policies = Policies(
        default=Policy(keep_results=5),
        plans={"archive": Policy(keep_results=500, keep_rows=600)},
        tenants={
            "studio": TenantPolicy(plan="archive"),
            "short": TenantPolicy(plan="archive", keep_rows=1),
            "unset": TenantPolicy(keep_results=None),
        },
    )
    terms = terms_of(KEPT, policies)
    assert terms.inputs == Age(seconds(10))
    assert terms.results == Age(
        seconds(5), {"studio": seconds(500), "short": seconds(500), "unset": seconds(20)}, {"archive": seconds(500)}
    )
    assert terms.rows == Age(
        seconds(30),
        {"studio": seconds(600), "short": seconds(1), "unset": seconds(30)},
        {"archive": seconds(600)},
        {("unset", "archive"): seconds(600)},
    )


@pytest.mark.parametrize("value", [0, -1, 1e99, 10 * 365 * 86_400 + 1])
def test_a_term_is_a_time_that_a_clock_can_take(value: float) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate({"keep_rows": value})
