"""Names the photo that an error is about, by its field in the API, where several photos are at hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from facefleet.errors.input import FaceError, ImageError

SOURCE, TARGET, IMAGE = "source", "target", "image"


@contextmanager
def naming_photo(field: str, number: int | None = None) -> Iterator[None]:
    """Add ``field`` to the detail of what refuses a photo or its faces.

    Args:
        field: Of the photo.
        number: Of the photo, from 0, where the field has several.

    Raises:
        ImageError: The photo cannot be used.
        FaceError: A face is missing or cannot be used.
    """
    try:
        yield
    except (ImageError, FaceError) as error:
        error.detail["field"] = field
        if number is not None:
            error.detail["number"] = number
        raise
