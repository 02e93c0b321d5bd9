"""Reads an ICC profile of three primaries and curves, or of one grey curve, so that 16 bits can follow it.

Little CMS does the rest, in 8 bits: profiles of tables are of printers and scanners, and rare on screens.
"""

from __future__ import annotations

import struct

import numpy as np

from facefleet.engine.codec.light import Curve, Light, Matrix
from facefleet.engine.codec.png_colour import SRGB_PLACES, colorants

_MAX_TAGS = 100
_PARAMETERS = (1, 3, 4, 5, 7)  # numbers of a parametric curve, by its type (ICC.1:2022, table 68)


def light_of_profile(profile: bytes) -> Light | None:
    """How to read values that follow a profile; none where it is of another kind, or damaged."""
    try:
        tags = _tags(profile)
        if profile[16:20] == b"GRAY" and b"kTRC" in tags:
            return Light((_from_black(_curve(tags[b"kTRC"])),))
        if profile[16:20] != b"RGB " or profile[20:24] != b"XYZ " or b"A2B0" in tags:
            return None
        curves = tuple(_from_black(_curve(tags[name])) for name in (b"rTRC", b"gTRC", b"bTRC"))
        own = np.column_stack([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")])
        return Light(curves, _to_srgb(own))
    except (KeyError, ValueError, struct.error, np.linalg.LinAlgError):
        return None


def _to_srgb(own: Matrix) -> Matrix:
    srgb = colorants(SRGB_PLACES)
    assert srgb is not None  # noqa: S101 - it is not degenerate
    return np.asarray(np.linalg.solve(srgb, own))


def _from_black(curve: Curve) -> Curve:
    """Black point compensation: the darkest that the profile knows becomes black."""
    darkest = float(curve(np.zeros(1))[0])
    return (lambda value: (curve(value) - darkest) / (1 - darkest)) if 0 < darkest < 1 else curve


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    if count > _MAX_TAGS:
        raise ValueError("too many tags")
    rows = [struct.unpack_from(">4sII", profile, 132 + 12 * n) for n in range(count)]
    return {name: profile[start : start + length] for name, start, length in rows}


def _xyz(tag: bytes) -> list[float]:
    return [value / 65536 for value in struct.unpack_from(">3i", tag, 8)]


def _curve(tag: bytes) -> Curve:
    if tag[:4] == b"para":
        return _parametric(tag)
    if tag[:4] != b"curv":
        raise ValueError("another type of curve")
    (count,) = struct.unpack_from(">I", tag, 8)
    values = np.frombuffer(tag[12 : 12 + 2 * count], ">u2").astype(np.float64)
    if len(values) != count:
        raise ValueError("a curve cut short")
    if count == 0:
        return lambda value: value
    if count == 1:
        return lambda value: value ** (values[0] / 256)
    return lambda value: np.interp(value, np.linspace(0, 1, count), values / 65535)


def _parametric(tag: bytes) -> Curve:
    (kind,) = struct.unpack_from(">H", tag, 8)
    if kind >= len(_PARAMETERS):
        raise ValueError("an unknown type of curve")
    given = [value / 65536 for value in struct.unpack_from(f">{_PARAMETERS[kind]}i", tag, 12)]
    g, a, b, c, d, e, f = given[0], 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if kind == 1:
        a, b = given[1:]
        d = -b / a if a else 0.0
    elif kind == 2:
        a, b, e = given[1:]
        d, f = (-b / a if a else 0.0), e
    elif kind >= 3:
        a, b, c, d = given[1:5]
        e, f = given[5:] if kind == 4 else (0.0, 0.0)
    return lambda value: np.clip(np.where(value >= d, np.maximum(a * value + b, 0) ** g + e, c * value + f), 0.0, 1.0)
