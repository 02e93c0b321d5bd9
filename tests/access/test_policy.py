"""Policies: which value holds, what is refused, and how a program follows their changes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from facefleet.access.policy import Policies, Policy, Scope, TenantPolicy, check_name, read_policy
from facefleet.access.policy_file import read_policies
from facefleet.access.policy_lookup import FRESH_SECONDS, PolicyLookup
from facefleet.access.policy_records import StoredPolicy
from facefleet.access.rates import Rate, Rates
from facefleet.assignments import FaceAssignment
from facefleet.errors.input import ConfigInvalid, OptionInvalid
from facefleet.errors.limits import PolicyForbids
from facefleet.errors.outage import RecordsUnavailable
from facefleet.options import FuseOptions
from facefleet.tasks.kinds import Kind
from facefleet.tasks.lanes import Lane

FILE = """
[default]
backlog = 100
tenant_rate = "600/60s"

[plans.vip]
lane = "interactive"
backlog = 1000

[plans.trial]
kinds = ["fuse"]
options = ["strength"]

[tenants.studio]
plan = "vip"
key_rate = "5/1s"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policies.toml"
    path.write_text(FILE)
    return path


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def stored(name: str, scope: Scope = Scope.TENANT, **values: object) -> StoredPolicy:
    return StoredPolicy(scope, name, read_policy(scope, values), "ops", datetime(2026, 1, 1, tzinfo=UTC))


def test_a_tenants_own_value_comes_before_its_plans_and_that_before_the_default(file: Path) -> None:
    policies = read_policies(file)
    studio, other = policies.of("studio", None), policies.of("other", None)
    assert (studio.lane, studio.backlog, studio.rates) == (Lane.INTERACTIVE, 1000, Rates(Rate(600, 60), Rate(5, 1)))
    assert (other.lane, other.backlog, other.rates) == (None, 100, Rates(Rate(600, 60)))


def test_the_plan_of_a_token_counts_unless_operators_gave_another(file: Path) -> None:
    policies = read_policies(file)
    assert policies.of("other", "vip").backlog == 1000
    assert policies.of("studio", "trial").kinds is None, "studio is vip, whatever its token says"
    assert policies.of("other", "made up") == policies.of("other", None)


def test_a_stored_value_replaces_that_of_the_file_and_leaves_the_others(file: Path) -> None:
    policies = read_policies(file).with_rows({}, {"studio": TenantPolicy(backlog=7)})
    assert (policies.of("studio", None).backlog, policies.of("studio", None).lane) == (7, Lane.INTERACTIVE)
    cleared = read_policies(file).with_rows({}, {"studio": TenantPolicy(backlog=None)})
    assert cleared.of("studio", None).backlog is None, "null is a value: no limit"
    of_plan = read_policies(file).with_rows({"vip": Policy(backlog=8)}, {})
    assert of_plan.of("studio", None).backlog == 8


def test_nothing_written_down_limits_nothing() -> None:
    assert Policies().of("anyone", None) == Policy()
    Policy().require(Kind.FUSE, FuseOptions(strength=0.1, tiles=True).to_json())


def test_a_kind_that_is_not_allowed_is_refused_by_name() -> None:
    with pytest.raises(PolicyForbids, match="detect") as refused:
        Policy(kinds=(Kind.FUSE,)).require(Kind.DETECT, {})
    assert refused.value.detail == {"kind": "detect", "allowed": ["fuse"]}


def test_an_option_that_is_not_allowed_keeps_its_default() -> None:
    policy = Policy(options=("strength",))
    policy.require(Kind.FUSE, FuseOptions(strength=0.4).to_json())
    with pytest.raises(PolicyForbids, match="tiles") as refused:
        policy.require(Kind.FUSE, FuseOptions(tiles=True).to_json())
    assert refused.value.detail["field"] == "options.tiles"


BOUNDS = {"strength": {"min": 0.2, "max": 0.8}, "min_strength": {"min": 0.5}, "faces": {"max": 1}}


@pytest.mark.parametrize(
    ("chosen", "refused"),
    [
        ({"strength": 0.2}, None),
        ({"strength": 0.8}, None),
        ({"strength": 0.81}, "options.strength"),
        ({"strength": 0.19}, "options.strength"),
        ({}, "options.strength"),  # 1.0 by default
        ({"strength": 0.7, "min_strength": 0.4}, "options.min_strength"),
        ({"strength": 0.7, "faces": (FaceAssignment(target_face=0),)}, None),
        ({"strength": 0.7, "faces": (FaceAssignment(target_face=0), FaceAssignment(target_face=1))}, "options.faces"),
    ],
)
def test_an_option_keeps_within_its_bounds_by_default_too(chosen: dict[str, Any], refused: str | None) -> None:
    policy = read_policy(Scope.PLAN, {"bounds": BOUNDS})
    record = FuseOptions(**chosen).to_json()
    if refused is None:
        policy.require(Kind.FUSE, record)
        return
    with pytest.raises(PolicyForbids) as error:
        policy.require(Kind.FUSE, record)
    assert error.value.detail["field"] == refused
    policy.require(Kind.DETECT, {"tiles": False})


def test_what_an_operator_bounded_comes_back_as_it_was_given() -> None:
    values = {"bounds": {"strength": {"max": 0.8}}, "attest": ["own_photo"], "labels": ["studio 1"]}
    policy = read_policy(Scope.PLAN, values | {"consent": "reference"})
    assert policy.given() == values | {"consent": "reference"}
    of_plan = Policies(plans={"vip": policy}).of("studio", "vip")
    assert (of_plan.bounds, of_plan.labels) == (policy.bounds, ("studio 1",))


