"""Computes medians; NumPy's own takes ten times as long to look at its arguments."""

from __future__ import annotations

import numpy as np

from facefleet.engine.types import Floats


def median(values: Floats) -> Floats:
    """Of each column, the upper of the two middle ones where their number is even.

    Args:
        values: ``(N,)`` or ``(N, M)``, N over 0.
    """
    middle = len(values) // 2
    return np.asarray(np.partition(values, middle, axis=0)[middle], np.float32)
