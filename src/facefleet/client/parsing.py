"""Turns a server's JSON into values; JSON that no gateway sends is an error, never half a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import date, datetime
from typing import Any, ClassVar, Protocol, TypeVar

from facefleet.client.responses import Document
from facefleet.errors.client import ServerUnreachable


class ResponseValue(Protocol):
    """A frozen dataclass made of a JSON document; ``TIMES`` names the fields that are times."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    TIMES: ClassVar[tuple[str, ...]]


V = TypeVar("V", bound=ResponseValue)


def parse(cls: type[V], document: Document, **converted: object) -> V:
    """A value whose fields have the names of the document's entries.

    Args:
        cls: Class of the value; its field ``raw`` gets the whole document.
        document: As the server wrote it.
        converted: Fields whose value is not the plain JSON, already converted.

    Raises:
        ServerUnreachable: The document lacks a field or has a wrong one, so whatever answered is no gateway.
    """
    try:
        names = [one.name for one in fields(cls)]
        times = {name: _time(document[name]) for name in cls.TIMES if name in document}
        return cls(
            **{name: document[name] for name in names if name in document} | times | converted | {"raw": document}
        )
    except (TypeError, ValueError) as error:
        raise malformed_response(error) from None


def parse_page(document: Document, name: str) -> tuple[Sequence[Document], str | None]:
    """The entries of one page of a list, and the cursor of the next page."""
    try:
        return document[name], document["next_cursor"]
    except KeyError as error:
        raise malformed_response(error) from None


def parse_day(document: Document, name: str) -> date:
    """A field that is a day of UTC."""
    try:
        return date.fromisoformat(document[name])
    except (KeyError, TypeError, ValueError) as error:
        raise malformed_response(error) from None


def malformed_response(error: Exception) -> ServerUnreachable:
    """The error of a response whose JSON no gateway sends."""
    return ServerUnreachable(f"The answer is not that of a facefleet gateway: {error}.")


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
