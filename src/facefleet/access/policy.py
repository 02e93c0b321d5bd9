"""Defines a policy: what a tenant may do and how much of it. A plan is a policy with a name, for several tenants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, FilePath, ValidationError, field_validator

from facefleet.access.option_bounds import Bounds, check_bounds, require_within
from facefleet.access.rates import Rate, Rates
from facefleet.access.roles import Role
from facefleet.config import Share
from facefleet.errors.input import OptionInvalid
from facefleet.errors.limits import PolicyForbids
from facefleet.options import FuseOptions
from facefleet.rate_settings import RATE
from facefleet.section import Count, Section, reason_of
from facefleet.storage.keys import TENANT, is_tenant
from facefleet.tasks.kinds import Kind
from facefleet.tasks.lanes import Lane

Name = Annotated[str, Field(pattern=f"^{TENANT}$")]
RateText = Annotated[str, Field(pattern=RATE)]
_LONGEST_SECONDS = 10 * 365 * 86_400
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:-]{0,63}$")]
Kept = Annotated[int, Field(gt=0, le=_LONGEST_SECONDS)]
_OPTIONS = FuseOptions.table()
_NO_RATE = frozenset({"string_pattern_mismatch", "string_type"})  # pydantic's names of what a text can be refused for


class Policy(Section):
    """What a tenant may. A value that is null sets no limit of the tenant's own: those of the service hold anyway."""

    lane: Lane | None = Field(None, description="lane of its single tasks; null: the one of their kind")
    batch_lane: Lane = Field(Lane.BULK, description="lane of its batches")
    tenant_rate: RateText | None = Field(None, description="requests of the whole tenant, such as `600/60s`")
    key_rate: RateText | None = Field(None, description="requests with one key, or of one subject with tokens")
    role_rates: dict[Role, RateText] | None = Field(
        None, description="role → the same for those who have it, in place of `key_rate`"
    )
    concurrency: Count | None = Field(
        None, description="tasks that run at once, over all workers; of the plan that operators gave it"
    )
    backlog: Count | None = Field(None, description="tasks that wait at once")
    bytes_per_day: Count | None = Field(None, description="bytes of photos that it sends in a day (UTC)")
    kinds: tuple[Kind, ...] | None = Field(None, description="kinds of tasks that it may make; null: all")
    options: tuple[str, ...] | None = Field(
        None, description="options of a fusion that it may set to something else than their default; null: all"
    )
    bounds: dict[str, Bounds] | None = Field(
        None, description="option of a fusion → the least (`min`) and the greatest (`max`) value that it may have"
    )

    keep_inputs: Kept | None = Field(None, description="s that uploads are kept after their task has ended")
    keep_results: Kept | None = Field(None, description="s that a result is kept after its task has ended")
    keep_rows: Kept | None = Field(None, description="s that the record is kept after its task has ended")

    nsfw_allow: Share | None = Field(
        None, description="score from which on its photos are refused, where that is less than `safety.nsfw_allow`"
    )
    consent: Literal["required", "reference"] | None = Field(
        None, description="what its requests attest, where that is more than `safety.consent` asks for"
    )
    attest: tuple[Literal["own_photo", "guardian"], ...] | None = Field(
        None, description="what its requests have to attest beside the consent; null: nothing"
    )
    labels: tuple[Label, ...] | None = Field(
        None, max_length=16, description="names kept for marks on its results; not used yet"
    )

    @field_validator("options")
    @classmethod
    def _are_options(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if unknown := sorted(set(names or ()) - _OPTIONS.keys()):
            raise ValueError(f"a fusion has no option {', '.join(unknown)}")
        return names

    @field_validator("bounds")
    @classmethod
    def _can_be_met(cls, bounds: dict[str, Bounds] | None) -> dict[str, Bounds] | None:
        check_bounds(bounds)
        return bounds

    @property
    def rates(self) -> Rates:
        """How often it may ask."""
        return Rates(
            Rate.parse_or_none(self.tenant_rate or ""),
            Rate.parse_or_none(self.key_rate or ""),
            {role: Rate.parse(text) for role, text in (self.role_rates or {}).items()},
        )

    def require(self, kind: Kind, options: Mapping[str, Any]) -> None:
        """Check that a task may be made.

        Args:
            kind: Of the task.
            options: Of it, as its record keeps them.

        Raises:
            PolicyForbids: Its kind is not allowed, or an option of it has a value that is not.
        """
        if self.kinds is not None and kind not in self.kinds:
            raise PolicyForbids(
                f"Your policy does not allow tasks of the kind {kind}; it allows {', '.join(self.kinds) or 'none'}.",
                kind=kind.value, allowed=list(self.kinds),
            )  # fmt: skip
        if kind is Kind.FUSE:
            self._require_options(options)
            require_within(self.bounds or {}, options)

    def _require_options(self, options: Mapping[str, Any]) -> None:
        if self.options is None:
            return
        for name, value in options.items():
            if name not in self.options and value != _OPTIONS[name].default:
                raise PolicyForbids(
                    f"Your policy does not allow the option {name}; it allows {', '.join(self.options) or 'none'}.",
                    field=f"options.{name}", allowed=list(self.options),
                )  # fmt: skip

    def given(self) -> dict[str, Any]:
        """The values that were given, as JSON; the others leave room for those of plan and default."""
        return self.model_dump(mode="json", exclude_unset=True)


class TenantPolicy(Policy):
    """The policy of one tenant: a plan, and what differs from it."""

    plan: Name | None = Field(None, description="the plan that it has; null: the one that its token names, if any")


_P = TypeVar("_P", bound=Policy)


class Scope(StrEnum):
    """Whose policy it is."""

    TENANT = "tenant"
    PLAN = "plan"


SHAPES: Mapping[Scope, type[Policy]] = {Scope.TENANT: TenantPolicy, Scope.PLAN: Policy}
"""What can be said of each."""


class Policies(Section):
    """All policies that somebody wrote down.

    Attributes:
        webhook_secrets: Tenant → file of the secrets that sign its webhooks. A table of its own in the file, so that
            nothing that shows or changes a policy can show or take a secret.
    """

    default: Policy = Policy()
    plans: dict[Name, Policy] = Field({})
    tenants: dict[Name, TenantPolicy] = Field({})
    webhook_secrets: dict[Name, FilePath] = Field({})

    def of(self, tenant: str, plan: str | None) -> Policy:
        """What a tenant may: its own values, else those of its plan, else those of the default.

        Args:
            tenant: Whose.
            plan: That its token names; the one that operators gave it comes first. One that is not there has no values.
        """
        own = self.tenants.get(tenant, TenantPolicy())
        of_plan = self.plans.get(own.plan or plan or "", Policy())
        given = self.default.given() | of_plan.given() | own.given()
        given.pop("plan", None)
        return Policy.model_validate(given)

    def effective(self, scope: Scope, name: str) -> Policy:
        """What a tenant may whose token names no plan, or one that has this plan and no values of its own."""
        return self.of(name, None) if scope is Scope.TENANT else self.of("", name)

    def require_plan(self, policy: Policy) -> None:
        """Check that the plan that a tenant is given exists.

        Raises:
            OptionInvalid: It does not.
        """
        plan = policy.plan if isinstance(policy, TenantPolicy) else None
        if plan is not None and plan not in self.plans:
            raise OptionInvalid(f"There is no plan {plan}.", field="plan", plans=sorted(self.plans))

    def with_rows(self, plans: Mapping[str, Policy], tenants: Mapping[str, TenantPolicy]) -> Policies:
        """These policies, with values of the same names replaced by those of others."""
        merged = {"plans": _merged(self.plans, plans), "tenants": _merged(self.tenants, tenants)}
        return self.model_copy(update=merged)


def _merged(ours: Mapping[str, _P], others: Mapping[str, _P]) -> dict[str, _P]:
    known = {name: ours[name].given() if name in ours else {} for name in others}
    return {**ours, **{name: type(one).model_validate(known[name] | one.given()) for name, one in others.items()}}


def read_policy(scope: Scope, values: Mapping[str, Any]) -> Policy:
    """The policy that an operator wrote for a tenant or plan.

    Raises:
        OptionInvalid: A value is unknown, or cannot be used; each is named with its reason.
    """
    try:
        return SHAPES[scope].model_validate(values)
    except ValidationError as error:
        fields = [
            {"field": ".".join(map(str, e["loc"])), "reason": _reason(e["loc"], e)}
            for e in error.errors(include_input=False, include_url=False)
        ]
        reasons = "; ".join(f"{one['field']}: {one['reason']}" for one in fields)
        raise OptionInvalid(f"{reasons}.", fields=fields) from None


def _reason(place: Sequence[int | str], invalid: Mapping[str, Any]) -> str:
    """Why a value is refused; of a rate, how it is written."""
    is_rate = str(place[0]).endswith("_rate") or (place[0] == "role_rates" and invalid["type"] in _NO_RATE)
    return "write requests/seconds, such as 600/60s" if is_rate else reason_of(invalid)


def check_name(name: str) -> str:
    """Check the name of a tenant or plan.

    Raises:
        OptionInvalid: It has other characters than letters, digits and ``.``, ``_``, ``-``, or more than 64.
    """
    if not is_tenant(name):
        raise OptionInvalid(f"{name[:64]!r} is no name of a tenant or plan.", field="name")
    return name
