"""Builds the delivery of webhooks from the settings: the signers, the deliverer."""

from __future__ import annotations

import random
from collections.abc import Mapping
from importlib.metadata import version

from facefleet.access.policy_lookup import PolicyLookup
from facefleet.clock import Clock
from facefleet.config import Settings
from facefleet.gateway.views import view
from facefleet.observability.metrics import Metrics
from facefleet.outbound.connect import Connector
from facefleet.outbound.resolve import Resolver
from facefleet.tasks.deliveries import Deliveries
from facefleet.tasks.task import Task
from facefleet.trust import trust_of
from facefleet.webhooks.deliver import Deliverer, SignerOf
from facefleet.webhooks.post import Poster
from facefleet.webhooks.sign import Signer, secrets_of


def deliverer_of(
    settings: Settings, policies: PolicyLookup, deliveries: Deliveries, resolver: Resolver, metrics: Metrics,
    clock: Clock,
) -> Deliverer | None:  # fmt: skip
    """Build what sends webhooks; none where there is no secret to sign with.

    Raises:
        ConfigInvalid: A secret or the file of authorities cannot be used.
    """
    secrets = secrets_of(settings)
    if secrets is None:
        return None
    trust = trust_of(settings.webhooks.ca_file, "webhooks.ca_file")
    return Deliverer(
        deliveries=deliveries, poster=Poster(Connector(resolver, trust), clock),
        signer_of=_signers(policies, Signer.of(secrets)), render=_render, metrics=metrics, clock=clock,
        random=random.random, user_agent=f"facefleet/{version('facefleet')}",
        slots=settings.webhooks.concurrency, interval=settings.webhooks.interval,
    )  # fmt: skip


def _signers(policies: PolicyLookup, of_service: Signer) -> SignerOf:
    """What signs for each tenant: the secrets of its own, else those of the service."""

    def signer_of(tenant: str) -> Signer:
        own = policies.webhook_secrets(tenant)
        return of_service if own is None else Signer.of_file(own)

    return signer_of


def _render(task: Task) -> Mapping[str, object]:
    return view(task).model_dump(mode="json")
