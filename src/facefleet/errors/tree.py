"""Every class of the tree of errors, in one order: for the reference, the client and the tests."""

from __future__ import annotations

from collections.abc import Iterator

from facefleet.errors import access, base, client, conflict, input, limits, lookup, model, outage, task  # noqa: A004 - a file's name
from facefleet.errors.base import FacefleetError

_MODULES = [module.__name__ for module in (input, access, limits, lookup, conflict, model, outage, task, client, base)]


def tree(root: type[FacefleetError] = FacefleetError) -> Iterator[type[FacefleetError]]:
    """Every class from ``root`` on, parents first, in the order of the drawing in ``facefleet.errors``."""
    yield root
    for child in sorted(root.__subclasses__(), key=lambda cls: _MODULES.index(cls.__module__)):
        yield from tree(child)
