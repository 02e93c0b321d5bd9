"""Reads the form fields that say where to send webhooks of a task: ``webhook_url`` and ``webhook_events``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facefleet.errors.input import OptionInvalid, WebhookUrlRefused
from facefleet.outbound.address import MAX_URL_LENGTH, UrlRefused, read_url
from facefleet.outbound.resolve import Resolver
from facefleet.tasks.task import Webhook
from facefleet.tasks.transitions import State

LOOKUP_SECONDS = 0.5  # a name that is slow to resolve is judged at the delivery, as every name is again

_ENDS = tuple(state.value for state in State if state.terminal)
_EVENTS = tuple(state.value for state in State)

WEBHOOK_FIELDS: Mapping[str, Any] = {
    "webhook_url": {
        "type": "string",
        "format": "uri",
        "maxLength": MAX_URL_LENGTH,
        "description": "address of a public server that is told of the task",
        "examples": ["https://hooks.example.com/facefleet"],
    },
    "webhook_events": {
        "type": "array",  # without minItems: there are clients that leave an empty list out of a form
        "items": {"type": "string", "enum": list(_EVENTS)},
        "uniqueItems": True,
        "default": list(_ENDS),
        "description": "JSON list of one or more that it is told; the ends of the task where not given",
    },
}
WEBHOOK_TEXTS: Mapping[str, int] = dict.fromkeys(WEBHOOK_FIELDS, 1)
"""How often a form may have each field."""


@dataclass(frozen=True, slots=True)
class WebhookIntake:
    """Accepts or refuses a webhook before anything of a request is stored.

    Attributes:
        resolver: Judges addresses; none where nothing can be signed.
    """

    resolver: Resolver | None

    async def read(self, texts: Mapping[str, str]) -> Webhook | None:
        """Read the webhook of a form; none where it has none.

        Raises:
            OptionInvalid: The events are not a list of states, or there is no URL.
            WebhookUrlRefused: Nothing may be sent to the address.
        """
        url, events = texts.get("webhook_url"), texts.get("webhook_events")
        if url is None:
            if events is not None:
                raise OptionInvalid("webhook_events needs a webhook_url.", field="webhook_events")
            return None
        states = _parse_events(events)
        await self._check_address(url)
        return Webhook(url, states)

    async def _check_address(self, url: str) -> None:
        """Refuse a forbidden address now; a name that does not resolve today may do so when something is sent."""
        if self.resolver is None:
            raise WebhookUrlRefused(
                "This service signs no webhooks; its operator sets FACEFLEET_WEBHOOKS__SECRETS.",
                field="webhook_url", reason="no secret",
            )  # fmt: skip
        try:
            target = read_url(url, self.resolver.policy)
            await self.resolver.addresses(target, LOOKUP_SECONDS)
        except UrlRefused as error:
            words = error.words("webhook_url", "webhook")
            raise WebhookUrlRefused(words, field="webhook_url", **error.detail) from None
        except OSError:  # TimeoutError among them
            return


def _parse_events(text: str | None) -> tuple[str, ...]:
    if text is None:
        return _ENDS
    try:
        events = json.loads(text)
    except (ValueError, RecursionError):
        events = None
    if not isinstance(events, list) or not events or any(event not in _EVENTS for event in events):
        raise OptionInvalid(f"webhook_events is a JSON list of some of: {', '.join(_EVENTS)}.", field="webhook_events")
    return tuple(dict.fromkeys(events))
