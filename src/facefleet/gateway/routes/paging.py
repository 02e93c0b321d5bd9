"""Defines the query of every list (which page, how many rows) and its link to the next page."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from facefleet.tasks.ids import ID

MOST = 100
NextCursor = Annotated[str | None, Field(description="for the page after this one; null: there is none")]


class PageQuery(BaseModel):
    """Which page, and how long."""

    model_config = ConfigDict(extra="forbid")

    cursor: str | None = Field(None, pattern=f"^{ID}$", description="`next_cursor` of the page before")
    limit: int = Field(20, ge=1, le=MOST)