@pytest.mark.parametrize(
    "values",
    [
        {"bounds": {"colour": {"max": 1}}},
        {"bounds": {"tiles": {"max": 1}}},
        {"bounds": {"strength": {"min": 0.9, "max": 0.1}}},
        {"bounds": {"strength": {"min": 1.5}}},
        {"bounds": {"faces": {"max": -1}}},
        {"bounds": {"strength": {"most": 1}}},
        {"bounds": {"strength": {"max": "nan"}}},
        {"consent": "none"},
        {"attest": ["consent"]},
        {"labels": [""]},
        {"labels": ["a\nb"]},
        {"labels": ["x"] * 17},
    ],
)
def test_bounds_and_demands_that_cannot_be_met_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(OptionInvalid, match=next(iter(values))):
        read_policy(Scope.TENANT, values)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[default]\nbacklog = 0", "default.backlog"),
        ("[default]\nbucklog = 1", "default.bucklog"),
        ("[plans.vip]\nplan = 'x'", "plans.vip.plan"),
        ("[tenants.'../x']\nbacklog = 1", "tenants"),
        ("[tenants.a]\ntenant_rate = '10 per minute'", "tenants.a.tenant_rate"),
        ("[tenants.a]\noptions = ['colour']", "colour"),
        ("[tenants.a]\nplan = 'gold'", "plans.gold"),
        ("[default", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_it_is_wrong(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "policies.toml"
    path.write_text(text)
    with pytest.raises(ConfigInvalid) as refused:
        read_policies(path)
    assert named in refused.value.message
    assert str(path) in refused.value.message


@pytest.mark.parametrize("text", ["", "0/60s", "10", "10/0s", "10/60", "-1/60s", "1/1s ", "١/1s", "1e3/1s", 5])
def test_what_is_no_rate_is_refused(text: object) -> None:
    with pytest.raises(OptionInvalid, match="tenant_rate"):
        read_policy(Scope.PLAN, {"tenant_rate": text})


@pytest.mark.parametrize(
    ("rates", "reason"),
    [({"emperor": "1/1s"}, "viewer"), ({"viewer": "often"}, "600/60s"), ({"viewer": 5}, "600/60s")],
)
def test_rates_by_role_name_a_role_and_a_rate(rates: dict[str, Any], reason: str) -> None:
    with pytest.raises(OptionInvalid, match=f"role_rates.*{reason}"):
        read_policy(Scope.PLAN, {"role_rates": rates})


def test_an_operators_policy_is_refused_with_every_reason() -> None:
    with pytest.raises(OptionInvalid) as refused:
        read_policy(Scope.PLAN, {"plan": "vip", "backlog": -1})
    assert {one["field"] for one in refused.value.detail["fields"]} == {"plan", "backlog"}  # type: ignore[attr-defined]
    with pytest.raises(OptionInvalid, match="gold"):
        Policies().require_plan(TenantPolicy(plan="gold"))
    for wrong in ("", "../x", "a b", "x" * 65):
        with pytest.raises(OptionInvalid):
            check_name(wrong)


def test_a_change_is_seen_once_what_was_read_is_old(file: Path) -> None:
    rows: list[StoredPolicy] = []
    clock = Clock()
    lookup = PolicyLookup(file, lambda: rows, clock)
    assert lookup.of_tenant("studio").backlog == 1000
    rows.append(stored("studio", backlog=9))
    file.write_text(FILE.replace("backlog = 100\n", "backlog = 11\n"))
    clock.now = FRESH_SECONDS - 0.1
    assert lookup.of_tenant("studio").backlog == 1000
    clock.now = FRESH_SECONDS
    assert (lookup.of_tenant("studio").backlog, lookup.of_tenant("other").backlog) == (9, 11)


def test_what_was_read_last_stays_while_file_or_records_cannot_be_read(file: Path) -> None:
    clock = Clock()
    away = False

    def rows() -> list[StoredPolicy]:
        if away:
            raise RecordsUnavailable("away")
        return [stored("studio", backlog=9)]

    lookup = PolicyLookup(file, rows, clock)
    assert lookup.of_tenant("studio").backlog == 9
    away, clock.now = True, 100.0
    assert lookup.of_tenant("studio").backlog == 9
    away, clock.now = False, 200.0
    file.write_text("[default")
    assert lookup.of_tenant("studio").backlog == 9


def test_nobody_has_a_policy_while_the_records_were_never_read() -> None:
    def away() -> list[StoredPolicy]:
        raise RecordsUnavailable("away")

    with pytest.raises(RecordsUnavailable):
        PolicyLookup(None, away).of_tenant("acme")


def test_secrets_of_webhooks_stand_in_the_file_alone(file: Path, tmp_path: Path) -> None:
    own = tmp_path / "studio.secrets"
    own.write_text("whsec_")
    file.write_text(f"{FILE}\n[webhook_secrets]\nstudio = {str(own)!r}\n")
    rows = [stored("studio", backlog=3)]
    lookup = PolicyLookup(file, lambda: rows)
    assert (lookup.webhook_secrets("studio"), lookup.webhook_secrets("other")) == (own, None)
    assert "secret" not in lookup.of_tenant("studio").model_dump_json(), "nor is it shown"
    with pytest.raises(OptionInvalid, match="webhook_secrets"):
        read_policy(Scope.TENANT, {"webhook_secrets": str(own)})


def test_a_file_of_secrets_that_is_not_there_is_named_with_its_tenant(file: Path) -> None:
    file.write_text("[webhook_secrets]\nstudio = '/nowhere/at/all'\n")
    with pytest.raises(ConfigInvalid, match=r"policies\.toml.*webhook_secrets\.studio"):
        read_policies(file)
