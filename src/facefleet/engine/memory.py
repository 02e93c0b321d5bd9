"""Running out of memory, told apart from a bug and from a damaged photo: the next try may find more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from facefleet.errors.model import OutOfMemory


@contextmanager
def named_shortage() -> Iterator[None]:
    """Raise ``OutOfMemory`` where NumPy or OpenCV cannot allocate."""
    try:
        yield
    except MemoryError as error:
        raise _shortage() from error
    except cv2.error as error:
        if error.code != cv2.Error.StsNoMem:
            raise
        raise _shortage() from error


def require(count: int) -> None:
    """Check that so many bytes can be had: decoders do not say why they failed.

    Raises:
        MemoryError: They cannot.
    """
    np.empty(count, np.uint8)


def _shortage() -> OutOfMemory:
    return OutOfMemory("There was not enough memory for the photos.")
