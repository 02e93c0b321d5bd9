"""Counts the memory of what is kept, and names a shortage, which is neither a bug nor a damaged photo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass

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


def array_bytes(value: object) -> int:
    """Bytes of all arrays in a tree of dataclasses, tuples and mappings; a view counts as what it keeps alive."""
    arrays: dict[int, int] = {}
    _gather(value, arrays)
    return sum(arrays.values())


def _gather(value: object, arrays: dict[int, int]) -> None:
    if isinstance(value, np.ndarray):
        whole = value if value.base is None else value.base
        arrays[id(whole)] = max(value.nbytes, int(getattr(whole, "nbytes", 0)))
    elif is_dataclass(value):
        for one in fields(value):
            _gather(getattr(value, one.name), arrays)
    elif isinstance(value, tuple | list):
        for item in value:
            _gather(item, arrays)
    elif isinstance(value, Mapping):
        for item in value.values():
            _gather(item, arrays)


def _shortage() -> OutOfMemory:
    return OutOfMemory("There was not enough memory for the photos.")
