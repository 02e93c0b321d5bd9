"""Values out of the JSON of a server: what is not that of a gateway is an error, never half a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import date, datetime
from typing import Any, ClassVar, Protocol, TypeVar

from facefleet.client.answers import Document
from facefleet.errors.client import ServerUnreachable


class Shown(Protocol):
    """A frozen dataclass that shows a document; ``TIMES`` names the fields that are times."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    TIMES: ClassVar[tuple[str, ...]]


V = TypeVar("V", bound=Shown)


def value(cls: type[V], document: Document, **converted: object) -> V:
    """A value whose fields have the names of the document's.

    Args:
        cls: Of the value; its field ``raw`` gets all of the document.
        document: As the server wrote it.
        converted: Fields that are more than their JSON.

    Raises:
        ServerUnreachable: It is none; whatever answered is no gateway.
    """
    try:
        names = [one.name for one in fields(cls)]
        times = {name: _time(document[name]) for name in cls.TIMES if name in document}
        return cls(
            **{name: document[name] for name in names if name in document} | times | converted | {"raw": document}
        )
    except (TypeError, ValueError) as error:
        raise strange(error) from None


def page(document: Document, name: str) -> tuple[Sequence[Document], str | None]:
    """The entries of one page, and the cursor of the next."""
    try:
        return document[name], document["next_cursor"]
    except KeyError as error:
        raise strange(error) from None


def day(document: Document, name: str) -> date:
    """A day of UTC."""
    try:
        return date.fromisoformat(document[name])
    except (KeyError, TypeError, ValueError) as error:
        raise strange(error) from None


def strange(error: Exception) -> ServerUnreachable:
    """What no gateway would have said."""
    return ServerUnreachable(f"The answer is not that of a facefleet gateway: {error}.")


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
