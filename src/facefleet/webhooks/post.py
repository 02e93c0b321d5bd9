"""Makes one attempt: a POST to an address that was checked, with limits on everything that a receiver controls.

Of the answer only the head is read: its body is of no use to us, and must not be shown to the client that gave the URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from facefleet.clock import Clock
from facefleet.outbound.address import UrlRefused
from facefleet.outbound.connect import Connector, NotReached, Outgoing
from facefleet.webhooks.schedule import Answer

TOTAL_SECONDS = 15.0
_SAME_METHOD = (HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT)  # the others turn a POST into a GET


class Poster:
    """Posts to the URLs of webhooks.

    Args:
        connector: Sends to addresses that are allowed.
        clock: UTC, for a ``Retry-After`` that is a date.
    """

    def __init__(self, connector: Connector, clock: Clock) -> None:
        self._connector = connector
        self._clock = clock

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send, and follow redirects that keep the method; errors are answers, never raised."""
        request = Outgoing("POST", url, headers, TOTAL_SECONDS, TOTAL_SECONDS, _SAME_METHOD, body)
        try:
            async with self._connector.send(request) as response:
                return self._answer(response)
        except UrlRefused as error:
            return Answer(error=f"address refused: {error}")
        except NotReached as error:
            return Answer(error.status, str(error))

    def _answer(self, response: httpx.Response) -> Answer:
        status = response.status_code
        if 200 <= status < 300:
            return Answer(status)
        what = "a redirect that is not followed" if 300 <= status < 400 else f"status {status}"
        return Answer(status, what, _retry_after(response.headers.get("retry-after"), self._clock()))


def _retry_after(header: str | None, now: datetime) -> float | None:
    """Parse ``Retry-After``: s, or a date (RFC 9110, 10.2.3)."""
    if header is None:
        return None
    if header.isascii() and header.isdecimal():
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds())
