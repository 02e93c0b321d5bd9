"""Serves ``/v1/policy``, what the caller's tenant may, and ``/v1/operator/policies``, by which operators change it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from facefleet.access.policy import Name, Policy, Scope, TenantPolicy, read_policy
from facefleet.access.policy_lookup import PolicyLookup
from facefleet.access.policy_records import PolicyRecords, StoredPolicy
from facefleet.errors.access import NotPermitted
from facefleet.errors.input import OptionInvalid
from facefleet.errors.outage import RecordsUncertain
from facefleet.gateway.caller import AsCaller
from facefleet.gateway.openapi import refusals
from facefleet.observability.logs import logger

OfName = Annotated[Name, Path(description="of the tenant or plan")]

_log = logger(__name__)


class PolicyView(BaseModel):
    """What the caller's tenant may."""

    tenant: str
    policy: Policy


class StoredPolicyView(BaseModel):
    """A policy that an operator set; it comes before the one of the file."""

    scope: Scope
    name: str
    policy: dict[str, Any] = Field(description="the values that were given")
    changed_by: str
    changed_at: datetime


class OperatorPolicyView(BaseModel):
    """The policy of a tenant or plan."""

    scope: Scope
    name: str
    effective: Policy = Field(description="of a tenant: as it holds for one whose token names no plan")
    stored: StoredPolicyView | None = Field(description="what an operator set, if anything")


class PolicyList(BaseModel):
    """All policies that operators have set."""

    policies: list[StoredPolicyView]


def router(lookup: PolicyLookup, records: PolicyRecords) -> APIRouter:
    """The routes of policies."""
    routes = APIRouter()
    of_operators = APIRouter(
        prefix="/v1/operator/policies", tags=["operator"], responses=refusals(NotPermitted, OptionInvalid)
    )

    @routes.get("/v1/policy", tags=["usage"])
    async def own(caller: AsCaller) -> PolicyView:
        """What your tenant may: its limits, kinds of tasks and options. Null: no limit of your own."""
        return PolicyView(tenant=caller.tenant, policy=await run_in_threadpool(lookup.of, caller.principal))

    @of_operators.get("")
    async def stored() -> PolicyList:
        """The policies that operators have set, by scope and name; those of the file are not among them."""
        return PolicyList(policies=[_view(one) for one in await run_in_threadpool(records.all)])

    @of_operators.get("/{scope}/{name}")
    async def show(scope: Scope, name: OfName) -> OperatorPolicyView:
        """What a tenant or plan may, and what of it an operator set."""
        return await run_in_threadpool(_show, scope, name)

    @of_operators.put("/{scope}/{name}", responses=refusals(RecordsUncertain))
    async def put(scope: Scope, name: OfName, caller: AsCaller, body: TenantPolicy) -> OperatorPolicyView:
        """Set the policy of a tenant or plan; every gateway follows within 10 s. What the body lacks, the file says."""
        policy = read_policy(scope, body.given())
        await run_in_threadpool(lambda: lookup.read_now().require_plan(policy))
        await run_in_threadpool(records.put, scope, name, policy, caller.origin)
        _log.info("operator.policy_set", subject=caller.subject, scope=scope.value, name=name)
        return await run_in_threadpool(_show, scope, name)

    @of_operators.delete("/{scope}/{name}", responses=refusals(RecordsUncertain))
    async def clear(scope: Scope, name: OfName, caller: AsCaller) -> OperatorPolicyView:
        """Take back what an operator set: the file holds again."""
        await run_in_threadpool(records.clear, scope, name, caller.origin)
        _log.info("operator.policy_cleared", subject=caller.subject, scope=scope.value, name=name)
        return await run_in_threadpool(_show, scope, name)

    def _show(scope: Scope, name: str) -> OperatorPolicyView:
        effective = lookup.read_now().effective(scope, name)
        row = next((one for one in records.all() if (one.scope, one.name) == (scope, name)), None)
        return OperatorPolicyView(scope=scope, name=name, effective=effective, stored=_view(row) if row else None)

    routes.routes.extend(of_operators.routes)  # `include_router` would build each a second time
    return routes


def _view(stored: StoredPolicy) -> StoredPolicyView:
    return StoredPolicyView(
        scope=stored.scope, name=stored.name, policy=stored.policy.given(), changed_by=stored.by, changed_at=stored.at
    )
