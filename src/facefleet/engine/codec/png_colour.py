"""Turns a PNG's ``gAMA`` and ``cHRM`` chunks into the ICC profile that means the same.

Nearly every PNG with these chunks means sRGB by them and gets none. The others, of linear light or with an editor's own
primaries, look wrong when their pixels are taken for sRGB.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

_SRGB_GAMMA = 2.2  # what ``gAMA`` says where sRGB is meant
_NEAR_GAMMA, _NEAR_PRIMARY = 0.1, 0.01
_GAMMAS = (0.2, 5.0)  # beyond, the chunk is damaged
SRGB_PLACES = np.array([[0.3127, 0.329], [0.64, 0.33], [0.3, 0.6], [0.15, 0.06]])
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def png_space(gama: bytes | None, chrm: bytes | None) -> bytes | None:
    """An ICC profile, or none where the chunks are missing, damaged, or mean sRGB.

    Args:
        gama: Content of the chunk: 100,000 times the exponent of encoding.
        chrm: Content of the chunk: x and y of white, red, green and blue, 100,000 times.
    """
    if gama is None and chrm is None:
        return None
    gamma, places = _gamma(gama), _places(chrm)
    if gamma is None or places is None:
        return None
    if abs(gamma - _SRGB_GAMMA) < _NEAR_GAMMA and np.abs(places - SRGB_PLACES).max() < _NEAR_PRIMARY:
        return None
    columns = colorants(places)
    return None if columns is None else _profile(columns, gamma)


def _gamma(gama: bytes | None) -> float | None:
    if gama is None:
        return _SRGB_GAMMA
    stored = int.from_bytes(gama[:4], "big")
    gamma = 100_000 / stored if stored else 0.0
    return gamma if _GAMMAS[0] <= gamma <= _GAMMAS[1] else None


def _places(chrm: bytes | None) -> Matrix | None:
    if chrm is None:
        return SRGB_PLACES
    if len(chrm) != 32:
        return None
    places = np.array(struct.unpack(">8I", chrm)).reshape(4, 2) / 100_000
    return places if places.min() >= 0 and places.max() <= 1 and places[:, 1].min() > 0.01 else None


def colorants(places: Matrix) -> Matrix | None:
    """XYZ of red, green and blue in columns, adapted to D50 (Bradford; ICC.1:2022, annex E)."""
    xyz = np.column_stack([places, 1 - places.sum(axis=1)]) / places[:, 1:]
    white, primaries = xyz[0], xyz[1:].T
    if abs(np.linalg.det(primaries)) < 1e-3:
        return None
    adapt = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD
    return np.asarray(adapt @ (primaries * np.linalg.solve(primaries, white)))


def _profile(columns: Matrix, gamma: float) -> bytes:
    """A display profile of version 2.4: three colorants, one curve (ICC.1:2001-04)."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {b"wtpt": _xyz(_D50), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    tags |= {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns.T, strict=True)}
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content
    head = struct.pack(">I4sI4s4s4s", at + len(body), bytes(4), 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + _xyz(_D50)[8:] + bytes(48)
    return head + table + body


def _xyz(values: Matrix) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(value) * 65536) for value in values))
