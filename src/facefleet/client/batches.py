"""Holds the state of a batch as a server reports it: frozen values made of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from facefleet.client.parsing import parse
from facefleet.client.responses import Document
from facefleet.client.views import ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """A batch at one moment.

    Attributes:
        batch_id: Of the batch.
        total: Items.
        status: ``queued``, ``running``, ``ended`` or ``canceled``; what was canceled has the results it had.
        counts: State of an item → how many are in it.
        template_id: The registered target that all items share.
        erased_at: When photos and results were erased on request.
        links: Name → path, at the same server.
        raw: All of it as the server wrote it.
    """

    batch_id: str
    total: int
    status: str
    counts: Mapping[str, int] = field(default_factory=dict)
    template_id: str | None = None
    created_at: datetime | None = None
    erased_at: datetime | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    raw: Document = field(default_factory=dict, repr=False)

    TIMES: ClassVar[tuple[str, ...]] = ("created_at", "erased_at")

    @property
    def ended(self) -> bool:
        """Whether no item changes any more."""
        return self.status in ("ended", "canceled")

    @property
    def done(self) -> int:
        """How many items have ended."""
        return sum(count for state, count in self.counts.items() if state in ENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReceipt:
    """The receipt of an erased batch, which stays in the records.

    Attributes:
        status: ``erased``; ``erasing`` where the store was away and the server goes on by itself.
    """

    batch_id: str
    status: str
    erased_at: datetime | None = None
    raw: Document = field(default_factory=dict, repr=False)

    TIMES: ClassVar[tuple[str, ...]] = ("erased_at",)


def batch_view(document: Document) -> BatchView:
    """A batch out of its JSON.

    Raises:
        ServerUnreachable: It is none; whatever answered is no gateway.
    """
    return parse(BatchView, document)


def batch_receipt(document: Document) -> BatchReceipt:
    """A receipt out of its JSON."""
    return parse(BatchReceipt, document)
