"""What every list but that of tasks is asked by: which page, and how long."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from facefleet.tasks.task import ID

MOST = 100


class PageQuery(BaseModel):
    """Which page, and how long."""

    model_config = ConfigDict(extra="forbid")

    cursor: str | None = Field(None, pattern=f"^{ID}$", description="`next_cursor` of the page before")
    limit: int = Field(20, ge=1, le=MOST)
