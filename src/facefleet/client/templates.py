"""Holds the state of a registered target as a server reports it: frozen values made of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from facefleet.client.faces import Face, faces
from facefleet.client.parsing import parse
from facefleet.client.responses import Document
from facefleet.client.views import Problem, problem

READY, FAILED = "ready", "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateView:
    """A template at one moment.

    Attributes:
        template_id: Of the template.
        status: ``preparing``, ``ready`` or ``failed``.
        name: In the words of whoever registered it; not unique.
        width: px of the upright image.
        height: px of the upright image.
        media_type: Of the photo, and of what is fused into it.
        bytes: Of the photo.
        faces: What can be replaced; none until it is ready.
        error: Of a failed template.
        task_id: The task that prepares it.
        links: Name → path, at the same server.
        raw: All of it as the server wrote it.
    """

    template_id: str
    status: str
    name: str = ""
    width: int = 0
    height: int = 0
    media_type: str = ""
    bytes: int = 0
    faces: tuple[Face, ...] = ()
    error: Problem | None = None
    task_id: str = ""
    created_at: datetime | None = None
    ready_at: datetime | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    raw: Document = field(default_factory=dict, repr=False)

    TIMES: ClassVar[tuple[str, ...]] = ("created_at", "ready_at")

    @property
    def prepared(self) -> bool:
        """Whether its preparation is over, well or not."""
        return self.status in (READY, FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateReceipt:
    """The receipt of a deleted template.

    Attributes:
        status: ``deleted``; ``deleting`` where the store was away and the server goes on by itself.
    """

    template_id: str
    status: str
    deleted_at: datetime | None = None
    raw: Document = field(default_factory=dict, repr=False)

    TIMES: ClassVar[tuple[str, ...]] = ("deleted_at",)


def template_view(document: Document) -> TemplateView:
    """A template out of its JSON.

    Raises:
        ServerUnreachable: It is none; whatever answered is no gateway.
    """
    its_faces = tuple(faces(document.get("faces") or ()))
    return parse(TemplateView, document, faces=its_faces, error=problem(document.get("error")))


def template_receipt(document: Document) -> TemplateReceipt:
    """A receipt out of its JSON."""
    return parse(TemplateReceipt, document)
