"""Defines how a rate is written, and the settings of how often somebody may ask; ``config.py`` loads them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from facefleet.section import Section

RATE = r"^([1-9][0-9]{0,6})/([1-9][0-9]{0,4})s$"
"""Requests, a slash, the s they may be spread over: ``600/60s``."""

RoleName = Literal["viewer", "member", "tenant-admin", "reviewer", "operator", "auditor"]
"""The roles of ``access/roles.py``, which no setting can import; a test holds them against each other."""

_RATE_OR_NONE = rf"^$|{RATE}"


class RateLimits(Section):
    """How often somebody may ask. Where no credentials are asked for, a default does not hold, only what is set."""

    tenant: str = Field(
        "6000/60s", description="requests of one tenant; empty, here and below: as many as come", pattern=_RATE_OR_NONE
    )
    key: str = Field("3000/60s", description="requests with one API key, or of one subject", pattern=_RATE_OR_NONE)
    roles: dict[RoleName, Annotated[str, Field(pattern=RATE)]] = Field(
        {}, description='role → the same for those who have it, in place of `key`, as JSON: `{"viewer": "300/60s"}`'
    )
    address: str = Field(
        "6000/60s", description="requests from one address; of IPv6, from one network of 64 bits", pattern=_RATE_OR_NONE
    )
    failures: str = Field(
        "20/60s",
        description="credentials from one address that are refused, before none from there is looked at",
        pattern=_RATE_OR_NONE,
    )
