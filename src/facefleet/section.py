"""Defines what a section of settings is: a frozen model that refuses unknown fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
# As browsers write an origin; http:// on this machine only.
WebOrigin = Annotated[
    str,
    Field(
        pattern=r"^(https://([a-z0-9.-]+|\[[0-9a-f:]+\])|http://(127\.0\.0\.1|\[::1\]|localhost))(:[1-9][0-9]{0,4})?$"
    ),
]


def reason_of(invalid: Mapping[str, Any]) -> str:
    """The reason that pydantic gives for refusing a value, without its own prefix."""
    return str(invalid["msg"]).removeprefix("Value error, ")


class Section(BaseModel):
    """Some settings that belong together."""

    model_config = ConfigDict(frozen=True, extra="forbid")
