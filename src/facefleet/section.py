"""Defines what a section of settings is: a frozen model that refuses unknown fields."""

from __future__ import annotations

from typing import Annotated

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


class Section(BaseModel):
    """Some settings that belong together."""

    model_config = ConfigDict(frozen=True, extra="forbid")
